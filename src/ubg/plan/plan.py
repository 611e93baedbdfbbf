"""The plan of a training run: counted, measured on a few samples, and scaled to the run."""

import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from ubg.data.batches.fields import Batch
from ubg.data.batches.samplers import samples_drawn_together
from ubg.params import Params, Training
from ubg.plan.count import (
    flops_per_sample,
    kept_bytes,
    parameters_by_part,
    tokens_by_stack,
)
from ubg.plan.random_run import RandomSystem, random_system
from ubg.plan.step import TrainingStep
from ubg.runtime.opening import read_json
from ubg.training.compile import compile_layers
from ubg.training.recompute import recompute_activations

REPORT = Path("data/prepared/report.json")
WARM_UP_STEPS, MEASURED_STEPS = 2, 3
SAMPLES_ON_CPU = 4


@dataclass(frozen=True)
class Plan:
    """What training a system will need.

    Bytes and FLOPs are of one process and its share of a batch.

    Attributes:
        system: its name.
        parameters: trained numbers by part.
        tokens: per sample by stack of layers, padding included.
        flops_per_step: of forward and backward pass, without what checkpointing computes again.
        weight_bytes, gradient_bytes, optimiser_bytes: exact.
        activation_bytes: kept for the backward pass, estimated from two small batches.
        measured_samples: size of the batch that was timed.
        peak_bytes: of the GPU's memory while it was timed; None on CPU.
        seconds_per_step: of the whole share, estimated from the one that was timed.
        steps_per_epoch: of the training split.
        epochs: of the run.
        notes: what was assumed.
    """

    system: str
    parameters: dict[str, int]
    tokens: dict[str, float]
    flops_per_step: float
    weight_bytes: int
    gradient_bytes: int
    optimiser_bytes: int
    activation_bytes: int
    measured_samples: int
    peak_bytes: int | None
    seconds_per_step: float
    steps_per_epoch: int
    epochs: int
    notes: list[str]

    @property
    def total_bytes(self) -> int:
        """Weights, gradients, optimiser state and activations."""
        fixed = self.weight_bytes + self.gradient_bytes + self.optimiser_bytes
        return fixed + self.activation_bytes

    @property
    def seconds_per_epoch(self) -> float:
        """Of training alone, without validation."""
        return self.seconds_per_step * self.steps_per_epoch


def training_set(params: Params, report: Path = REPORT) -> tuple[int, int, list[str]]:
    """Captions and identities of the training split, and what was assumed.

    As drawn, as published, or as prepared last.

    Args:
        params: of the run.
        report: of the preparation; read where no counts are published.

    Raises:
        ValueError: none of them is there.
    """
    data = params.data
    if data.synthpedes is not None:
        identities = data.synthpedes.train_identities
        return 2 * data.synthpedes.images_per_identity * identities, identities, []
    if not data.counts:
        return _as_prepared(params.dataset, report)
    version, counts = next(iter(data.counts.items()))
    captions, identities = counts["train"].captions, counts["train"].identities
    notes = [f"{data.title}: {version}"] if len(data.counts) > 1 else []
    if data.carve_val is not None:
        left = identities - data.carve_val.identities
        captions, identities = round(captions * left / identities), left
        notes.append(f"{data.title}: captions of the carved identities are assumed to be average")
    return captions, identities, notes


def _as_prepared(dataset: str, report: Path) -> tuple[int, int, list[str]]:
    if not report.exists():
        raise ValueError(
            f"dataset: how large {dataset!r} is was not published; prepare it first, as "
            "`dvc repro prepare_annotations` does"
        )
    try:
        train = read_json(report)["splits"]["train"]
        captions, identities = int(train["captions"]), int(train["identities"])
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(
            f"{report}: cannot be read ({reason}); make it with `dvc repro prepare_annotations`"
        ) from None
    return captions, identities, [f"{dataset}: as large as what was prepared last ({report})"]


def steps_per_epoch(training: Training, captions: int, identities: int) -> int:
    """Batches of an epoch, as the samplers count them."""
    if training.sampler == "random":
        return captions // training.batch_size
    return math.ceil(identities * samples_drawn_together(training) / training.batch_size)


def plan_system(
    name: str, params: Params, device: torch.device, samples: int | None = None
) -> Plan:
    """Plan the training of one system, with random weights and random data.

    Args:
        name: of the system.
        params: of the run.
        device: where to measure.
        samples: to measure with. None: on a GPU the whole batch, or as much of it as fits into
            memory; on CPU a few.

    Raises:
        ValueError: the sizes of a pretrained model or of the data set are not known.
    """
    captions, identities, set_notes = training_set(params)
    if params.labelled_identities is not None:
        captions = round(captions * params.labelled_identities / identities)
        identities = params.labelled_identities
    system = random_system(name, params, identities)
    training = system.task.training or params.preset.training
    step = TrainingStep(system, device)
    share = training.batch_size // params.launcher.processes
    few = min(SAMPLES_ON_CPU, share)
    batch = _on(device, system.batch(few))
    flops = flops_per_sample(step, batch)
    tokens = tokens_by_stack(step, batch)
    if training.gradient_checkpointing:
        recompute_activations(step.model)
    half = few // 2
    kept_half, kept_few = (kept_bytes(step, _on(device, system.batch(n))) for n in (half, few))
    kept_per_sample = (kept_few - kept_half) / (few - half)
    if training.compile:
        compile_layers(step.model)
    if samples is None:
        samples = share if device.type == "cuda" else few
    seconds, samples, peak = _time(system, step, samples, device)
    weight_bytes = sum(p.nbytes for p in step.model.parameters())
    return Plan(
        system=name,
        parameters=parameters_by_part(step.model),
        tokens=tokens,
        flops_per_step=flops * share,
        weight_bytes=weight_bytes,
        gradient_bytes=weight_bytes,
        optimiser_bytes=sum(
            value.nbytes
            for state in step.optimiser.state.values()
            for value in state.values()
            if isinstance(value, torch.Tensor)
        ),
        activation_bytes=round(kept_half + kept_per_sample * (share - half)),
        measured_samples=samples,
        peak_bytes=peak,
        seconds_per_step=seconds * share / samples,
        steps_per_epoch=steps_per_epoch(training, captions, identities),
        epochs=training.epochs,
        notes=set_notes + system.notes,
    )


def _time(
    system: RandomSystem, step: TrainingStep, samples: int, device: torch.device
) -> tuple[float, int, int | None]:
    """Seconds of the fastest step, its number of samples, and the peak GPU memory during the steps.

    If the batch does not fit into memory, it is halved.
    """
    try:
        batch = _on(device, system.batch(samples))
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        seconds = [_seconds(step, batch) for _ in range(WARM_UP_STEPS + MEASURED_STEPS)]
    except torch.OutOfMemoryError:
        if samples == 1:
            raise
        step.optimiser.zero_grad()
        torch.cuda.empty_cache()
        return _time(system, step, samples // 2, device)
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    return min(seconds[WARM_UP_STEPS:]), samples, peak


def _seconds(step: TrainingStep, batch: Batch) -> float:
    started = time.perf_counter()
    step(batch)
    if step.device.type == "cuda":
        torch.cuda.synchronize(step.device)
    return time.perf_counter() - started


def _on(device: torch.device, batch: Batch) -> Batch:
    return {name: values.to(device) for name, values in batch.items()}
