"""The branch that sees a masked image, measured by the ratio of masked patches, and drawn."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from ubg.data.images.image_pack import ImagePack
from ubg.data.text.captions import TokenisedCaptions
from ubg.params import Generation, Params, SharedNetwork
from ubg.systems.aligned.shared_encoder import SharedEncoderModel
from ubg.systems.contract import Trained
from ubg.systems.phase4.codes import open_tokens, training_ids, unmirrored
from ubg.systems.phase4.decoder import UNKNOWN
from ubg.systems.phase4.drawing import DRAWN, choose_samples, decode_images
from ubg.systems.phase4.joint.branch import hold_out, load_joint, validation_targets
from ubg.systems.phase4.joint.filling_in import autoregressive_decode, parallel_decode
from ubg.systems.phase4.joint.held_out import HeldOut, score
from ubg.systems.phase4.joint.model import JointModel
from ubg.systems.phase4.joint.targets import GenerationTargets
from ubg.systems.phase4.scores import (
    captions_of_others,
    generation_metrics,
    own_captions,
    summarise_generation,
)
from ubg.systems.phase4.sheet import DrawnSample, draw_generation_sheet
from ubg.vqgan.model.folder import VQGAN_FOLDER, load_vqgan

DECODING_STEPS = 12
RATIO_EDGES = (0.0, 0.6, 0.7, 0.8, 0.9, 1.0)


def evaluate_joint(
    trained: Trained,
    generation: Generation,
    table: pd.DataFrame,
    pack: ImagePack,
    params: Params,
    plots: Path,
) -> dict[str, Any]:
    """Predict the masked codes of the validation images; draw some completions to `plots`."""
    retrieval, network = trained.model, trained.network
    assert isinstance(retrieval, SharedEncoderModel)
    assert isinstance(network, SharedNetwork)
    model = load_joint(retrieval, network).to(next(retrieval.parameters()).device)
    tokens, grid = open_tokens(pack), retrieval.vision.grid
    masks = validation_targets(tokens, grid, generation)
    held_out = hold_out(table, pack, trained.tokenizer, network.max_tokens, masks)
    batch_size = params.preset.evaluation.batch_size

    true = score(model, held_out, own_captions(held_out.table), batch_size)
    shuffled = score(model, held_out, captions_of_others(held_out.table), batch_size)
    values = summarise_generation(true, shuffled, training_ids(tokens, table), tokens.codes)
    metrics = generation_metrics(values, held_out.table["pid"].to_numpy()[true.row_P])
    metrics["by_mask_ratio"] = _by_mask_ratio(values, held_out.mask_ratios()[true.row_P])

    label = params.data.label + ", validation"
    for name, ratio, title in (
        ("predictions", 0.75, "three quarters masked"),
        ("from_captions", 1.0, "all masked: the caption alone"),
    ):
        fixed = generation.model_copy(update={"mask_ratio": (ratio, ratio)})
        targets = validation_targets(tokens, grid, fixed)
        samples = _draw_samples(model, held_out, targets, trained)
        draw_generation_sheet(plots / f"{name}.png", f"phase4, {title} ({label})", samples)
    return metrics


def _by_mask_ratio(
    values: dict[str, NDArray[np.float64]], ratio_P: NDArray[np.float64]
) -> dict[str, dict[str, float]]:
    gap_P = values["shuffled_caption_ce"] - values["ce"]
    found = {}
    for low, high in itertools.pairwise(RATIO_EDGES):
        inside_P = (ratio_P > low) & (ratio_P <= high)
        if inside_P.any():
            found[f"up to {100 * high:.0f} %"] = {
                "ce": round(float(values["ce"][inside_P].mean()), 4),
                "accuracy": round(100 * float(values["accuracy"][inside_P].mean()), 4),
                "shuffled_caption_gap": round(float(gap_P[inside_P].mean()), 4),
            }
    return found


@torch.inference_mode()
def _draw_samples(
    model: JointModel,
    held_out: HeldOut,
    targets: GenerationTargets,
    trained: Trained,
) -> list[DrawnSample]:
    """Images of different identities whose caption names a colour, as the branch completes them."""
    rows, wrong = choose_samples(held_out.table, DRAWN)
    if not rows:
        return []
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
    true_ids = torch.from_numpy(unmirrored(targets.tokens, image_ids)).to(device)
    grid = targets.tokens.grid
    reconstructed, with_true, with_wrong = (
        decode_images(vqgan, ids, grid) for ids in (true_ids, *completed)
    )
    originals = held_out.pack.read(held_out.pack.row_of(image_ids))
    return [
        DrawnSample(
            caption=table["caption"].iloc[i],
            wrong_caption=wrong[i],
            images={
                "original": originals[i],
                "VQGAN": reconstructed[i],
                "masked": _grey(originals[i], masked_BN[i].cpu().numpy(), targets.patch_grid),
                "predicted": with_true[i],
                "wrong\ncaption": with_wrong[i],
            },
        )
        for i in range(len(table))
    ]


def _complete(
    model: JointModel,
    batch: dict[str, Tensor],
    table: pd.DataFrame,
    targets: GenerationTargets,
) -> Tensor:
    """The codes of the images, [B, L]: the true ones where visible, predicted where masked."""
    generator = model.generator
    features_BLC, mask_BL = generator.condition(model.retrieval, batch)
    image_ids = table["image_id"].to_numpy(np.int64)
    true_BL = torch.from_numpy(unmirrored(targets.tokens, image_ids))
    hidden_BL = targets.codes_of_patches(batch["masked_patches"])
    known_BL = torch.where(hidden_BL, UNKNOWN, true_BL.to(hidden_BL.device))
    queried_BL = batch["vq_target_attn_mask"]

    def predict(ids_BL: Tensor) -> Tensor:
        return generator.scores(features_BLC, mask_BL, ids_BL, queried_BL)

    if generator.decoder.causal:
        return autoregressive_decode(predict, known_BL, known_BL.shape[1])
    return parallel_decode(predict, known_BL, DECODING_STEPS)


def _grey(
    image_HWC: NDArray[np.uint8], masked_N: NDArray[np.bool_], grid: tuple[int, int]
) -> NDArray[np.uint8]:
    """The image with its masked patches in grey."""
    height, width = image_HWC.shape[0] // grid[0], image_HWC.shape[1] // grid[1]
    masked_HW = masked_N.reshape(grid).repeat(height, axis=0).repeat(width, axis=1)
    return np.where(masked_HW[..., None], np.uint8(128), image_HWC)
