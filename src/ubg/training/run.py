"""One system trained from params and prepared data: what `stages/train.py` calls."""

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

import ubg
from ubg.cpu_products import fast_products
from ubg.data.captions import CLIP_FIELDS, T5_FIELDS, TokenisedCaptions
from ubg.data.image_pack import ImagePack
from ubg.data.loader import TrainingLoader
from ubg.data.prepare import load_prepared
from ubg.data.samplers import IdentitySampler, RandomSampler, Sampler
from ubg.data.tokenizers import clip_tokenizer, load_tokenizer
from ubg.distributed import from_main, is_main, process_group, rank, world_size
from ubg.files import file_fingerprint, fingerprint, replace_folder, write_json
from ubg.models.build import build_model
from ubg.models.contract import RetrievalModel
from ubg.params import Params, Scale, Training
from ubg.retrieval.encode import encode_split, make_split
from ubg.retrieval.metrics import retrieval_metrics
from ubg.training.checkpoint import checkpoint_folder
from ubg.training.curves import write_curves
from ubg.training.loop import train

if TYPE_CHECKING:
    from ubg.data.mlm import CaptionMasking

PREPARED, IMAGES, TOKENIZER = Path("data/prepared"), Path("data/images"), Path("models/tokenizer")


def train_system(system: str, params: Params) -> None:
    """Train `system`, resuming where an earlier call was stopped.

    Writes `models/<system>/` (weights of the best epoch by validation R@1 and of the last, the
    config and the tokenizer: all that `ubg.load` needs) and the learning curves in
    `plots/<system>/training/`; for phase 4 also what it trained beside, `models/phase4_generator/`.
    Processes that were launched together share every batch, and the main one writes.
    """
    with process_group():
        _train_system(system, params)


def _train_system(system: str, params: Params) -> None:
    scale = params.model
    pack = ImagePack(IMAGES)
    table = pack.rows_present(load_prepared(PREPARED))
    rows = table[table["split"] == "train"].reset_index(drop=True)
    tokenizer = _tokenizer(system, scale)

    max_tokens = scale.tokenizer.max_tokens
    fields = CLIP_FIELDS if system == "irra" else T5_FIELDS
    captions = TokenisedCaptions(tokenizer, rows["caption"].tolist(), max_tokens, fields)
    masking = _masking(system, scale, tokenizer, captions, params.seed)

    torch.manual_seed(params.seed)
    model = build_model(
        system,
        scale,
        len(tokenizer),
        identities=rows["pid"].nunique(),
        guessed=masking.guessed if masking else None,
    )
    assert model.caption_fields == fields
    branch = None
    if system == "phase4" and params.generation.enable_gen:
        from ubg.generation.branch import add_branch
        from ubg.models.phase3 import SharedEncoderModel

        assert isinstance(model, SharedEncoderModel)
        branch = add_branch(model, params, pack, table, tokenizer)
        model = branch.model
    loader = TrainingLoader(
        table=rows,
        pack=pack,
        captions=captions,
        sampler=_sampler(rows, scale.training, params.seed),
        augmentation=scale.augmentation,
        mean=model.normalisation.mean,
        std=model.normalisation.std,
        seed=params.seed,
        generation=branch.targets if branch else None,
        masking=masking,
    )
    validation = make_split(table, "val", tokenizer, max_tokens, fields)

    def validate(model: RetrievalModel) -> dict[str, float]:
        features = encode_split(model, validation, pack, scale.evaluation.batch_size, quiet=True)
        metrics = from_main(
            lambda: retrieval_metrics(
                features.text_QD, features.image_GD, validation.text_pids, validation.image_pids
            )
        )
        return {"r1": metrics["r1"], **(branch.validate() if branch else {})}

    def loss_weights(epochs: float) -> dict[str, float]:
        return scale.loss_weights(system) | (branch.loss_weights(epochs) if branch else {})

    identity = _identity(system, params, pack, branch.fingerprint if branch else "")
    folder = checkpoint_folder(system, identity)
    folder.mkdir(parents=True, exist_ok=True)
    if is_main():
        count = sum(parameter.numel() for parameter in model.parameters())
        size = f"{count:,} parameters, {len(rows):,} captions, {len(loader)} batches an epoch"
        print(f"{system}: {size}{f', {world_size()} processes' if world_size() > 1 else ''}")
        print(f"checkpoints in {folder}, results in models/{system} and plots/{system}/training")
    with fast_products(scale.training.precision):
        progress = train(
            model,
            loader,
            loss_weights,
            validate,
            on_epoch=lambda history: write_curves(history, folder / "curves"),
            training=scale.training,
            optimisation=scale.optimiser,
            seed=params.seed,
            folder=folder,
        )
    if not is_main():
        return

    with replace_folder(Path("plots") / system / "training") as output:
        shutil.copytree(folder / "curves", output, dirs_exist_ok=True)
    with replace_folder(Path("models") / system) as output:
        shutil.copy(folder / "best" / "model.safetensors", output / "model.safetensors")
        shutil.copy(folder / "last" / "model.safetensors", output / "last.safetensors")
        tokenizer.save_pretrained(output / "tokenizer")
        write_json(
            output / "config.json",
            {
                "system": system,
                "vocab_size": len(tokenizer),
                "best_epoch": progress.best_epoch,
                "params": scale.model_dump(mode="json"),
                "towers": model.tower_configs(),
            },
        )
    if system == "phase4":
        from ubg.generation.branch import write_generator

        write_generator(branch, params, folder / "best")
    shutil.rmtree(folder)


def _tokenizer(system: str, scale: Scale) -> Any:
    if system == "irra":
        return clip_tokenizer(scale.towers.clip_text.pretrained)
    return load_tokenizer(TOKENIZER)


def _sampler(rows: pd.DataFrame, training: Training, seed: int) -> Sampler:
    """This process's share of every batch."""
    share = world_size() * (training.images_per_identity or 1)
    if training.batch_size % share:
        raise ValueError(
            f"training.batch_size: {training.batch_size} cannot be shared by {world_size()} "
            f"processes; make it a multiple of {share}, or change launcher.processes"
        )
    own_size = training.batch_size // world_size()
    if training.images_per_identity is None:
        return RandomSampler(len(rows), own_size, seed, rank(), world_size())
    return IdentitySampler(
        rows["pid"].to_numpy(),
        rows["image_id"].to_numpy(),
        own_size,
        training.images_per_identity,
        seed,
        rank(),
        world_size(),
    )


def _masking(
    system: str, scale: Scale, tokenizer: Any, captions: TokenisedCaptions, seed: int
) -> "CaptionMasking | None":
    if system != "irra" or scale.irra.losses.mlm is None:
        return None
    from ubg.data.mlm import caption_masking

    seen_ids = captions.distinct_ids() if scale.irra.guess_among == "seen" else None
    return caption_masking(tokenizer, scale.irra.mask_ratio, seed, seen_ids)


def _identity(system: str, params: Params, pack: ImagePack, branch: str) -> str:
    """A fingerprint of all that decides the result: params, code and data."""
    package = Path(ubg.__file__).parent
    code = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        code.update(path.read_bytes())
    # CLIP's tokenizer is what the params name.
    tokenizer_files = [] if system == "irra" else sorted(TOKENIZER.iterdir())
    return fingerprint(
        params.seed,
        params.model.model_dump(mode="json"),
        world_size(),
        code.hexdigest(),
        torch.__version__,
        pack.fingerprint,
        file_fingerprint(PREPARED / "annotations.csv"),
        [file_fingerprint(path) for path in tokenizer_files],
        branch,
    )
