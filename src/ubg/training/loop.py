"""The one training loop. It knows of a model only that `losses = model(batch)`."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from torch import Tensor, nn
from tqdm import tqdm

from ubg.data.batches.loader import TrainingLoader
from ubg.params import Optimiser, Training
from ubg.retrieval.contract import RetrievalModel
from ubg.runtime.checkpoint import load_state, save_state, save_weights
from ubg.runtime.distributed import is_main, rank
from ubg.runtime.progress import progress_bar
from ubg.training.compile import compile_layers
from ubg.training.optimiser import build_optimiser, set_learning_rates
from ubg.training.recompute import recompute_activations
from ubg.training.schedule import Schedule


@dataclass
class Progress:
    """Where a run stands: `step` batches into `epoch`, both from 0, and what it has seen."""

    epoch: int = 0
    step: int = 0
    best_epoch: int = -1
    best_value: float = -1.0
    loss_sums: dict[str, Tensor] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Attributes:
        training: epochs, precision, accumulation, time between checkpoints.
        optimiser: learning rates and schedule.
        seed: seeds dropout, apart from that of the other processes.
    """

    training: Training
    optimiser: Optimiser
    seed: int


@dataclass(frozen=True)
class Hooks:
    """Callbacks of the loop.

    Attributes:
        loss_weights: the weight of each loss, `{"sdm_loss": 1.0}`, at a time counted in epochs.
        validate: returns the metrics after every epoch, in percent.
        on_epoch: called after every epoch with the records of all finished epochs.
        selected_by: the metric; the weights with its best value are kept (those of the first epoch
            among equals).
        reported: goes into the record of an epoch, counted from 0.
    """

    loss_weights: Callable[[float], dict[str, float]]
    validate: Callable[[RetrievalModel], dict[str, float]]
    on_epoch: Callable[[list[dict[str, float]]], None]
    selected_by: str = "r1"
    reported: Callable[[int], dict[str, float]] = lambda epoch: {}


def train(
    model: RetrievalModel, loader: TrainingLoader, hooks: Hooks, recipe: Recipe, folder: Path
) -> Progress:
    """Train `model`, leaving `best/` and `last/` in `folder`, a file of weights per saved part.

    If it is killed at any moment and called again with the same arguments, it resumes from the last
    checkpoint in `folder`. On CPU the weights are then bit-identical to those of an uninterrupted
    run, because every random draw is a function of the seed and the position in the run.

    Several processes call it together, each with its share of every batch; the main one writes.

    Args:
        model: maps a batch to a dictionary of unweighted losses, those of all processes' samples.
        loader: `loader.epoch(epoch, start_step)` yields batches, `len(loader)` of them an epoch.
        hooks: weights of the losses, validation, and who is told.
        recipe: how to train.
        folder: where checkpoints and weights go.

    Raises:
        ValueError: a loss has no weight or a weight no loss, or a loss is not finite.
    """
    training = recipe.training
    accelerator = Accelerator(
        mixed_precision="bf16" if training.precision == "bf16" else "no",
        kwargs_handlers=[DistributedDataParallelKwargs(gradient_as_bucket_view=True)],
    )
    optimiser = build_optimiser(model, recipe.optimiser)
    progress = _resume(folder / "state.pt", model, optimiser)
    if training.gradient_checkpointing:
        recompute_activations(model)
    if training.compile:
        compile_layers(model)
    wrapped, optimiser = accelerator.prepare(model, optimiser)

    group_size = training.accumulate
    updates_per_epoch = -(-len(loader) // group_size)
    schedule = Schedule.of(recipe.optimiser, training.epochs, updates_per_epoch)
    bar = progress_bar(
        "training",
        total=training.epochs * len(loader),
        initial=progress.epoch * len(loader) + progress.step,
        unit="batch",
        disable=not is_main(),
    )
    if group_size > 1:
        _tell(
            f"adding up the gradients of {group_size} batches; this does not enlarge the set of "
            f"negatives: each batch contrasts its own {training.batch_size} pairs"
        )

    for epoch in range(progress.epoch, training.epochs):
        wrapped.train()
        saved_at = time.monotonic()
        for batch in loader.epoch(epoch, start_step=progress.step):
            position = recipe.seed * 1_000_003 + epoch * len(loader) + progress.step
            torch.manual_seed(position + (rank() << 52))
            batch = {name: value.to(accelerator.device) for name, value in batch.items()}
            updates = (progress.step + 1) % group_size == 0 or progress.step + 1 == len(loader)
            with nullcontext() if updates else accelerator.no_sync(wrapped):
                with accelerator.autocast():
                    losses = wrapped(batch)
                weights = hooks.loss_weights(epoch + progress.step / len(loader))
                accelerator.backward(weighted_sum(losses, weights) / group_size)
            for name, value in losses.items():
                progress.loss_sums[name] = progress.loss_sums.get(name, 0) + value.detach().double()
            progress.step += 1

            if updates:
                update = epoch * updates_per_epoch + (progress.step - 1) // group_size
                set_learning_rates(optimiser, schedule.factor(update))
                if recipe.optimiser.clip_norm is not None:
                    accelerator.clip_grad_norm_(wrapped.parameters(), recipe.optimiser.clip_norm)
                optimiser.step()
                optimiser.zero_grad()
                if is_main() and time.monotonic() - saved_at > training.checkpoint_seconds:
                    save_state(folder / "state.pt", model, optimiser, asdict(progress))
                    saved_at = time.monotonic()

            if progress.step % 10 == 0:
                bar.set_postfix(_mean_losses(progress), refresh=False)
            bar.update()

        means = _mean_losses(progress)
        if not all(torch.isfinite(torch.tensor(list(means.values())))):
            raise ValueError(f"epoch {epoch + 1}: the loss is not finite ({means}); lower the lr")
        measured = hooks.validate(model.eval())
        last_factor = schedule.factor((epoch + 1) * updates_per_epoch - 1)
        progress.history.append(
            {"epoch": epoch + 1, **means, "lr_factor": last_factor}
            | hooks.reported(epoch)
            | {f"val_{name}": value for name, value in measured.items()}
        )
        _tell(f"epoch {epoch + 1}/{training.epochs}: validation {_shown(measured)}")
        if measured[hooks.selected_by] > progress.best_value:
            progress.best_value, progress.best_epoch = measured[hooks.selected_by], epoch + 1
            if is_main():
                _save_parts(folder / "best", model)
        progress.epoch, progress.step, progress.loss_sums = epoch + 1, 0, {}
        if is_main():
            hooks.on_epoch(progress.history)
            save_state(folder / "state.pt", model, optimiser, asdict(progress))
    bar.close()
    if is_main():
        _save_parts(folder / "last", model)
    return progress


def weighted_sum(losses: dict[str, Tensor], weights: dict[str, float]) -> Tensor:
    """The objective: every loss times its weight.

    Raises:
        ValueError: a loss without a weight, or a weight without a loss.
    """
    if losses.keys() != weights.keys():
        raise ValueError(
            f"the model returns the losses {sorted(losses)}, "
            f"the params give weights for {sorted(weights)}; they must be the same"
        )
    return torch.stack([losses[name] * weights[name] for name in losses]).sum()


def _save_parts(folder: Path, model: RetrievalModel) -> None:
    folder.mkdir(exist_ok=True)
    for name, part in model.saved_parts().items():
        save_weights(folder / f"{name}.safetensors", part)


def _tell(line: str) -> None:
    if is_main():
        tqdm.write(line)


def _shown(values: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.2f}" for name, value in values.items())


def _mean_losses(progress: Progress) -> dict[str, float]:
    return {name: total.item() / progress.step for name, total in progress.loss_sums.items()}


def _resume(path: Path, model: nn.Module, optimiser: torch.optim.Optimizer) -> Progress:
    state = load_state(path)
    if state is None:
        return Progress()
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    progress = Progress(**state["progress"])
    _tell(f"resuming from {path}: epoch {progress.epoch + 1}, batch {progress.step}")
    return progress
