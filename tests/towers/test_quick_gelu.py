import pytest
import torch
from transformers import CLIPVisionConfig, CLIPVisionModel
from transformers.activations import QuickGELUActivation

from ubg.towers.quick_gelu import QuickGELU, replace_quick_gelu


def test_by_hand():
    # sigmoid(1.702) = 0.845796, sigmoid(-3.404) = 0.032171
    found = QuickGELU()(torch.tensor([0.0, 1.0, -2.0]))
    torch.testing.assert_close(found, torch.tensor([0.0, 0.845796, -0.064342]), atol=2e-6, rtol=0)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.bfloat16, 2e-2)])
def test_values_and_gradients_are_the_librarys(dtype, tolerance):
    x = torch.linspace(-12, 12, 4001).to(dtype).requires_grad_()
    upstream = torch.randn(4001).to(dtype)
    sides = []
    for activation in (QuickGELU(), QuickGELUActivation()):
        value = activation(x)
        sides.append((value, torch.autograd.grad(value, x, upstream)[0]))
    for found, expected in zip(*sides, strict=True):
        torch.testing.assert_close(found, expected, atol=tolerance, rtol=tolerance)


def test_it_leaves_its_input_and_the_gradient_given_to_it_alone():
    x, upstream = torch.randn(9, requires_grad=True), torch.randn(9)
    before = x.detach().clone(), upstream.clone()
    QuickGELU()(x).backward(upstream)
    assert torch.equal(x, before[0])
    assert torch.equal(upstream, before[1])


def test_gradient_by_finite_differences():
    assert torch.autograd.gradcheck(
        QuickGELU(), torch.randn(20, dtype=torch.double).requires_grad_()
    )


def test_it_keeps_its_input_alone():
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        QuickGELU()(torch.randn(5, requires_grad=True))
    assert len(kept) == 1


@pytest.mark.parametrize(("hidden_act", "replaced"), [("quick_gelu", 2), ("gelu", 0)])
def test_it_takes_the_place_of_the_librarys_and_of_no_other(hidden_act, replaced):
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 1, "image_size": 32}
    model = CLIPVisionModel(CLIPVisionConfig(num_hidden_layers=2, hidden_act=hidden_act, **sizes))
    replace_quick_gelu(model)
    kinds = [type(module) for module in model.modules()]
    assert kinds.count(QuickGELU) == replaced
    assert QuickGELUActivation not in kinds
