"""Checkpointed activations: the same gradients, and less kept for them."""

import pytest
import torch
from tiny_models import (
    VOCABULARY,
    build_model,
    build_phase4,
    full_batch,
    retrieval_batch,
    tiny_generation,
    tiny_scale,
)
from torch.autograd.graph import saved_tensors_hooks

from ubg.training.recompute import recompute_activations


def gradients_and_kept(model, batch, precision):
    """Gradients by name, and how many numbers were kept for the backward pass."""
    kept = []

    def keep(tensor):
        kept.append(tensor.numel())
        return tensor

    model.train()
    torch.manual_seed(7)  # dropout
    with (
        torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"),
        saved_tensors_hooks(keep, lambda tensor: tensor),
    ):
        losses = model(batch)
    torch.stack(list(losses.values())).sum().backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    model.zero_grad()
    return gradients, sum(kept)


def build(system):
    scale = tiny_scale(dropout=0.1, positions="2d")
    if system == "phase4":
        generation = tiny_generation(text_dropout=0.3)
        return build_phase4(scale, generation), full_batch(generation)
    torch.manual_seed(0)
    return build_model(system, scale, VOCABULARY), retrieval_batch()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("system", ["phase1", "phase2", "phase4"])
def test_gradients_stay_equal_and_less_is_kept(system, precision):
    model, batch = build(system)
    expected, all_kept = gradients_and_kept(model, batch, precision)
    recompute_activations(model)
    found, kept = gradients_and_kept(model, batch, precision)
    for name, gradient in expected.items():
        assert torch.equal(found[name], gradient), name
    assert kept < 0.6 * all_kept


def test_every_layer_of_towers_encoder_and_decoder_is_checkpointed():
    model, batch = build("phase4")
    vision = model.retrieval.vision.transformer
    vision = getattr(vision, "vision_model", vision)
    encoder, decoder = model.retrieval.encoder.text.transformer.encoder, model.generator.decoder
    modules = [layer.mlp for layer in vision.encoder.layers]
    modules += [block.layer[-1] for stack in (encoder, decoder.stack) for block in stack.block]
    runs = dict.fromkeys(modules, 0)

    def count(module, inputs):
        runs[module] += 1

    for module in modules:
        module.register_forward_pre_hook(count)
    recompute_activations(model.train())
    torch.stack(list(model(batch).values())).sum().backward()
    # Vision: image and masked image; encoder: image, caption, condition. Each twice.
    assert list(runs.values()) == [4, 4, 6, 6, 2, 2]


def test_nothing_is_recomputed_outside_of_training():
    model, batch = build("phase2")
    before = model.eval().encode_image(batch["images"])
    recompute_activations(model)
    assert torch.equal(model.encode_image(batch["images"]), before)
