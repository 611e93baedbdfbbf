"""Float32 matrix products on CPU by oneDNN, where it is faster than MKL, torch's default.

On AMD processors MKL only uses 256-bit vectors; oneDNN uses 512-bit vectors and is about twice as
fast. torch passes float32 products to oneDNN only if oneDNN may round them to bfloat16 internally.
oneDNN does so only on matrix units (AMX); a test verifies first that it does not happen here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel


@contextmanager
def fast_products(precision: str = "fp32") -> Iterator[None]:
    """Use the faster library for float32 products within the block, at the same precision.

    Attention then multiplies whole matrices: the tiles of SDPA's fused kernels are too small for
    oneDNN to be fast.

    Args:
        precision: of the code in the block, "fp32" or "bf16" (autocast). With "bf16", and on other
            devices, nothing changes.
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
