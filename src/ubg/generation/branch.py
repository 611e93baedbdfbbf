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

from ubg.data.captions import TokenisedCaptions
from ubg.data.image_pack import ImagePack
from ubg.data.vq_tokens import VqTokens
from ubg.files import file_fingerprint, fingerprint, replace_folder, write_json
from ubg.generation.measure import HeldOut, captions_of_others, own_captions, score
from ubg.generation.targets import GenerationTargets
from ubg.models.phase3 import SharedEncoderModel
from ubg.models.phase4 import GenerativeModel, add_generator
from ubg.models.vqgan.folder import vqgan_fingerprint
from ubg.params import Generation, Params, Scale

VQ_TOKENS, VQGAN, GENERATOR = (
    Path("data/vq_tokens.h5"),
    Path("models/vqgan"),
    Path("models/phase4_generator"),
)


@dataclass(frozen=True)
class Branch:
    """The generative branch of a training run.

    Attributes:
        model: phase 3 with the branch.
        targets: of the training samples.
        held_out: the validation split.
        params: of the run.
        fingerprint: of the codes.
    """

    model: GenerativeModel
    targets: GenerationTargets
    held_out: HeldOut
    params: Params
    fingerprint: str

    def loss_weights(self, epochs: float) -> dict[str, float]:
        """The weight of `gen_loss` after so many epochs."""
        warmup = self.params.generation.warmup_epochs
        risen = min(1.0, epochs / warmup) if warmup > 0 else 1.0
        return {"gen_loss": self.params.gen_weight * risen}

    def validate(self) -> dict[str, float]:
        """CE and accuracy on validation, and what a caption of another identity costs, nats."""
        table, batch_size = self.held_out.table, self.params.model.evaluation.batch_size
        true = score(self.model, self.held_out, own_captions(table), batch_size)
        shuffled = score(self.model, self.held_out, captions_of_others(table), batch_size)
        return {
            "gen_ce": float(true.ce_P.mean()),
            "gen_accuracy": 100 * float(true.correct_P.mean()),
            "shuffled_caption_gap": float((shuffled.ce_P - true.ce_P).mean()),
        }


def add_branch(
    retrieval: SharedEncoderModel,
    params: Params,
    pack: ImagePack,
    table: pd.DataFrame,
    tokenizer: Any,
) -> Branch:
    """The branch beside `retrieval`, whose weights stay as they are.

    Args:
        retrieval: what phase 3 builds.
        params: of the run.
        pack: all images.
        table: all annotations whose image is in the pack.
        tokenizer: of the captions.

    Raises:
        ValueError: the VQ codes are missing, damaged, or made of something else.
    """
    tokens = open_tokens(pack)
    generation, grid = params.generation, retrieval.vision.grid
    model = add_generator(
        retrieval, params.model, generation, tokens.codes, tokens.grid[0] * tokens.grid[1]
    )
    return Branch(
        model=model,
        targets=GenerationTargets(tokens, grid, generation, params.seed),
        # One caption of every image: this is measured after every epoch.
        held_out=hold_out(table.drop_duplicates("image_id"), pack, tokens, grid, params, tokenizer),
        params=params,
        fingerprint=fingerprint(
            params.gen_weight,
            params.generation.model_dump(mode="json"),
            file_fingerprint(VQ_TOKENS),
        ),
    )


def open_tokens(pack: ImagePack) -> VqTokens:
    """The codes of the images in `pack`, by the VQGAN in use.

    Raises:
        ValueError: they are missing, damaged, or made of something else.
    """
    tokens = VqTokens(VQ_TOKENS)
    tokens.check_matches(vqgan_fingerprint(VQGAN), pack.fingerprint, pack.height, pack.width)
    return tokens


def hold_out(
    table: pd.DataFrame,
    pack: ImagePack,
    tokens: VqTokens,
    patch_grid: tuple[int, int],
    params: Params,
    tokenizer: Any,
) -> HeldOut:
    """The validation split: every caption shown, no code revealed, masks the same for all seeds."""
    rows = table[table["split"] == "val"].reset_index(drop=True)
    captions = TokenisedCaptions(
        tokenizer, rows["caption"].tolist(), params.model.tokenizer.max_tokens
    )
    shown = params.generation.model_copy(update={"reveal": 0.0, "text_dropout": 0.0})
    return HeldOut(rows, captions, pack, GenerationTargets(tokens, patch_grid, shown, seed=0))


def write_generator(branch: Branch | None, params: Params, weights: Path) -> None:
    """Write `models/phase4_generator/`, which evaluation reads and retrieval never needs.

    Args:
        branch: None where the branch was off; then only the config is written.
        params: of the run.
        weights: folder with the weights of the best epoch.
    """
    with replace_folder(GENERATOR) as output:
        config: dict[str, Any] = {"generation": params.generation.model_dump(mode="json")}
        if branch is not None:
            tokens = branch.targets.tokens
            config |= {"codes": tokens.codes, "length": tokens.grid[0] * tokens.grid[1]}
            shutil.copy(weights / "generator.safetensors", output)
        write_json(output / "config.json", config)


def load_generative(
    retrieval: SharedEncoderModel, scale: Scale
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
        model = add_generator(retrieval, scale, generation, config["codes"], config["length"])
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
