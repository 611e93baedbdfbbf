"""A training step of phase 4, of either condition, beside one of phase 3, at the sizes of `tiny`.

    python benchmarks/generation_step.py

FLOPs of forward and backward of a step of 64 pairs (matrix products and convolutions, by PyTorch's
own counter), and the time. Checked: with weight 0 on its losses phase 4 has phase 3's gradients.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ubg.params import Generation, Params, SharedNetwork, load_params
from ubg.retrieval.contract import RetrievalModel
from ubg.systems.aligned.shared_encoder import SharedEncoderModel
from ubg.systems.aligned.shared_encoder import build as build_shared_encoder
from ubg.systems.aligned.task import shared_network
from ubg.systems.phase4.joint.hiding import hide_patches
from ubg.systems.phase4.joint.model import add_generator
from ubg.systems.phase4.joint.targets import GenerationTargets
from ubg.systems.phase4.text.classes import cluster_codes
from ubg.systems.phase4.text.likelihood import build_likelihood
from ubg.systems.phase4.text.model import TextModel
from ubg.systems.phase4.text.targets import ClassTargets
from ubg.systems.phase4.unigram import log_frequencies

BATCH, TOKENS, VOCABULARY, CODES, CODE_DIM, REPEATS = 64, 48, 1000, 512, 16, 25
Batch = dict[str, Tensor]


class RandomCodes:
    """The interface of the VQ tokens over random ids."""

    codes = CODES

    def __init__(self, grid: tuple[int, int]):
        self.grid = grid
        self.length = grid[0] * grid[1]

    def batch(self, image_ids: np.ndarray, mirrored: np.ndarray) -> np.ndarray:
        return np.random.default_rng(0).integers(0, CODES, (len(image_ids), self.length))


def retrieval_batch(height: int, width: int) -> Batch:
    """Images of noise; captions of 16 to 48 tokens, as those of SynthPEDES."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.linspace(16, TOKENS, BATCH).long()
    mask = (torch.arange(TOKENS) < lengths[:, None]).long()
    return {
        "images": torch.randn(BATCH, 3, height, width, generator=generator),
        "pids": torch.arange(BATCH),
        "image_ids": torch.arange(BATCH),
        "caption_ids_t5": torch.randint(3, VOCABULARY, (BATCH, TOKENS), generator=generator) * mask,
        "caption_attn_mask_t5": mask,
    }


def build_text(params: Params, batch: Batch) -> tuple[RetrievalModel, Batch]:
    """Phase 4 that reads captions, and what its branch needs of the batch."""
    model, network, generation = build_phase3(params), network_of(params), params.generation
    codebook = torch.randn(CODES, CODE_DIM, generator=torch.Generator().manual_seed(0))
    classes = cluster_codes(codebook, generation.clusters)
    targets = ClassTargets(RandomCodes(model.vision.grid), classes.of_code_V)
    known = targets.classes(np.arange(BATCH), np.zeros(BATCH, np.bool_))
    log_f = torch.from_numpy(log_frequencies(known, len(classes.representative_K))).float()
    likelihood = build_likelihood(model, network, generation, log_f, classes)
    fields = {"code_classes": torch.from_numpy(known)}
    return TextModel(model, likelihood, generation), batch | fields


def build_joint(params: Params, batch: Batch) -> tuple[RetrievalModel, Batch]:
    """Phase 4 that fills in masked images, and what its branch needs of the batch."""
    model, generation = build_phase3(params), joint_of(params.generation)
    codes = RandomCodes(model.vision.grid)
    targets = GenerationTargets(codes, model.vision.grid, generation, seed=0)
    ids = np.arange(BATCH)
    fields = targets.fields(0, ids, ids, np.zeros(BATCH, np.bool_))
    masked = batch["images"].clone()
    hide_patches(masked.numpy(), fields["masked_patches"].numpy(), *targets.patch_grid)
    phase4 = add_generator(model, network_of(params), generation, CODES, codes.length)
    return phase4, batch | {"masked_images": masked, **fields}


def joint_of(generation: Generation) -> Generation:
    return generation.model_copy(update={"condition": "joint", "decoder": "parallel"})


def network_of(params: Params) -> SharedNetwork:
    return shared_network(params.preset, params.preset.towers.siglip)


def build_phase3(params: Params) -> SharedEncoderModel:
    torch.manual_seed(0)
    return build_shared_encoder(network_of(params), VOCABULARY, {})


def step(model: RetrievalModel, batch: Batch, gen_weight: float = 1.0) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        losses = model(batch)
    weighted = [loss * (gen_weight if "gen" in name else 1.0) for name, loss in losses.items()]
    torch.stack(weighted).sum().backward()


def flops_of(model: RetrievalModel, batch: Batch) -> int:
    with FlopCounterMode(display=False) as counter:
        step(model, batch)
    return counter.get_total_flops()


def seconds(function: Callable[[], None]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    params = load_params()
    batch = retrieval_batch(params.preset.image.height, params.preset.image.width)
    for condition, build in (("text", build_text), ("joint", build_joint)):
        phase3 = build_phase3(params)
        step(phase3, batch)
        gradients = dict(phase3.named_parameters())
        phase4, full_batch = build(params, batch)
        step(phase4, full_batch, gen_weight=0.0)
        for name, parameter in phase4.retrieval.named_parameters():
            assert torch.equal(parameter.grad, gradients[name].grad), name
        flops = [flops_of(phase3, batch), flops_of(phase4, full_batch)]
        print(
            f"{condition}, FLOPs a step: {flops[0] / 1e9:.1f} of phase 3 and "
            f"{flops[1] / 1e9:.1f} G, {flops[1] / flops[0]:.2f}"
        )
        compare(condition, (phase3, batch), (phase4, full_batch))


def compare(condition: str, *sides: tuple[RetrievalModel, Batch]) -> None:
    """Time the steps in turn."""
    optimisers = [torch.optim.AdamW(model.parameters(), 1e-5, fused=True) for model, _ in sides]

    def train(which: int) -> None:
        step(*sides[which])
        optimisers[which].step()
        optimisers[which].zero_grad()

    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(REPEATS):
        for which in (0, 1):
            times[which].append(seconds(lambda: train(which)))  # noqa: B023
    fastest, medians = [min(t) for t in times], [statistics.median(t) for t in times]
    print(
        f"{condition}, a step of {BATCH} pairs: {fastest[0] * 1e3:.0f} and "
        f"{fastest[1] * 1e3:.0f} ms, {fastest[1] / fastest[0]:.2f} times "
        f"(of medians {medians[1] / medians[0]:.2f}); "
        "gradients of the shared weights equal at weight 0"
    )


if __name__ == "__main__":
    main()
