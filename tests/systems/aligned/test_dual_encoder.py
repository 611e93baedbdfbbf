"""Phases 1 and 2: the losses they return, unit embeddings, gradients to every weight."""

import pytest
import sections
import torch
from tiny_models import build_model

from ubg.losses import itc_loss, sdm_loss
from ubg.params import load_params
from ubg.systems import system_names
from ubg.training.task import loss_weights


def scale(**changes):
    image = sections.image(height=64, width=32)
    return load_params().preset.model_copy(update={"image": image, **changes})


def batch_of(size):
    generator = torch.Generator().manual_seed(0)
    mask = torch.ones(size, 9, dtype=torch.long)
    mask[0, 5:] = 0
    return {
        "images": torch.randn(size, 3, 64, 32, generator=generator),
        "caption_ids_t5": torch.randint(3, 50, (size, 9), generator=generator) * mask,
        "caption_attn_mask_t5": mask,
        "pids": torch.tensor([0, 0, 1, 2, 3, 4][:size]),
        "image_ids": torch.arange(size),
    }


@pytest.mark.parametrize("system", ["phase1", "phase2"])
def test_losses_are_those_of_the_embeddings(system):
    params = scale()
    model = build_model(system, params, 50).eval()
    batch = batch_of(6)
    losses = model(batch)
    image, text = model.encode_image(batch["images"]), model.encode_text(batch)
    torch.testing.assert_close(image.norm(dim=1), torch.ones(6))
    torch.testing.assert_close(text.norm(dim=1), torch.ones(6))
    expected = {
        "sdm_loss": sdm_loss(image, text, batch["pids"], 1 / params.temperature),
        "itc_loss": itc_loss(image, text, 1 / params.temperature),
    }
    assert losses.keys() == expected.keys() == loss_weights(params.losses).keys()
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value)


@pytest.mark.parametrize("system", ["phase1", "phase2"])
def test_without_itc_only_sdm_is_returned(system):
    params = scale(losses=sections.losses(sdm=1.0))
    assert build_model(system, params, 50)(batch_of(4)).keys() == {"sdm_loss"}


@pytest.mark.parametrize("system", ["phase1", "phase2"])
def test_every_weight_learns(system):
    model = build_model(system, scale(), 50)
    sum(model(batch_of(6)).values()).backward()
    untouched = [name for name, p in model.named_parameters() if p.grad is None]
    assert untouched == []
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())


def test_same_seed_same_weights():
    models = []
    for _ in range(2):
        torch.manual_seed(7)
        models.append(build_model("phase2", scale(), 50).state_dict())
    assert all(torch.equal(models[0][name], models[1][name]) for name in models[0])


def test_unknown_system_is_named():
    allowed = ", ".join(system_names())
    with pytest.raises(ValueError, match=f"'phase9' is unknown; allowed: {allowed}$"):
        build_model("phase9", scale(), 50)
