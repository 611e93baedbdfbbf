"""Does the generative branch teach anything? Its figures on validation, and what it draws."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from ubg.data.images.image_pack import ImagePack
from ubg.data.text.captions import TokenisedCaptions
from ubg.params import Params, SharedNetwork
from ubg.retrieval.bootstrap import paired_bootstrap
from ubg.runtime.files import replace_folder
from ubg.systems.aligned.shared_encoder import SharedEncoderModel
from ubg.systems.contract import Trained
from ubg.systems.phase4.branch import (
    hold_out,
    load_generative,
    open_tokens,
    training_ids,
    validation_targets,
)
from ubg.systems.phase4.decoder import UNKNOWN
from ubg.systems.phase4.filling_in import autoregressive_decode, parallel_decode
from ubg.systems.phase4.measure import (
    HeldOut,
    captions_of_others,
    own_captions,
    score,
    summarise_generation,
)
from ubg.systems.phase4.model import GenerativeModel
from ubg.systems.phase4.sheet import DrawnSample, draw_generation_sheet
from ubg.systems.phase4.targets import GenerationTargets
from ubg.systems.phase4.wrong_captions import with_another_colour
from ubg.vqgan.model.folder import VQGAN_FOLDER, load_vqgan

PLOTS = Path("plots/phase4/generation")
DRAWN, DECODING_STEPS = 12, 12
RATIO_EDGES = (0.0, 0.6, 0.7, 0.8, 0.9, 1.0)


def evaluate_generation(
    trained: Trained, table: pd.DataFrame, pack: ImagePack, params: Params
) -> dict[str, dict[str, Any]]:
    """Measure the branch on validation and draw its predictions to `plots/phase4/generation/`.

    Args:
        trained: the selected weights of phase 4.
        table: all annotations whose image is in the pack.
        pack: all images.
        params: of the experiment.

    Returns:
        "generation": cross-entropies in nats, accuracy in percent, intervals of 95 %; nothing where
        the branch was off in training.
    """
    retrieval, network = trained.model, trained.network
    assert isinstance(retrieval, SharedEncoderModel)
    assert isinstance(network, SharedNetwork)
    loaded = load_generative(retrieval, network)
    if loaded is None:
        with replace_folder(PLOTS):
            return {}
    model, generation = loaded
    model.to(next(retrieval.parameters()).device)
    tokens, grid = open_tokens(pack), retrieval.vision.grid
    masks = validation_targets(tokens, grid, generation)
    held_out = hold_out(table, pack, trained.tokenizer, network.max_tokens, masks)
    batch_size = params.preset.evaluation.batch_size

    print("phase4: predicting the masked codes of the validation images")
    true = score(model, held_out, own_captions(held_out.table), batch_size)
    shuffled = score(model, held_out, captions_of_others(held_out.table), batch_size)
    values = summarise_generation(true, shuffled, training_ids(tokens, table), tokens.codes)
    pid_P = held_out.table["pid"].to_numpy()[true.row_P]
    metrics = _metrics(values, pid_P, held_out.mask_ratios()[true.row_P])

    label = params.data.label + ", validation"
    with replace_folder(PLOTS) as plots:
        for name, ratio, title in (
            ("predictions", 0.75, "three quarters masked"),
            ("from_captions", 1.0, "all masked: the caption alone"),
        ):
            fixed = generation.model_copy(update={"mask_ratio": (ratio, ratio)})
            targets = validation_targets(tokens, grid, fixed)
            samples = _draw_samples(model, held_out, targets, trained)
            draw_generation_sheet(plots / f"{name}.png", f"phase4, {title} ({label})", samples)
    return {"generation": metrics}


def _metrics(
    values: dict[str, NDArray[np.float64]], pid_P: NDArray[Any], ratio_P: NDArray[np.float64]
) -> dict[str, Any]:
    gap_P = values["shuffled_caption_ce"] - values["ce"]
    floor_P = values["position_unigram_ce"] - values["ce"]
    metrics: dict[str, Any] = {
        "ce": float(values["ce"].mean()),
        "accuracy": 100 * float(values["accuracy"].mean()),
        "unigram_ce": float(values["unigram_ce"].mean()),
        "position_unigram_ce": float(values["position_unigram_ce"].mean()),
    }
    for name, difference_P in (("shuffled_caption_gap", gap_P), ("below_floor", floor_P)):
        interval = paired_bootstrap(difference_P, pid_P)
        metrics |= {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
    metrics = {name: round(value, 4) for name, value in metrics.items()}
    metrics["by_mask_ratio"] = {}
    for low, high in itertools.pairwise(RATIO_EDGES):
        inside_P = (ratio_P > low) & (ratio_P <= high)
        if inside_P.any():
            metrics["by_mask_ratio"][f"up to {100 * high:.0f} %"] = {
                "ce": round(float(values["ce"][inside_P].mean()), 4),
                "accuracy": round(100 * float(values["accuracy"][inside_P].mean()), 4),
                "shuffled_caption_gap": round(float(gap_P[inside_P].mean()), 4),
            }
    return metrics


@torch.inference_mode()
def _draw_samples(
    model: GenerativeModel,
    held_out: HeldOut,
    targets: GenerationTargets,
    trained: Trained,
) -> list[DrawnSample]:
    """Images of different identities whose caption names a colour, as the branch completes them."""
    rows, wrong = choose_samples(held_out.table, DRAWN)
    table = held_out.table.iloc[rows].reset_index(drop=True)
    texts = table["caption"].tolist() + wrong
    shown = HeldOut(
        table,
        TokenisedCaptions(trained.tokenizer, texts, trained.network.max_tokens),
        held_out.pack,
        targets,
    )
    device = next(model.parameters()).device
    vqgan = load_vqgan(VQGAN_FOLDER).to(device)
    true_rows = np.arange(len(table))
    completed, masked_BN = [], torch.empty(0)
    for caption_rows in (true_rows, true_rows + len(table)):
        _, batch = next(shown.batches(model, caption_rows, len(table)))
        masked_BN = batch["masked_patches"]
        completed.append(_complete(model, batch, table, targets))
    image_ids = table["image_id"].to_numpy(np.int64)
    unmirrored = np.zeros(len(table), np.bool_)
    true_ids = torch.from_numpy(targets.tokens.batch(image_ids, unmirrored)).to(device)
    decode = _decoder_to_pixels(vqgan, targets.tokens.grid)
    reconstructed, with_true, with_wrong = (decode(ids) for ids in (true_ids, *completed))
    originals = held_out.pack.read(held_out.pack.row_of(image_ids))
    return [
        DrawnSample(
            caption=table["caption"].iloc[i],
            wrong_caption=wrong[i],
            original=originals[i],
            reconstruction=reconstructed[i],
            masked=_grey(originals[i], masked_BN[i].cpu().numpy(), targets.patch_grid),
            with_true_caption=with_true[i],
            with_wrong_caption=with_wrong[i],
        )
        for i in range(len(table))
    ]


def choose_samples(table: pd.DataFrame, count: int) -> tuple[list[int], list[str]]:
    """Rows of different identities, spread over the split, whose caption names a colour.

    Returns:
        The rows, and for each its caption with the first colour exchanged.
    """
    rows = np.flatnonzero(~table["pid"].duplicated())
    changed = [(int(row), with_another_colour(table["caption"].iloc[row])) for row in rows]
    usable = [(row, text) for row, text in changed if text is not None]
    picked = [usable[i * len(usable) // count] for i in range(min(count, len(usable)))]
    return [row for row, _ in picked], [text for _, text in picked]


def _complete(
    model: GenerativeModel,
    batch: dict[str, Tensor],
    table: pd.DataFrame,
    targets: GenerationTargets,
) -> Tensor:
    """The codes of the images, [B, L]: the true ones where visible, predicted where masked."""
    generator = model.generator
    features_BLC, mask_BL = generator.condition(model.retrieval, batch)
    image_ids = table["image_id"].to_numpy(np.int64)
    true_BL = torch.from_numpy(targets.tokens.batch(image_ids, np.zeros(len(table), np.bool_)))
    hidden_BL = targets.codes_of_patches(batch["masked_patches"])
    known_BL = torch.where(hidden_BL, UNKNOWN, true_BL.to(hidden_BL.device))
    queried_BL = batch["vq_target_attn_mask"]

    def predict(ids_BL: Tensor) -> Tensor:
        return generator.scores(features_BLC, mask_BL, ids_BL, queried_BL)

    if generator.decoder.causal:
        return autoregressive_decode(predict, known_BL, known_BL.shape[1])
    return parallel_decode(predict, known_BL, DECODING_STEPS)


def _decoder_to_pixels(vqgan: Any, grid: tuple[int, int]) -> Callable[[Tensor], NDArray[np.uint8]]:
    def decode(ids_BL: Tensor) -> NDArray[np.uint8]:
        from ubg.vqgan.model.vqgan import to_uint8

        images = vqgan.decode(ids_BL.view(-1, *grid))
        return to_uint8(images).permute(0, 2, 3, 1).cpu().numpy()

    return decode


def _grey(
    image_HWC: NDArray[np.uint8], masked_N: NDArray[np.bool_], grid: tuple[int, int]
) -> NDArray[np.uint8]:
    """The image with its masked patches in grey."""
    height, width = image_HWC.shape[0] // grid[0], image_HWC.shape[1] // grid[1]
    masked_HW = masked_N.reshape(grid).repeat(height, axis=0).repeat(width, axis=1)
    return np.where(masked_HW[..., None], np.uint8(128), image_HWC)
