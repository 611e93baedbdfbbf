"""The decoder equals the library's where that can compute it, and looks where it may."""

import pytest
import torch

from ubg.systems.phase4.decoder import UNKNOWN, CodeDecoder, DecoderSizes

QUERIES, LENGTH, WIDTH, CODES = 6, 9, 24, 20
ATTENTION = pytest.mark.parametrize("attention", ["eager", "sdpa"])
CAUSAL = pytest.mark.parametrize("causal", [True, False])


def make(causal, attention="eager", layers=2):
    torch.manual_seed(0)
    sizes = DecoderSizes(
        width=WIDTH, layers=layers, heads=2, mlp_width=48, codes=CODES, length=LENGTH
    )
    return CodeDecoder(sizes, 0.1, causal, attention).eval()


def inputs(batch=3):
    generator = torch.Generator().manual_seed(1)
    known = torch.randint(0, CODES, (batch, QUERIES), generator=generator)
    known[:, 2] = UNKNOWN
    position = torch.stack(
        [torch.randperm(LENGTH, generator=generator)[:QUERIES].sort()[0] for _ in range(batch)]
    )
    condition = torch.randn(batch, 5, WIDTH, generator=generator)
    condition_mask = torch.tensor([[1] * 5, [1, 1, 0, 0, 1], [1, 0, 0, 0, 0]])[:batch]
    return known, position, torch.ones(batch, QUERIES, dtype=torch.long), condition, condition_mask


@ATTENTION
def test_causal_decoding_of_the_first_positions_is_the_librarys(attention):
    decoder = make(causal=True, attention=attention)
    known, _, mask, condition, condition_mask = inputs()
    position = torch.arange(QUERIES).expand(3, -1)
    ids = torch.where(known == UNKNOWN, CODES, known)
    expected = decoder.stack(
        inputs_embeds=decoder.stack.embed_tokens(ids) + decoder.position_embedding(position),
        attention_mask=mask,
        encoder_hidden_states=condition,
        encoder_attention_mask=condition_mask,
        use_cache=False,
    ).last_hidden_state
    found = decoder(known, position, mask, condition, condition_mask)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@ATTENTION
@CAUSAL
def test_a_later_code_is_seen_by_earlier_queries_only_in_parallel(causal, attention):
    decoder = make(causal, attention)
    known, *rest = inputs()
    before = decoder(known, *rest)
    changed = known.clone()
    changed[:, 4] = (changed[:, 4] + 1) % CODES
    after = decoder(changed, *rest)
    assert torch.allclose(before[:, :4], after[:, :4], atol=1e-6) == causal
    assert not torch.allclose(before[:, 4:], after[:, 4:], atol=1e-4)


@ATTENTION
@CAUSAL
def test_padding_has_no_influence_and_a_sample_is_decoded_alike_in_every_batch(causal, attention):
    decoder = make(causal, attention)
    known, position, mask, condition, condition_mask = inputs()
    mask[0, 4:], mask[2, 1:] = 0, 0
    found = decoder(known, position, mask, condition, condition_mask)
    for row, count in enumerate((4, 6, 1)):
        seen = condition_mask[row].bool()
        alone = decoder(
            known[row : row + 1, :count],
            position[row : row + 1, :count],
            mask[row : row + 1, :count],
            condition[row : row + 1, seen],
            condition_mask[row : row + 1, seen],
        )
        torch.testing.assert_close(found[row, :count], alone[0], atol=1e-5, rtol=1e-5)


def test_parallel_queries_in_another_order_give_the_same():
    decoder = make(causal=False)
    known, position, mask, condition, condition_mask = inputs()
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    found = decoder(known[:, order], position[:, order], mask, condition, condition_mask)
    expected = decoder(known, position, mask, condition, condition_mask)[:, order]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_parallel_queries_tell_places_behind_them_apart():
    """By T5's bias alone: without learned places, moving the last query must show in the first."""
    decoder = make(causal=False, layers=1)
    torch.nn.init.zeros_(decoder.position_embedding.weight)
    torch.nn.init.normal_(
        decoder.stack.block[0].layer[0].SelfAttention.relative_attention_bias.weight, std=2
    )
    known, _, mask, condition, condition_mask = inputs()
    near, far = torch.tensor([[0, 1, 2, 3, 4, 5]] * 3), torch.tensor([[0, 1, 2, 3, 4, 8]] * 3)
    found = decoder(known, near, mask, condition, condition_mask)
    moved = decoder(known, far, mask, condition, condition_mask)
    assert not torch.allclose(found[:, 0], moved[:, 0], atol=1e-4)


def test_the_head_has_a_score_for_every_code_and_none_for_unknown():
    decoder = make(causal=False)
    assert decoder.head(decoder(*inputs())).shape == (3, QUERIES, CODES)
    assert decoder.stack.embed_tokens.num_embeddings == CODES + 1
