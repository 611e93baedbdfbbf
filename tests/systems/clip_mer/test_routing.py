"""The vision tower: what each modality shares, what it has of its own, and where gradients go."""

import copy

import pytest
import torch
from tiny_clip_mer import build_clip_mer, clip_mer_scale, give_updates, part_images
from tiny_models import VOCABULARY, build_model, retrieval_batch
from torch import nn

from ubg.systems.clip_mer.low_rank import LowRank
from ubg.systems.clip_mer.parts import CHANNELS, MODALITIES, RGB

RGB_IMAGES = retrieval_batch()["images"]


def images_of(modality):
    return RGB_IMAGES if modality == RGB else part_images(modality)


def first_weight(patch_embedding):
    return next(patch_embedding.parameters())


def test_update_by_hand():
    linear = nn.Linear(3, 2, bias=False)
    update = LowRank(linear, rank=2, alpha=1.0)
    assert torch.equal(update(linear.weight), linear.weight)
    assert (update.A.abs() <= 3**-0.5).all()  # Kaiming's bound for three inputs
    assert update.A.std() > 0
    update.A.data = torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]])
    update.B.data = torch.tensor([[1.0, 0.0], [3.0, 4.0]])
    expected = linear.weight + 0.5 * torch.tensor([[1.0, 0.0, 2.0], [3.0, 4.0, 6.0]])
    torch.testing.assert_close(update(linear.weight), expected)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("conv_stem", [False, True])
def test_rgb_goes_through_the_clip_tower_of_irra(attention, conv_stem):
    scale = clip_mer_scale(conv_stem=conv_stem, attention=attention)
    irra = build_model("irra", scale, VOCABULARY).eval()
    model = build_model("clip_mer", scale, VOCABULARY).eval()
    state = irra.state_dict()
    loaded = model.load_state_dict(
        {name.replace("vision.", "vision.clip.", 1): state[name] for name in state},
        strict=False,
    )
    assert loaded.unexpected_keys == []
    assert all("adapters" in n or "own" in n or "fusion" in n for n in loaded.missing_keys)
    with torch.inference_mode():
        found, expected = model.encode_image(RGB_IMAGES), irra.encode_image(RGB_IMAGES)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    give_updates(model)
    with torch.inference_mode():
        assert (model.encode_image(RGB_IMAGES) - expected).abs().max() > 1e-3


def test_updated_layer_is_that_of_clip_with_the_sums_as_weights():
    model = build_clip_mer(clip_mer_scale()).eval()
    give_updates(model)
    for modality in MODALITIES:
        merged = copy.deepcopy(model).eval()
        for layer in merged.vision.trunk.encoder.layers:
            for name, updates in layer.adapters.items():
                inner = "mlp" if name.startswith("fc") else "self_attn"
                linear, own = layer.get_submodule(f"{inner}.{name}"), updates[modality]
                linear.weight.data = linear.weight + 0.5 * own.B @ own.A
                for update in updates.values():
                    update.B.data.zero_()
        images = images_of(modality)
        torch.testing.assert_close(
            model.vision(images, modality), merged.vision(images, modality), atol=1e-5, rtol=1e-4
        )


@pytest.mark.parametrize("conv_stem", [False, True])
@pytest.mark.parametrize("own", ["conv", "all"])
@pytest.mark.parametrize("modality", MODALITIES)
def test_a_modality_reaches_its_own_weights_and_the_trunk_and_no_others(modality, own, conv_stem):
    model = build_clip_mer(clip_mer_scale(own=own, conv_stem=conv_stem)).train()
    give_updates(model)
    torch.manual_seed(1)
    features = model.vision(images_of(modality), modality)
    (features * torch.randn_like(features)).sum().backward()
    reached = {
        name
        for name, value in model.vision.named_parameters()
        if value.grad is not None and value.grad.any()
    }
    others = [f".{other}." for other in MODALITIES if other != modality]
    for name, _ in model.vision.named_parameters():
        foreign = any(part in name for part in others)
        foreign |= modality != RGB and is_of_rgb(name, own)
        if not name.endswith("k_proj.bias"):  # the same for all keys of a query: of no effect
            assert (name in reached) != foreign, name
    assert sum(".adapters." in name for name in reached) == 2 * 6 * 2  # A and B, products, layers


def is_of_rgb(name, own):
    shared_unless_all = ("class_token", "position_embedding", "pre_layrnorm")
    if name.startswith("own."):
        return False
    return "patch_embedding" in name or (own == "all" and any(p in name for p in shared_unless_all))


@pytest.mark.parametrize("conv_stem", [False, True])
def test_grey_in_one_channel_is_answered_as_grey_in_three(conv_stem):
    model = build_clip_mer(clip_mer_scale(conv_stem=conv_stem)).eval()
    grey = part_images("nir")
    three = model.vision.trunk.embeddings.patch_embedding
    for name in ("nir", "sk"):
        one = model.vision.own[name].patch_embedding
        assert first_weight(one).shape[1] == 1
        torch.testing.assert_close(
            one(grey), three(grey.expand(-1, 3, -1, -1)), atol=1e-5, rtol=1e-4
        )
    colour = model.vision.own["cp"].patch_embedding
    assert torch.equal(first_weight(colour), first_weight(three))
    assert conv_stem or colour.bias is None


def test_grey_pictures_have_one_mean_and_one_deviation():
    model = build_clip_mer(clip_mer_scale())
    colour, grey = model.normalisation, model.normalisations["nir"]
    assert model.normalisations["cp"] == colour
    assert model.normalisations["sk"] == grey
    assert grey.mean == pytest.approx((sum(colour.mean) / 3,))
    assert grey.std == pytest.approx((sum(colour.std) / 3,))
    assert {name: model.channels(name) for name in CHANNELS} == CHANNELS


@pytest.mark.parametrize("own", ["conv", "all"])
def test_modalities_start_as_rgb_does(own):
    model = build_clip_mer(clip_mer_scale(own=own)).eval()
    with torch.inference_mode():
        found, expected = (model.vision(images_of("cp"), name) for name in ("cp", RGB))
    torch.testing.assert_close(found, expected)
    noisy = build_clip_mer(clip_mer_scale(own=own, patch_noise=0.1)).vision
    own_weight = first_weight(noisy.own["cp"].patch_embedding)
    shift = own_weight - first_weight(noisy.trunk.embeddings.patch_embedding)
    assert shift.std().item() == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize(
    ("adapters", "count"),
    [
        ({}, 2 * 6 * 4),
        ({"layers": 1}, 6 * 4),
        ({"layers": 0}, 0),
        ({"products": "mlp"}, 2 * 2 * 4),
        ({"text": True}, 2 * 6 * 4 + 2 * 6),
    ],
)
def test_updates_are_where_the_params_ask_for_them(adapters, count):
    model = build_clip_mer(clip_mer_scale(adapters=adapters))
    updates = [module for module in model.modules() if isinstance(module, LowRank)]
    assert len(updates) == count
    first, last = model.vision.trunk.encoder.layers
    assert bool(first.adapters) == (adapters.get("layers", "all") == "all")
    assert bool(last.adapters) == (adapters.get("layers", "all") != 0)


def test_more_layers_than_there_are_cannot_be_updated():
    with pytest.raises(ValueError, match=r"adapters\.layers: 3 is more than the 2 layers"):
        build_clip_mer(clip_mer_scale(adapters={"layers": 3}))
