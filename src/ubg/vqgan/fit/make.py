"""The VQGAN of a run, fitted or converted: what `stages/fit_vqgan.py` calls."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ubg.data.images.image_pack import IMAGES, ImagePack
from ubg.data.prepared import PREPARED, load_prepared
from ubg.params import Params, VqganFit
from ubg.runtime.checkpoint import checkpoint_folder
from ubg.runtime.files import (
    file_fingerprint,
    fingerprint,
    replace_folder,
    require_space,
    write_json,
)
from ubg.runtime.pipeline import declared_inputs
from ubg.training.labelled import with_labels
from ubg.vqgan.fit.quality import draw_reconstructions, measure
from ubg.vqgan.fit.steps import fit
from ubg.vqgan.model.architecture import Architecture
from ubg.vqgan.model.folder import VQGAN_FOLDER, save_vqgan
from ubg.vqgan.model.taming import load_published
from ubg.vqgan.model.vqgan import VQGAN

PLOTS, METRICS = Path("plots/vqgan"), Path("metrics/vqgan.json")
SHORT = Path("metrics/short/vqgan.json")  # what DVC shows


def make_vqgan(params: Params) -> None:
    """Fit a VQGAN to the training images, or take the published one that the params name.

    Writes `models/vqgan/`, what it makes of the validation images to `metrics/vqgan.json`, and a
    picture of it to `plots/vqgan/`. An interrupted fit resumes.

    Raises:
        ValueError: input that is missing or does not fit; nothing is written.
    """
    chosen = params.preset.vqgan
    table, pack = load_prepared(PREPARED), ImagePack(IMAGES)
    if chosen.fit is not None:
        table = with_labels(table, chosen.fit.identities, "vqgan.fit.identities")
    rows = {
        split: pack.row_of(np.intersect1d(of_split["image_id"], pack.image_ids))
        for split, of_split in table.groupby("split")
    }
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with checkpoint_folder("vqgan", _fingerprint(params, pack)) as folder:
        if chosen.fit is None:
            assert chosen.pretrained is not None
            assert chosen.config is not None
            model = load_published(chosen.pretrained, chosen.config).to(device)
            model.grid(pack.height, pack.width)
        else:
            torch.manual_seed(chosen.fit.seed)
            model = build_vqgan(chosen.fit).to(device)
            model.grid(pack.height, pack.width)
            _fit(model, pack, rows["train"], chosen.fit, folder)

        model.eval()
        quality = measure(model, pack, rows["val"])
        with replace_folder(PLOTS) as plots:  # until all is written, before another run does so
            draw_reconstructions(model, pack, rows["val"], plots / "reconstructions.png")
            with replace_folder(VQGAN_FOLDER) as output:
                save_vqgan(model.cpu(), output)
            write_json(METRICS, quality.as_dict())
            SHORT.parent.mkdir(parents=True, exist_ok=True)
            write_json(SHORT, {"psnr": round(quality.psnr, 2)})
        print(
            f"validation: {quality.psnr:.2f} dB, perplexity {quality.perplexity:.0f}, "
            f"{quality.used_codes} of {quality.codes} codes in use"
        )


def build_vqgan(params: VqganFit) -> VQGAN:
    """A VQGAN of these sizes with random weights."""
    return VQGAN(
        Architecture(
            codes=params.codes,
            code_dim=params.code_dim,
            latent_channels=params.channels * params.multipliers[-1],
            channels=params.channels,
            multipliers=params.multipliers,
            blocks=params.blocks,
            patch=params.patch,
        )
    )


def _fit(
    model: VQGAN,
    pack: ImagePack,
    rows: NDArray[np.int64],
    params: VqganFit,
    folder: Path,
) -> None:
    count = sum(parameter.numel() for parameter in model.parameters())
    require_space(folder / "state.pt", 2 * 3 * 4 * count)  # weights and two moments, old and new
    require_space(VQGAN_FOLDER, 4 * count)
    print(f"vqgan: {count:,} parameters, {len(rows):,} images, {params.steps:,} steps")
    print(f"checkpoints in {folder}, results in {VQGAN_FOLDER}, {PLOTS} and {METRICS}")
    fit(model, lambda indices: pack.read(rows[indices]), len(rows), params, params.seed, folder)


def _fingerprint(params: Params, pack: ImagePack) -> str:
    """Changes with all that decides the weights."""
    return fingerprint(
        declared_inputs("fit_vqgan", params),
        torch.__version__,
        pack.fingerprint,
        file_fingerprint(PREPARED / "annotations.csv"),
    )
