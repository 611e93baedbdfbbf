"""The MLM branch: scores where asked, whatever the padding, from weights drawn as in the paper."""

import pytest
import torch

from ubg.systems.irra.mlm_head import MaskedLanguageModel
from ubg.systems.irra.word_masking import IGNORED

WIDTH, VOCABULARY = 32, 40


def build(layers=2, heads=4, width=WIDTH, attention="eager", activation="gelu"):
    torch.manual_seed(0)
    return MaskedLanguageModel(width, VOCABULARY, layers, heads, attention, activation)


def inputs(batch=4, tokens=7, patches=6):
    generator = torch.Generator().manual_seed(1)
    text_BTD = torch.randn(batch, tokens, WIDTH, generator=generator)
    image_BND = torch.randn(batch, patches, WIDTH, generator=generator)
    mask_BT = torch.ones(batch, tokens, dtype=torch.long)
    for row in range(1, batch):
        mask_BT[row, 3 + row :] = 0
    labels_BT = torch.randint(0, VOCABULARY, (batch, tokens), generator=generator)
    scored_BT = (torch.rand(batch, tokens, generator=generator) < 0.5) & (mask_BT == 1)
    return text_BTD, mask_BT, image_BND, torch.where(scored_BT, labels_BT, IGNORED)


def plain(model, text_BTD, mask_BT, image_BND):
    """Scores of the whole vocabulary at every position, by textbook attention, sample by sample."""

    def attend(queries, keys, values, heads):
        parts = [x.reshape(len(x), heads, -1).transpose(0, 1) for x in (queries, keys, values)]
        scores = parts[0] @ parts[1].transpose(1, 2) / parts[0].shape[-1] ** 0.5
        return (scores.softmax(-1) @ parts[2]).transpose(0, 1).reshape(len(queries), -1)

    cross = model.cross_attention
    rows = []
    for text_TD, mask_T, image_ND in zip(text_BTD, mask_BT, image_BND, strict=True):
        length = int(mask_T.sum())
        text, image = model.text_norm(text_TD[:length]), model.image_norm(image_ND)
        weights, biases = cross.in_proj_weight.chunk(3), cross.in_proj_bias.chunk(3)
        q, k, v = (
            x @ w.T + b for x, w, b in zip((text, image, image), weights, biases, strict=True)
        )
        hidden = cross.out_proj(attend(q, k, v, cross.num_heads))
        for layer in model.transformer.layers:
            x, block = layer.layer_norm1(hidden), layer.self_attn
            found = attend(block.q_proj(x), block.k_proj(x), block.v_proj(x), block.num_heads)
            hidden = hidden + block.out_proj(found)
            x = layer.mlp.fc1(layer.layer_norm2(hidden))
            hidden = hidden + layer.mlp.fc2(x * torch.sigmoid(1.702 * x))
        hidden = model.dense(model.final_norm(hidden))
        if isinstance(model.activation, torch.nn.GELU):
            hidden = hidden * 0.5 * (1 + torch.erf(hidden / 2**0.5))
        else:
            hidden = hidden * torch.sigmoid(1.702 * hidden)
        rows.append(model.head(model.head_norm(hidden)))
    return rows


@pytest.mark.parametrize(
    ("attention", "activation"),
    [("eager", "gelu"), ("sdpa", "gelu"), ("eager", "quick_gelu")],
)
def test_scores_are_those_of_the_full_vocabulary_at_every_position(attention, activation):
    model = build(attention=attention, activation=activation)
    text, mask, image, labels = inputs()
    for parameter in model.parameters():  # so that norms and biases take part
        parameter.data += 0.1 * torch.randn_like(parameter)
    logits_PV, targets_P = model(text, mask, image, labels)
    expected = torch.cat(
        [
            scores[labels[row, : len(scores)] != IGNORED]
            for row, scores in enumerate(plain(model, text, mask, image))
        ]
    )
    torch.testing.assert_close(logits_PV, expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(targets_P, labels[labels != IGNORED])
    assert 0 < len(targets_P) < int(mask.sum())


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_padding_changes_nothing(attention):
    model, (text, mask, image, labels) = build(attention=attention), inputs()
    expected = model(text, mask, image, labels)[0]
    noise = torch.where(mask[..., None] == 1, text, torch.full_like(text, 9.0))
    torch.testing.assert_close(model(noise, mask, image, labels)[0], expected)
    wider = [torch.nn.functional.pad(x, (0, 3), value=v) for x, v in ((mask, 0), (labels, IGNORED))]
    longer = torch.cat([text, torch.full((4, 3, WIDTH), -7.0)], dim=1)
    torch.testing.assert_close(model(longer, wider[0], image, wider[1])[0], expected)


def test_words_see_image_and_each_other_in_both_directions():
    model, (text, mask, image, labels) = build(), inputs()
    labels = torch.full_like(labels, IGNORED)
    labels[0, 2] = 1
    expected = model(text, mask, image, labels)[0]
    for position in (0, 6):
        changed = text.clone()
        changed[0, position] += torch.randn(WIDTH)
        assert not torch.allclose(model(changed, mask, image, labels)[0], expected)
    changed = image.clone()
    changed[0, 3] += torch.randn(WIDTH)
    assert not torch.allclose(model(text, mask, changed, labels)[0], expected)
    changed = image.clone()
    changed[1:] += 1
    torch.testing.assert_close(model(text, mask, changed, labels)[0], expected)


def test_nothing_to_guess_gives_no_scores():
    model, (text, mask, image, labels) = build(), inputs()
    logits_PV, targets_P = model(text, mask, image, torch.full_like(labels, IGNORED))
    assert logits_PV.shape == (0, VOCABULARY)
    assert targets_P.shape == (0,)


def test_weights_have_the_standard_deviations_of_the_paper():
    width, layers = 256, 3
    model = build(layers, 4, width)
    attention, projection = width**-0.5, width**-0.5 * (2 * layers) ** -0.5
    mlp = (2 * width) ** -0.5
    expected = {
        "cross_attention.in_proj_weight": attention,
        "cross_attention.out_proj.weight": projection,
        "dense.weight": mlp,
        "head.weight": projection,
    }
    for layer in range(layers):
        prefix = f"transformer.layers.{layer}."
        expected |= {f"{prefix}self_attn.{name}_proj.weight": attention for name in "qkv"}
        expected |= {
            f"{prefix}self_attn.out_proj.weight": projection,
            f"{prefix}mlp.fc1.weight": mlp,
            f"{prefix}mlp.fc2.weight": projection,
        }
    parameters = dict(model.named_parameters())
    for name, deviation in expected.items():
        assert parameters.pop(name).std().item() == pytest.approx(deviation, rel=0.03), name
    for name, parameter in parameters.items():
        constant = 1.0 if name.endswith("weight") else 0.0  # norms, and the biases of all
        assert (parameter == constant).all(), name


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="interaction_heads: 5 does not divide embedding_dim 32"):
        build(heads=5)
