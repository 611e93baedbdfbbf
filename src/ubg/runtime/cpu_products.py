"""Float32 products of matrices on CPU by oneDNN, where that is the faster of torch's two libraries.

MKL, which torch takes, keeps to 256-bit vectors on AMD's processors; oneDNN uses all 512 and is
about twice as fast there. torch leaves float32 to oneDNN only where oneDNN may round it to bfloat16
inside. It makes use of that on matrix units (AMX), and nowhere else: that is verified first.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel


@contextmanager
def fast_products(precision: str = "fp32") -> Iterator[None]:
    """Within the block float32 products are made by the faster library, as exactly as before.

    Attention is then made of whole products: those of SDPA's tiles are too small for oneDNN.

    Args:
        precision: "fp32" or "bf16" (autocast), of what runs in the block; for the latter nothing
            changes, as nothing does on other devices.
    """
    on_cpu = not torch.accelerator.is_available()
    if precision != "fp32" or not (on_cpu and _mkl_is_slow() and _onednn_is_exact()):
        yield
        return
    with _onednn(), sdpa_kernel(SDPBackend.MATH):
        yield


@contextmanager
def _onednn() -> Iterator[None]:
    matmul = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = matmul.fp32_precision
    matmul.fp32_precision = "bf16"
    try:
        yield
    finally:
        matmul.fp32_precision = before


def _mkl_is_slow() -> bool:
    cpu = torch.cpu.get_capabilities()
    return "AMD" in cpu.get("cpu_name", "") and bool(cpu.get("avx512_f"))


@cache
def _onednn_is_exact() -> bool:
    """Whether products are those of float32, not those of rounded factors."""
    # Ends in a bit that bfloat16 and TF32 would cut off.
    factor = torch.full((8, 64, 64), 1 + 2.0**-12)
    with torch.no_grad(), _onednn():
        products = [torch.bmm(factor, factor), factor.flatten(0, 1) @ factor[0].T]
    exact = 64 * (1 + 2.0**-12) ** 2
    return all(bool((product.double() - exact).abs().max() < 1e-5 * exact) for product in products)
