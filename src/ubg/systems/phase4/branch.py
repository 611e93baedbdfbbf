"""What phase 4 trains beside retrieval: its data, its place in the objective, its validation."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_model

from ubg.data.images.image_pack import ImagePack
from ubg.data.text.captions import TokenisedCaptions
from ubg.params import Generation, SharedNetwork
from ubg.runtime.files import replace_folder, write_json
from ubg.systems.aligned.shared_encoder import SharedEncoderModel
from ubg.systems.phase4.measure import HeldOut, captions_of_others, own_captions, score
from ubg.systems.phase4.model import GenerativeModel, add_generator
from ubg.systems.phase4.targets import Codes, GenerationTargets
from ubg.vqgan.codes.store import VQ_TOKENS, VqTokens
from ubg.vqgan.model.folder import VQGAN_FOLDER, vqgan_fingerprint

GENERATOR = Path("models/phase4_generator")


def gen_loss_weight(gen_weight: float, warmup_epochs: float, epochs: float) -> dict[str, float]:
    """The weight of `gen_loss` after so many epochs: it rises linearly while it warms up."""
    risen = min(1.0, epochs / warmup_epochs) if warmup_epochs > 0 else 1.0
    return {"gen_loss": gen_weight * risen}


@dataclass(frozen=True)
class Branch:
    """The generative branch of a training run.

    Attributes:
        model: phase 3 with the branch.
        targets: of the training samples.
        held_out: the validation split.
    """

    model: GenerativeModel
    targets: GenerationTargets
    held_out: HeldOut

    def validate(self, batch_size: int) -> dict[str, float]:
        """CE and accuracy on validation, and how much CE rises with captions of others, nats."""
        table = self.held_out.table
        true = score(self.model, self.held_out, own_captions(table), batch_size)
        shuffled = score(self.model, self.held_out, captions_of_others(table), batch_size)
        return {
            "gen_ce": float(true.ce_P.mean()),
            "gen_accuracy": 100 * float(true.correct_P.mean()),
            "shuffled_caption_gap": float((shuffled.ce_P - true.ce_P).mean()),
        }


def open_tokens(pack: ImagePack) -> VqTokens:
    """The codes of the images in `pack`, by the VQGAN in use.

    Raises:
        ValueError: they are missing, damaged, or made of something else.
    """
    tokens = VqTokens(VQ_TOKENS)
    tokens.check_matches(vqgan_fingerprint(VQGAN_FOLDER), pack.fingerprint, pack.height, pack.width)
    return tokens


def hold_out(
    table: pd.DataFrame,
    pack: ImagePack,
    tokenizer: Any,
    max_tokens: int,
    targets: GenerationTargets,
) -> HeldOut:
    """The validation split with the masks of `targets`, see `validation_targets`."""
    rows = table[table["split"] == "val"].reset_index(drop=True)
    captions = TokenisedCaptions(tokenizer, rows["caption"].tolist(), max_tokens)
    return HeldOut(rows, captions, pack, targets)


def validation_targets(
    tokens: Codes, patch_grid: tuple[int, int], generation: Generation
) -> GenerationTargets:
    """Every caption shown, no code revealed, the masks the same for all seeds."""
    shown = generation.model_copy(update={"reveal": 0.0, "text_dropout": 0.0})
    return GenerationTargets(tokens, patch_grid, shown, seed=0)


def write_generator(generation: Generation, tokens: Codes | None, weights: Path) -> None:
    """Write `models/phase4_generator/`, which evaluation reads and retrieval never needs.

    Args:
        generation: params of the branch.
        tokens: what it predicts; None where it was off, and then only the config is written.
        weights: folder with the weights of the best epoch.
    """
    with replace_folder(GENERATOR) as output:
        config: dict[str, Any] = {"generation": generation.model_dump(mode="json")}
        if tokens is not None:
            config |= {"codes": tokens.codes, "length": tokens.grid[0] * tokens.grid[1]}
            shutil.copy(weights / "generator.safetensors", output)
        write_json(output / "config.json", config)


def load_generative(
    retrieval: SharedEncoderModel, network: SharedNetwork
) -> tuple[GenerativeModel, Generation] | None:
    """The model as it was trained, in evaluation mode; None where the branch was off.

    Raises:
        ValueError: a file is missing or does not fit.
    """
    try:
        config = json.loads((GENERATOR / "config.json").read_text(encoding="utf-8"))
        generation = Generation.model_validate(config["generation"])
        if not generation.enable_gen:
            return None
        model = add_generator(retrieval, network, generation, config["codes"], config["length"])
        load_model(model.generator, GENERATOR / "generator.safetensors")
    except (OSError, RuntimeError, ValueError, KeyError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(
            f"{GENERATOR}: cannot be read: {reason}; make it again with `dvc repro train_phase4`"
        ) from None
    return model.eval(), generation


def training_ids(tokens: VqTokens, table: pd.DataFrame) -> NDArray[np.int64]:
    """The codes of the training images and of their mirror images, [2 N, L]."""
    ids = np.unique(table.loc[table["split"] == "train", "image_id"].to_numpy(np.int64))
    sides: Sequence[bool] = (False, True)
    return np.concatenate([tokens.batch(ids, np.full(len(ids), side)) for side in sides])
