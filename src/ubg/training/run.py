"""One system trained from params and prepared data: what `stages/train.py` calls."""

import hashlib
import shutil
from pathlib import Path

import torch

import ubg
from ubg.data.captions import TokenisedCaptions
from ubg.data.image_pack import ImagePack
from ubg.data.loader import TrainingLoader
from ubg.data.prepare import load_prepared
from ubg.data.samplers import RandomSampler
from ubg.data.tokenizers import load_tokenizer
from ubg.files import file_fingerprint, fingerprint, replace_folder, write_json
from ubg.models.build import build_model
from ubg.models.contract import RetrievalModel
from ubg.params import Params
from ubg.retrieval.encode import encode_split, make_split
from ubg.retrieval.metrics import retrieval_metrics
from ubg.training.checkpoint import checkpoint_folder
from ubg.training.curves import write_curves
from ubg.training.loop import train

PREPARED, IMAGES, TOKENIZER = Path("data/prepared"), Path("data/images"), Path("models/tokenizer")


def train_system(system: str, params: Params) -> None:
    """Train `system`, resuming where an earlier call was stopped.

    Writes `models/<system>/` (weights of the best epoch by validation R@1 and of the last, the
    config and the tokenizer: all that `ubg.load` needs) and the learning curves in
    `plots/<system>/training/`; for phase 4 also what it trained beside, `models/phase4_generator/`.
    """
    scale = params.model
    table = load_prepared(PREPARED)
    pack = ImagePack(IMAGES)
    table = table[table["image_id"].isin(pack.image_ids)]
    rows = table[table["split"] == "train"].reset_index(drop=True)
    tokenizer = load_tokenizer(TOKENIZER)
    captions = TokenisedCaptions(tokenizer, rows["caption"].tolist(), scale.tokenizer.max_tokens)

    torch.manual_seed(params.seed)
    model = build_model(system, scale, len(tokenizer))
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
        sampler=RandomSampler(len(rows), scale.training.batch_size, params.seed),
        augmentation=scale.augmentation,
        mean=model.normalisation.mean,
        std=model.normalisation.std,
        seed=params.seed,
        generation=branch.targets if branch else None,
    )
    validation = make_split(table, "val", tokenizer, scale.tokenizer.max_tokens)

    def validate(model: RetrievalModel) -> dict[str, float]:
        features = encode_split(model, validation, pack, scale.evaluation.batch_size, quiet=True)
        metrics = retrieval_metrics(
            features.text_QD, features.image_GD, validation.text_pids, validation.image_pids
        )
        return {"r1": metrics["r1"], **(branch.validate() if branch else {})}

    def loss_weights(epochs: float) -> dict[str, float]:
        return scale.losses.weights() | (branch.loss_weights(epochs) if branch else {})

    identity = _identity(params, pack, branch.fingerprint if branch else "")
    folder = checkpoint_folder(system, identity)
    folder.mkdir(parents=True, exist_ok=True)
    count = sum(parameter.numel() for parameter in model.parameters())
    print(f"{system}: {count:,} parameters, {len(rows):,} captions, {len(loader)} batches an epoch")
    print(f"checkpoints in {folder}, results in models/{system} and plots/{system}/training")
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


def _identity(params: Params, pack: ImagePack, branch: str) -> str:
    """A fingerprint of all that decides the result: params, code and data."""
    package = Path(ubg.__file__).parent
    code = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        code.update(path.read_bytes())
    return fingerprint(
        params.seed,
        params.model.model_dump(mode="json"),
        code.hexdigest(),
        torch.__version__,
        pack.fingerprint,
        file_fingerprint(PREPARED / "annotations.csv"),
        sorted(file_fingerprint(path) for path in TOKENIZER.iterdir()),
        branch,
    )
