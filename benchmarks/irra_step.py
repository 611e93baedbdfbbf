"""A training step of irra beside a plain conventional implementation of the same mathematics.

ViT-B/16 and its text transformer at 384x128 with random weights, which both sides share; the plain
side is `plain/irra.py`. Captions are as long as those of CUHK-PEDES (23.5 words on average). Two
forms: the contrastive losses see the clean caption (two passes through the text tower, the second
for the masked caption), or the masked one (one pass; the plain side runs two, as the published code
does). Checked: the losses equal to 1e-4 in float32. Measured: seconds of a step, and by how much a
step raises the peak of the memory, each in a process of its own.

    python benchmarks/irra_step.py [--batch 8] [--rounds 3] [--tiny] [--levers]
"""

import argparse
import json
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from plain import sizes
from plain.irra import Levers, PlainIrra, plain_optimiser

from ubg.data.batches.fields import Batch
from ubg.params import Params, load_params
from ubg.plan.random_run import random_system
from ubg.plan.step import TrainingStep
from ubg.runtime.cpu_products import fast_products
from ubg.training.compile import compile_layers

IDENTITIES = 11_003  # CUHK-PEDES
MAX_TOKENS = 77
PLAIN = {
    "plain": Levers(),
    "plain, captions trimmed": Levers(trim=True),
    "plain, one text pass": Levers(one_pass=True),
    "plain, masked scores only": Levers(masked_only=True),
    "plain, fused Adam, few groups": Levers(few_groups=True),
    "plain, SDPA": Levers(sdpa=True),
    "plain, batch first": Levers(batch_first=True),
    "plain, lean QuickGELU": Levers(lean_gelu=True),
    "plain, products by oneDNN": Levers(products=True),
    "plain, bf16": Levers(bf16=True),
}
OURS = ("ours", "ours, bf16", "ours, compiled")
CPU = torch.device("cpu")
AT_ONCE = 4  # levers beside "plain": each holds 3 GiB of weights, gradients and moments


def params_of(form: str, batch_size: int, tiny: bool, bf16: bool = False) -> Params:
    """The base preset with towers of known sizes; `form` is "clean" or "masked"."""
    params = load_params()
    scale = params.preset
    vision, text, image, dim = sizes.VISION, sizes.CLIP_TEXT, sizes.image(384, 128), 512
    if tiny:
        vision, text = sizes.TINY_VISION, sizes.TINY_CLIP_TEXT
        image, dim = sizes.image(64, 32), 64
    towers = {"clip": vision, "clip_text": text, "attention": "sdpa"}
    losses = sizes.BASE.irra.losses
    irra = {
        "losses": losses,
        "contrast_on": form,
        "interaction_layers": 4,
        "interaction_heads": dim // 64,
        "soft_labels": None,
        "learn_temperature": False,
        "guess_among": "all",
        "temperature": 0.02,
        "head_activation": "gelu",
        "optimiser": sizes.BASE.irra.optimiser,
    }
    training = {"batch_size": batch_size, "precision": "bf16" if bf16 else "fp32"}
    optimiser = {"name": "adam", "lr": 1e-5, "weight_decay": 4e-5}
    updates = {
        "image": image,
        "tokenizer": scale.tokenizer.model_copy(update={"max_tokens": MAX_TOKENS}),
        "towers": scale.towers.model_copy(update=towers),
        "embedding_dim": dim,
        "irra": scale.irra.model_copy(update=irra),
        "training": scale.training.model_copy(update=training),
        "optimiser": scale.optimiser.model_copy(update=optimiser),
    }
    return params.model_copy(update={"preset": scale.model_copy(update=updates)})


class Side:
    """One of the implementations, ready to take steps; the weights are the same in all."""

    def __init__(self, name: str, form: str, batch_size: int, tiny: bool):
        ours = name in OURS
        levers = Levers(bf16=name == "ours, bf16") if ours else PLAIN[name]
        params = params_of(form, batch_size, tiny, levers.bf16)
        self.products = ours or levers.products
        system = random_system("irra", params, IDENTITIES)
        self.batch = system.batch(batch_size)
        if ours:
            self.step = TrainingStep(system, CPU)
            if name == "ours, compiled":
                compile_layers(self.step.model)
            return
        if form == "masked":  # both passes see the same tokens
            self.batch["caption_ids"] = self.batch["mlm_ids"]
        if not levers.trim:
            self.batch = pad_captions(self.batch)
        self.step = PlainStep(system, levers)

    def losses(self) -> dict[str, float]:
        with torch.no_grad(), fast_products() if self.products else nullcontext():
            return {name: loss.item() for name, loss in self.step.model(self.batch).items()}

    def seconds(self) -> float:
        started = time.perf_counter()
        self.step(self.batch)
        return time.perf_counter() - started


class PlainStep:
    def __init__(self, system, levers: Levers):
        self.model = PlainIrra(system.task.model, levers).train()
        self.optimiser = plain_optimiser(self.model, system.task.optimiser, levers.few_groups)
        self.levers = levers

    def __call__(self, batch: Batch) -> None:
        with fast_products() if self.levers.products else nullcontext():
            with torch.autocast("cpu", torch.bfloat16, enabled=self.levers.bf16):
                losses = self.model(batch)
            sum(losses.values()).backward()
        self.optimiser.step()
        self.optimiser.zero_grad()


def pad_captions(batch: Batch) -> Batch:
    fill = {"caption_ids": 0, "caption_attn_mask": 0, "mlm_ids": 0, "mlm_labels": -100}
    room = MAX_TOKENS - batch["caption_ids"].shape[1]
    padded = {
        name: torch.nn.functional.pad(batch[name], (0, room), value=value)
        for name, value in fill.items()
    }
    return batch | padded


def raised_peak(side: Side) -> float:
    """GiB that two steps add to the resident memory at its highest; Linux alone."""
    status = Path("/proc/self/status")

    def field(name: str) -> int:
        (line,) = (row for row in status.read_text().splitlines() if row.startswith(name))
        return int(line.split()[1])

    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = field("VmRSS")
    side.seconds()
    side.seconds()
    return (field("VmHWM") - before) / 2**20


def in_own_process(name: str, form: str, batch_size: int, tiny: bool) -> float:
    command = [sys.executable, __file__, "--batch", str(batch_size), "--peak", name, form]
    done = subprocess.run(command + ["--tiny"] * tiny, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def compare(form: str, names: list[str], batch_size: int, rounds: int, tiny: bool) -> None:
    """Rounds that alternate between the sides, so that they share any disturbance."""
    best = dict.fromkeys(names, float("inf"))
    peaks = {name: in_own_process(name, form, batch_size, tiny) for name in names}
    sides = {name: Side(name, form, batch_size, tiny) for name in names}
    check_losses(sides, form)
    for _ in range(rounds + 1):  # the first warms up
        for name, side in sides.items():
            best[name] = min(best[name], side.seconds())
    plain = best["plain"]
    tokens = int(sides["plain"].batch["caption_attn_mask"].sum(1).max())
    print(f"\ncontrast on {form} captions, batch {batch_size}, longest caption {tokens} tokens:")
    for name, seconds in best.items():
        print(
            f"  {name:32s} {seconds:8.3f} s a step, {plain / seconds:5.2f} times as fast; "
            f"peak raised by {peaks[name]:5.2f} GiB, {peaks[name] / peaks['plain']:.2f} of plain's"
        )


def check_losses(sides: dict[str, Side], form: str) -> None:
    expected = sides["plain"].losses()
    for name, side in sides.items():
        if "bf16" in name or (form == "clean" and name == "plain, one text pass"):
            continue
        for loss, value in side.losses().items():
            assert abs(value - expected[loss]) < 1e-4 * max(1, abs(value)), (name, loss, value)
    shown = ", ".join(f"{name} {value:.5f}" for name, value in expected.items())
    print(f"losses equal to 1e-4 in float32: {shown}")


def batched(names: list[str], size: int) -> list[list[str]]:
    return [names[start : start + size] for start in range(0, len(names), size)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="small sizes, to try the script")
    parser.add_argument("--levers", action="store_true", help="instead: each lever on its own")
    parser.add_argument("--compiled", action="store_true", help="also ours by torch.compile")
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.peak:
        print(json.dumps(raised_peak(Side(*chosen.peak, chosen.batch, chosen.tiny))))
        return
    print(f"{torch.get_num_threads()} thread(s)")
    if chosen.levers:
        levers = [name for name in PLAIN if name != "plain"]
        for names in batched(levers, AT_ONCE):
            compare("clean", ["plain", *names], chosen.batch, chosen.rounds, chosen.tiny)
        return
    ours = [name for name in OURS if chosen.compiled or name != "ours, compiled"]
    for form in ("clean", "masked"):
        compare(form, ["plain", *ours], chosen.batch, chosen.rounds, chosen.tiny)


if __name__ == "__main__":
    main()
