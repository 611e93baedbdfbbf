"""One system trained from params and prepared data: what `stages/train.py` calls."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ubg.data.batches.augment import Augmenter
from ubg.data.batches.loader import TrainingLoader
from ubg.data.batches.samplers import Share, make_sampler
from ubg.data.images.image_pack import IMAGES, ImagePack
from ubg.data.prepared import PREPARED, load_prepared, require_searchable
from ubg.params import Params
from ubg.retrieval.contract import RetrievalModel
from ubg.retrieval.encode import encode_split, make_split
from ubg.retrieval.metrics import retrieval_metrics
from ubg.runtime.checkpoint import checkpoint_folder, checkpoints
from ubg.runtime.cpu_products import fast_products
from ubg.runtime.distributed import from_main, is_main, process_group, rank, world_size
from ubg.runtime.files import (
    file_fingerprint,
    fingerprint,
    replace_folder,
    require_space,
    write_json,
)
from ubg.runtime.pipeline import declared_inputs
from ubg.training.curves import write_curves
from ubg.training.initial_weights import load_initial_weights
from ubg.training.labelled import with_labels
from ubg.training.loop import Hooks, Progress, Recipe, train
from ubg.training.task import Run, Task

if TYPE_CHECKING:
    from ubg.systems.contract import System


def train_system(name: str, system: "System", params: Params) -> None:
    """Train a system, resuming where an earlier call was stopped.

    Writes `models/<name>/` (weights of the best epoch on validation and of the last, the config
    and the tokenizer: all that `ubg.load` needs) and the learning curves in
    `plots/<name>/training/`; and what the system trained beside its model. Processes that were
    launched together share every batch, and the main one writes.

    Raises:
        ValueError: the params or the data do not fit.
    """
    with process_group():
        _train_system(name, system, params)


def _train_system(name: str, system: "System", params: Params) -> None:
    preset = params.preset
    pack = ImagePack(IMAGES)
    table = with_labels(pack.rows_present(load_prepared(PREPARED)), params.labelled_identities)
    run = Run(params, table, pack)
    for split in ("val", "test"):
        require_searchable(run.table, split, str(PREPARED / "annotations.csv"))
    torch.manual_seed(params.seed)
    task = system.task(run)
    model, training = task.model, task.training or preset.training
    inputs = list(task.inputs)
    if params.initial_weights is not None:
        inputs.append(Path(params.initial_weights))
        told = load_initial_weights(task, inputs[-1])
        if is_main():
            print("\n".join(told))
    loader = TrainingLoader(
        run.training_rows,
        pack,
        make_sampler(run.training_rows, training, params.seed, Share(rank(), world_size())),
        task.fields,
        Augmenter(preset.augmentation, model.normalisation, params.seed),
    )
    validation = make_split(
        run.table, "val", task.tokenizer, preset.tokenizer.max_tokens, model.caption_fields
    )

    def validate(model: RetrievalModel) -> dict[str, float]:
        batch_size = training.validation_batch_size
        features = encode_split(model, validation, pack, batch_size, quiet=True)
        metrics = from_main(
            lambda: retrieval_metrics(
                features.text_QD, features.image_GD, validation.text_pids, validation.image_pids
            )
        )
        return {"r1": metrics["r1"], **task.validate(validation, features)}

    if is_main():
        _require_space(name, model)
    decided_by = from_main(lambda: _fingerprint(name, params, pack, inputs))
    with checkpoint_folder(name, decided_by) as folder:
        if is_main():
            count = sum(parameter.numel() for parameter in model.parameters())
            size = f"{count:,} parameters, {len(run.training_rows):,} captions"
            together = f", {world_size()} processes" if world_size() > 1 else ""
            print(f"{name}: {size}, {len(loader)} batches an epoch{together}")
            print(f"checkpoints in {folder}, results in models/{name} and plots/{name}/training")
        hooks = Hooks(
            task.loss_weights,
            validate,
            lambda history: write_curves(history, folder / "curves"),
            task.selected_by,
            task.reported,
        )
        recipe = Recipe(training, task.optimiser, params.seed)
        with fast_products(training.precision):
            progress = train(model, loader, hooks, recipe, folder)
        if is_main():
            _write_results(name, task, progress, folder)


def _require_space(name: str, model: RetrievalModel) -> None:
    """Refuse a training whose checkpoints or results would find no room, before days of it."""
    weights = 4 * sum(parameter.numel() for parameter in model.parameters())
    # A checkpoint has the weights and two moments of each; the next one is written beside it. Then
    # there are the best and the last weights.
    require_space(checkpoints() / name, (2 * 3 + 2) * weights)
    require_space(Path("models") / name, 2 * weights)
    require_space(Path("plots") / name, 0)


def _fingerprint(name: str, params: Params, pack: ImagePack, inputs: Sequence[Path]) -> str:
    """Changes with all that decides the result: declared params and code, data, processes."""
    files = [file for path in inputs for file in sorted([path, *path.rglob("*")]) if file.is_file()]
    return fingerprint(
        declared_inputs(f"train_{name}", params),
        world_size(),
        torch.__version__,
        pack.fingerprint,
        file_fingerprint(PREPARED / "annotations.csv"),
        [file_fingerprint(file) for file in files],
    )


def _write_results(name: str, task: Task, progress: Progress, folder: Path) -> None:
    """Write the results of a finished training run, all of them before another run does so."""
    with replace_folder(Path("plots") / name / "training") as plots:
        shutil.copytree(folder / "curves", plots, dirs_exist_ok=True)
        with replace_folder(Path("models") / name) as output:
            shutil.copy(folder / "best" / "model.safetensors", output / "model.safetensors")
            shutil.copy(folder / "last" / "model.safetensors", output / "last.safetensors")
            task.tokenizer.save_pretrained(output / "tokenizer")
            write_json(
                output / "config.json",
                {
                    "system": name,
                    "vocab_size": len(task.tokenizer),
                    "best_epoch": progress.best_epoch,
                    "network": task.network.model_dump(mode="json"),
                    "towers": task.model.tower_configs(),
                },
            )
        task.write_parts(folder / "best")
