"""A training step of any system at ViT-B/16, SigLIP-B/16, T5-base and BERT-base sizes, 384x128.

    python benchmarks/gpu_step.py irra phase4 --batch 64 128 --precision bf16 [--compile layers]

Without a GPU the sizes are small and the steps few, to try the script.

Random weights, random images and codes; captions as long as those of CUHK-PEDES (23.5 words on
average). The data are on the device before the clock starts. Every combination of the arguments is
run in turn, with the seconds that the first three steps take, samples/s, the peak of the allocated
memory and the model FLOPs utilisation: FLOPs of forward and backward pass (matrix products and
convolutions; nothing that checkpointing computes again), per second, as a share of the dense peak
of the device in the precision of the products. `--compile layers` is what `training.compile` does,
`whole` compiles the model in one piece.
"""

import argparse
import gc
import time
from itertools import product

import torch
from plain import sizes

from ubg.data.batches.fields import Batch
from ubg.params import Params, load_params
from ubg.plan.count import flops_per_sample
from ubg.plan.random_run import random_system
from ubg.plan.step import TrainingStep
from ubg.training.compile import compile_layers
from ubg.training.recompute import recompute_activations

IDENTITIES = 11_003  # CUHK-PEDES
# Dense TFLOP/s by the makers' data sheets: bfloat16, and float32 with TF32 off.
PEAKS = {
    "H200": (989.0, 67.0),
    "H100": (989.0, 67.0),
    "A100": (312.0, 19.5),
    "L40S": (362.0, 91.6),
    "L4": (121.0, 30.3),
    "A10": (125.0, 31.2),
    "RTX 4090": (165.2, 82.6),
    "RTX 3090": (71.0, 35.6),
    "V100": (None, 15.7),
}


def base_params(batch_size: int, precision: str, checkpointing: bool, tiny: bool) -> Params:
    """The base preset with towers of known sizes, so that no pretrained name is needed."""
    params = load_params()
    scale = params.preset
    vision, clip_text, t5, bert = sizes.VISION, sizes.CLIP_TEXT, sizes.T5, sizes.BERT
    clip_mer, t2i_reid = sizes.BASE.clip_mer, sizes.BASE.t2i_reid
    image, dim, vocab_size, codes = sizes.image(384, 128), 512, 32_100, 16_384
    if tiny:
        vision, clip_text = sizes.TINY_VISION, sizes.TINY_CLIP_TEXT
        t5, bert = sizes.TINY_T5, sizes.TINY_BERT
        clip_mer, t2i_reid = scale.clip_mer, scale.t2i_reid
        image, dim, vocab_size, codes = sizes.image(64, 32), 64, 1000, 64
    fit = scale.vqgan.fit.model_copy(
        update={"codes": codes, "patch": 1, "multipliers": (1, 1, 1, 1, 1)}
    )
    towers = {"clip": vision, "clip_text": clip_text, "siglip": vision, "t5": t5, "bert": bert}
    losses = sizes.BASE.irra.losses
    irra = {
        "losses": losses,
        "interaction_layers": 4,
        "interaction_heads": dim // 64,
        "guess_among": "all",
    }
    training = {
        "batch_size": batch_size,
        "precision": precision,
        "gradient_checkpointing": checkpointing,
    }
    updates = {
        "image": image,
        "tokenizer": scale.tokenizer.model_copy(
            update={"vocab_size": vocab_size, "max_tokens": 77}
        ),
        "vqgan": scale.vqgan.model_copy(update={"fit": fit}),
        "towers": scale.towers.model_copy(update=towers | {"attention": "sdpa"}),
        "shared_encoder": scale.shared_encoder.model_copy(update={"image_positions": "1d"}),
        "embedding_dim": dim,
        "irra": scale.irra.model_copy(update=irra),
        "clip_mer": clip_mer,
        "t2i_reid": t2i_reid,
        "training": scale.training.model_copy(update=training),
    }
    return params.model_copy(update={"preset": scale.model_copy(update=updates)})


def plain_adam(step: TrainingStep) -> torch.optim.Optimizer:
    """The library's default, over the same groups."""
    groups = [{**group, "fused": None} for group in step.optimiser.param_groups]
    return type(step.optimiser)(groups)


def measure(
    name: str, params: Params, device: torch.device, compiled: str, fused: bool, steps: int
) -> tuple[float, float, float, float]:
    """Seconds of the first steps, then of a step, TFLOPs of a step, GiB at the peak."""
    training = params.preset.training
    system = random_system(name, params, IDENTITIES)
    step = TrainingStep(system, device)
    few = to_device(system.batch(min(4, training.batch_size)), device)
    flops = flops_per_sample(step, few) * training.batch_size
    if training.gradient_checkpointing:
        recompute_activations(step.model)
    if compiled == "layers":
        compile_layers(step.model)
    elif compiled == "whole":
        step.model.compile()
    if not fused:
        step.optimiser = plain_adam(step)
    batch = to_device(system.batch(training.batch_size), device)
    started = time.perf_counter()
    for _ in range(3):  # compiles, chooses kernels, allocates
        step(batch)
    synchronise(device)
    beginning = time.perf_counter() - started
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    started = time.perf_counter()
    for _ in range(steps):
        step(batch)
    synchronise(device)
    seconds = (time.perf_counter() - started) / steps
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
    return beginning, seconds, flops / 1e12, peak / 2**30


def to_device(batch: Batch, device: torch.device) -> Batch:
    return {name: values.to(device) for name, values in batch.items()}


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_of(device: torch.device, precision: str) -> float | None:
    """TFLOP/s, None where the table has none."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    known = (peaks for part, peaks in PEAKS.items() if part in name)
    return next(known, (None, None))[0 if precision == "bf16" else 1]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("systems", nargs="*", default=["irra", "phase4"])
    parser.add_argument("--batch", nargs="+", type=int, default=[64])
    parser.add_argument("--precision", nargs="+", choices=("fp32", "bf16"), default=["bf16"])
    parser.add_argument("--compile", nargs="+", choices=("off", "layers", "whole"), default=["off"])
    parser.add_argument("--optimiser", nargs="+", choices=("fused", "plain"), default=["fused"])
    parser.add_argument("--checkpointing", nargs="+", choices=("off", "on"), default=["off"])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--peak-tflops", type=float, help="of a device that the table lacks")
    chosen = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tiny = device.type == "cpu"
    steps = min(chosen.steps, 2) if tiny else chosen.steps
    print(torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU", torch.__version__)
    print(
        f"{'system':8}{'batch':>6}{'prec.':>6}{'compile':>8}{'Adam':>7}{'ckpt':>6}"
        f"{'begin s':>9}{'ms/step':>10}{'samples/s':>11}"
        f"{'TFLOP/step':>12}{'TFLOP/s':>9}{'MFU':>7}{'GiB':>8}"
    )
    for name, batch_size, precision, compiled, optimiser, checkpointing in product(
        chosen.systems,
        chosen.batch,
        chosen.precision,
        chosen.compile,
        chosen.optimiser,
        chosen.checkpointing,
    ):
        row = f"{name:8}{batch_size:6}{precision:>6}{compiled:>8}{optimiser:>7}{checkpointing:>6}"
        params = base_params(batch_size, precision, checkpointing == "on", tiny)
        try:
            beginning, seconds, tflops, gib = measure(
                name, params, device, compiled, optimiser == "fused", steps
            )
        except torch.OutOfMemoryError:
            print(row, "out of memory")
            continue
        finally:
            gc.collect()
            torch.cuda.empty_cache()
            torch._dynamo.reset()
        peak = chosen.peak_tflops or peak_of(device, precision)
        utilisation = f"{tflops / seconds / peak:.1%}" if peak else "-"
        print(
            f"{row}{beginning:9.1f}{seconds * 1e3:10.1f}{batch_size / seconds:11.1f}{tflops:12.3f}"
            f"{tflops / seconds:9.2f}{utilisation:>7}{gib:8.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
