"""A plan as a table to read."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import torch

from ubg.params import Params
from ubg.plan.plan import Plan

GIB = 2**30


def plan_lines(plans: Sequence[Plan], params: Params, device: torch.device) -> list[str]:
    """The lines of the table: a column per system, a row per quantity."""
    training, image = params.preset.training, params.preset.image
    options = [
        name
        for name, on in (
            ("checkpointed activations", training.gradient_checkpointing),
            ("compiled", training.compile),
        )
        if on
    ]
    heading = [
        f"dataset {params.dataset}, scale {params.scale}: {image.height}x{image.width}, batches of "
        f"{training.batch_size} in {params.launcher.processes} process(es), "
        f"{', '.join([training.precision, *options])}",
        "random weights on noise; captions as long as those of CUHK-PEDES, of every word that the "
        "tokenizer knows",
        f"measured on {_device(device)}",
        "",
    ]
    rows: list[tuple[str, list[str]]] = [("", [plan.system for plan in plans])]

    def add(label: str, value: Callable[[Plan], str]) -> None:
        rows.append((label, [value(plan) for plan in plans]))

    add("parameters, millions", lambda p: f"{sum(p.parameters.values()) / 1e6:.1f}")
    for part in _union(plan.parameters for plan in plans):
        add(f"  {part}", partial(_part_of_millions, part))
    add("tokens of a sample, padding included", lambda p: "")
    for stack in _union(plan.tokens for plan in plans):
        add(f"  {stack}", partial(_tokens_of, stack))
    add("a step of one process, TFLOPs", lambda p: f"{p.flops_per_step / 1e12:.3f}")
    add("memory, GiB (estimate)", lambda p: f"{p.total_bytes / GIB:.2f}")
    add("  weights", lambda p: f"{p.weight_bytes / GIB:.2f}")
    add("  gradients", lambda p: f"{p.gradient_bytes / GIB:.2f}")
    add("  optimiser", lambda p: f"{p.optimiser_bytes / GIB:.2f}")
    add("  activations (estimate)", lambda p: f"{p.activation_bytes / GIB:.2f}")
    if device.type == "cuda":
        add("  peak (measured)", lambda p: f"{(p.peak_bytes or 0) / GIB:.2f}")
    add("measured with samples", lambda p: str(p.measured_samples))
    add("a step, seconds (estimate)", lambda p: f"{p.seconds_per_step:.3f}")
    add("TFLOP/s reached", lambda p: f"{p.flops_per_step / p.seconds_per_step / 1e12:.2f}")
    add("steps of an epoch", lambda p: f"{p.steps_per_epoch:,}")
    add("an epoch (estimate)", lambda p: _duration(p.seconds_per_epoch))
    add("epochs", lambda p: str(p.epochs))
    add("the run (estimate)", lambda p: _duration(p.seconds_per_epoch * p.epochs))

    widths = [max(len(label) for label, _ in rows)] + [
        max(len(cells[column]) for _, cells in rows) for column in range(len(plans))
    ]
    table = [
        "  ".join(
            [label.ljust(widths[0]), *(c.rjust(w) for c, w in zip(cells, widths[1:], strict=True))]
        ).rstrip()
        for label, cells in rows
    ]
    notes = list(dict.fromkeys(note for plan in plans for note in plan.notes))
    return [
        *heading,
        *table,
        "",
        "Estimates: activations and time are scaled from the samples measured to the batch.",
        "It needs some GiB more than the sum; validation comes on top of the time.",
        *notes,
    ]


def _union(mappings: Iterable[Mapping[str, float]]) -> list[str]:
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))


def _part_of_millions(part: str, plan: Plan) -> str:
    return f"{plan.parameters[part] / 1e6:.2f}" if part in plan.parameters else "-"


def _tokens_of(stack: str, plan: Plan) -> str:
    return f"{plan.tokens[stack]:.0f}" if stack in plan.tokens else "-"


def _device(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' * (threads > 1)}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
