"""The branch of a training run: its data and its validation."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from ubg.data.batches.loader import image_batches
from ubg.data.images.image_pack import ImagePack
from ubg.data.text.captions import TokenisedCaptions
from ubg.params import Generation, SharedNetwork
from ubg.runtime.distributed import world_size
from ubg.systems.aligned.shared_encoder import SharedEncoderModel
from ubg.systems.phase4.codes import Codes, held_out_rows
from ubg.systems.phase4.folder import GENERATOR, read_generation, read_size, read_weights
from ubg.systems.phase4.joint.generator import build_generator
from ubg.systems.phase4.joint.held_out import HeldOut, score
from ubg.systems.phase4.joint.model import JointModel
from ubg.systems.phase4.joint.targets import GenerationTargets
from ubg.systems.phase4.model import gradient_ratio
from ubg.systems.phase4.scores import captions_of_others, curves_of_epoch, own_captions

GRADIENT_SAMPLES = 32


@dataclass(frozen=True)
class JointBranch:
    """The branch of a training run.

    Attributes:
        model: phase 3 with the branch.
        targets: of the training samples.
        held_out: the validation split.
        weights: of all losses, when the branch has its full weight.
    """

    model: JointModel
    targets: GenerationTargets
    held_out: HeldOut
    weights: dict[str, float]

    def validate(self, batch_size: int) -> dict[str, float]:
        """CE and accuracy on validation, what another caption costs, and the gradients' ratio."""
        table = self.held_out.table
        true = score(self.model, self.held_out, own_captions(table), batch_size)
        shuffled = score(self.model, self.held_out, captions_of_others(table), batch_size)
        return curves_of_epoch(true, shuffled) | {"gen_gradient_ratio": self._gradient_ratio()}

    def _gradient_ratio(self) -> float:
        held_out, model = self.held_out, self.model
        each = max(1, min(GRADIENT_SAMPLES, len(held_out.table) // world_size()))
        rows, batch = next(held_out.batches(model, own_captions(held_out.table), each))
        ids = held_out.table["image_id"].to_numpy(np.int64)[rows]
        images = next(image_batches(held_out.pack, ids, model.normalisation, len(ids)))
        device = batch["masked_images"].device
        pids = torch.from_numpy(held_out.table["pid"].to_numpy(np.int64)[rows])
        batch |= {"images": images.to(device), "pids": pids.to(device)}
        return gradient_ratio(model, batch, self.weights)


def hold_out(
    table: pd.DataFrame,
    pack: ImagePack,
    tokenizer: Any,
    max_tokens: int,
    targets: GenerationTargets,
) -> HeldOut:
    """The validation split with the masks of `targets`, see `validation_targets`.

    Raises:
        ValueError: see `captions_of_others`.
    """
    rows = held_out_rows(table).reset_index(drop=True)
    captions_of_others(rows)  # where there are none, this is the time to say so
    captions = TokenisedCaptions(tokenizer, rows["caption"].tolist(), max_tokens)
    return HeldOut(rows, captions, pack, targets)


def validation_targets(
    tokens: Codes, patch_grid: tuple[int, int], generation: Generation
) -> GenerationTargets:
    """Every caption shown, no code revealed, the masks the same for all seeds."""
    shown = generation.model_copy(update={"reveal": 0.0, "text_dropout": 0.0})
    return GenerationTargets(tokens, patch_grid, shown, seed=0)


def load_joint(retrieval: SharedEncoderModel, network: SharedNetwork) -> JointModel:
    """The model as it was trained, in evaluation mode.

    Raises:
        ValueError: a file is missing or does not fit.
    """
    generation, config = read_generation(GENERATOR)
    codes, length = (read_size(config, name, GENERATOR) for name in ("codes", "length"))
    generator = read_weights(
        lambda: build_generator(retrieval, network, generation, codes, length), GENERATOR
    )
    return JointModel(retrieval, generator, generation.label_smoothing).eval()
