"""The VQGAN of a run, fitted or converted: what `stages/fit_vqgan.py` calls."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ubg.data.image_pack import ImagePack
from ubg.data.prepare import load_prepared
from ubg.files import file_fingerprint, fingerprint, replace_folder, write_json
from ubg.models.vqgan.architecture import Architecture
from ubg.models.vqgan.fit import fit
from ubg.models.vqgan.folder import save_vqgan
from ubg.models.vqgan.model import VQGAN
from ubg.models.vqgan.published import load_published
from ubg.models.vqgan.quality import draw_reconstructions, measure
from ubg.params import Params, VqganFit
from ubg.training.checkpoint import checkpoint_folder

PREPARED, IMAGES = Path("data/prepared"), Path("data/images")
MODEL, PLOTS, METRICS = Path("models/vqgan"), Path("plots/vqgan"), Path("metrics/vqgan.json")


def make_vqgan(params: Params) -> None:
    """Fit a VQGAN to the training images, or take the published one that the params name.

    Writes `models/vqgan/`, what it makes of the validation images to `metrics/vqgan.json`, and a
    picture of it to `plots/vqgan/`. A fit goes on where an earlier call was stopped.

    Raises:
        ValueError: input that is missing or does not fit; nothing is written.
    """
    chosen = params.model.vqgan
    table, pack = load_prepared(PREPARED), ImagePack(IMAGES)
    rows = {
        split: pack.row_of(np.intersect1d(of_split["image_id"], pack.image_ids))
        for split, of_split in table.groupby("split")
    }
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    folder = checkpoint_folder("vqgan", _identity(params, pack))
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
    with replace_folder(PLOTS) as output:
        draw_reconstructions(model, pack, rows["val"], output / "reconstructions.png")
    with replace_folder(MODEL) as output:
        save_vqgan(model.cpu(), output)
    write_json(METRICS, quality.as_dict())
    print(
        f"validation: {quality.psnr:.2f} dB, perplexity {quality.perplexity:.0f}, "
        f"{quality.used_codes} of {quality.codes} codes in use"
    )
    shutil.rmtree(folder, ignore_errors=True)


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
    folder.mkdir(parents=True, exist_ok=True)
    count = sum(parameter.numel() for parameter in model.parameters())
    print(f"vqgan: {count:,} parameters, {len(rows):,} images, {params.steps:,} steps")
    print(f"checkpoints in {folder}, results in {MODEL}, {PLOTS} and {METRICS}")
    fit(model, lambda indices: pack.read(rows[indices]), len(rows), params, params.seed, folder)


def _identity(params: Params, pack: ImagePack) -> str:
    """A fingerprint of all that decides the weights."""
    code = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        code.update(path.read_bytes())
    return fingerprint(
        params.model.vqgan.model_dump(mode="json"),
        code.hexdigest(),
        torch.__version__,
        pack.fingerprint,
        file_fingerprint(PREPARED / "annotations.csv"),
    )
