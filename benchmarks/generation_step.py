"""A training step of phase 4 beside one of phase 3, at the sizes of the `tiny` preset.

    python benchmarks/generation_step.py

Counted per step of 64 pairs: forward passes, tokens through each transformer, FLOPs of forward and
backward (matrix products and convolutions, by PyTorch's own counter), and the time. Checked: with
weight 0 on its loss phase 4 has phase 3's gradients.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ubg.params import Params, load_params
from ubg.retrieval.contract import RetrievalModel
from ubg.systems.aligned.shared_encoder import build as build_shared_encoder
from ubg.systems.aligned.task import shared_network
from ubg.systems.phase4.hiding import hide_patches
from ubg.systems.phase4.model import add_generator
from ubg.systems.phase4.targets import GenerationTargets

BATCH, TOKENS, VOCABULARY, CODES, REPEATS = 64, 48, 1000, 512, 25
Batch = dict[str, Tensor]


class RandomCodes:
    """The interface of the VQ tokens over random ids."""

    codes = CODES

    def __init__(self, grid: tuple[int, int]):
        self.grid = grid
        self.length = grid[0] * grid[1]

    def batch(self, image_ids: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
        return np.random.default_rng(0).integers(0, CODES, (len(image_ids), self.length))


def make_batch(targets: GenerationTargets, height: int, width: int) -> Batch:
    """Images of noise; captions of 16 to 48 tokens, as those of SynthPEDES."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.linspace(16, TOKENS, BATCH).long()
    mask = (torch.arange(TOKENS) < lengths[:, None]).long()
    images = torch.randn(BATCH, 3, height, width, generator=generator)
    ids = np.arange(BATCH)
    fields = targets.fields(0, ids, ids, np.zeros(BATCH, np.bool_))
    masked = images.clone()
    hide_patches(masked.numpy(), fields["masked_patches"].numpy(), *targets.patch_grid)
    return {
        "images": images,
        "pids": torch.arange(BATCH),
        "image_ids": torch.arange(BATCH),
        "caption_ids_t5": torch.randint(3, VOCABULARY, (BATCH, TOKENS), generator=generator) * mask,
        "caption_attn_mask_t5": mask,
        "masked_images": masked,
        **fields,
    }


def build(params: Params, with_branch: bool) -> tuple[RetrievalModel, GenerationTargets]:
    torch.manual_seed(0)
    network = shared_network(params.preset, params.preset.towers.siglip)
    model = build_shared_encoder(network, VOCABULARY, {})
    codes = RandomCodes(model.vision.grid)
    targets = GenerationTargets(codes, model.vision.grid, params.generation, seed=0)
    if with_branch:
        model = add_generator(model, network, params.generation, CODES, codes.length)
    return model, targets


def step(model: RetrievalModel, batch: Batch, gen_weight: float = 1.0) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        losses = model(batch)
    weights = {"gen_loss": gen_weight}
    torch.stack([loss * weights.get(name, 1.0) for name, loss in losses.items()]).sum().backward()


def seconds(function: Callable[[], None]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    params = load_params()
    phase3, targets = build(params, with_branch=False)
    phase4, _ = build(params, with_branch=True)
    batch = make_batch(targets, params.preset.image.height, params.preset.image.width)

    step(phase3, batch)
    step(phase4, batch, gen_weight=0.0)
    gradients = dict(phase3.named_parameters())
    for name, parameter in phase4.retrieval.named_parameters():
        assert torch.equal(parameter.grad, gradients[name].grad), name

    patches = batch["masked_patches"].shape[1]
    visible = int((~batch["masked_patches"]).sum(1).max())
    queries = int(batch["vq_target_attn_mask"].sum(1).max())
    print(f"phase3: tower {patches} tokens; encoder {patches} and {TOKENS}")
    print(f"phase4: also tower {visible}; encoder {TOKENS + visible}; decoder {queries} queries")
    flops = []
    for model in (phase3, phase4):
        with FlopCounterMode(display=False) as counter:
            step(model, batch)
        flops.append(counter.get_total_flops())
    print(
        f"FLOPs a step: {flops[0] / 1e9:.1f} and {flops[1] / 1e9:.1f} G, {flops[1] / flops[0]:.2f}"
    )

    models = phase3, phase4
    optimisers = [torch.optim.AdamW(model.parameters(), 1e-5, fused=True) for model in models]

    def train(which: int) -> None:
        step(models[which], batch)
        optimisers[which].step()
        optimisers[which].zero_grad()

    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(REPEATS):
        for which in (0, 1):
            times[which].append(seconds(lambda: train(which)))  # noqa: B023
    fastest, medians = [min(t) for t in times], [statistics.median(t) for t in times]
    print(
        f"a step of {BATCH} pairs: {fastest[0] * 1e3:.0f} and {fastest[1] * 1e3:.0f} ms, "
        f"{fastest[1] / fastest[0]:.2f} times (of medians {medians[1] / medians[0]:.2f}); "
        "gradients of the shared weights equal at weight 0"
    )


if __name__ == "__main__":
    main()
