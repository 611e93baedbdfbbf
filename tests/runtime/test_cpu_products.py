import pytest
import torch
from torch.nn import functional as F

from ubg.runtime import cpu_products
from ubg.runtime.cpu_products import fast_products


@pytest.fixture
def on_amd(monkeypatch):
    """The switch is thrown whatever the processor, where it is exact."""
    monkeypatch.setattr(cpu_products, "_mkl_is_slow", lambda: True)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)


def setting() -> str:
    return torch.backends.mkldnn.matmul.fp32_precision


def test_products_are_those_of_float32(on_amd):
    left, right = torch.randn(300, 256), torch.randn(500, 256, requires_grad=True)
    with fast_products():
        product = F.linear(left, right)
        product.sum().backward()
    exact = left.double() @ right.detach().double().T
    assert (product - exact).abs().max() < 1e-4  # bfloat16 would be off by 0.1
    expected = left.double().sum(0).expand(500, -1)
    assert (right.grad - expected).abs().max() < 1e-4


def test_attention_is_the_same(on_amd):
    query, key, value = torch.randn(3, 2, 4, 17, 16)
    expected = F.scaled_dot_product_attention(query, key, value)
    with fast_products():
        found = F.scaled_dot_product_attention(query, key, value)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_setting_is_as_before_behind_the_block(on_amd):
    before = setting()
    with pytest.raises(KeyError), fast_products():
        raise KeyError
    assert setting() == before


def test_onednn_is_taken_for_float32_alone(on_amd, monkeypatch):
    monkeypatch.setattr(cpu_products, "_onednn_is_exact", lambda: True)
    before = setting()
    with fast_products("bf16"):
        assert setting() == before
    with fast_products():
        assert setting() == "bf16"


def test_mkl_stays_where_it_is_the_faster_one(monkeypatch):
    monkeypatch.setattr(cpu_products, "_mkl_is_slow", lambda: False)
    before = setting()
    with fast_products():
        assert setting() == before


def test_mkl_stays_where_onednn_rounds(on_amd, monkeypatch):
    monkeypatch.setattr(cpu_products, "_onednn", lambda: torch.autocast("cpu", torch.bfloat16))
    cpu_products._onednn_is_exact.cache_clear()
    before = setting()
    try:
        with fast_products():
            assert setting() == before
            assert not torch.is_autocast_enabled("cpu")
    finally:
        cpu_products._onednn_is_exact.cache_clear()
