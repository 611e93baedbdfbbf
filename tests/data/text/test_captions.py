import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from ubg.data.text.captions import TOKENISE_AT_ONCE, TokenisedCaptions


class LetterTokenizer:
    """One token per character, and a final 1; padding is 0."""

    pad_token_id = 0

    def __call__(self, texts, **options):
        return {"input_ids": [[*(ord(letter) for letter in text), 1] for text in texts]}


def tokenised(texts, max_tokens=100):
    return TokenisedCaptions(LetterTokenizer(), texts, max_tokens)


@given(
    texts=st.lists(st.text("abc", max_size=12), min_size=1, max_size=10),
    max_tokens=st.integers(2, 8),
    data=st.data(),
)
def test_a_batch_is_padded_to_its_longest_caption(texts, max_tokens, data):
    captions = tokenised(texts, max_tokens)
    rows = data.draw(st.lists(st.integers(0, len(texts) - 1), min_size=1, max_size=12))
    expected = []
    for row in rows:
        ids = [*(ord(letter) for letter in texts[row]), 1]
        expected.append(ids if len(ids) <= max_tokens else [*ids[: max_tokens - 1], 1])
    longest = max(len(ids) for ids in expected)

    batch = captions.batch(np.array(rows))

    assert list(batch) == ["caption_ids_t5", "caption_attn_mask_t5"]
    ids_BT, mask_BT = batch.values()
    assert ids_BT.dtype == mask_BT.dtype == torch.int64
    assert ids_BT.tolist() == [ids + [0] * (longest - len(ids)) for ids in expected]
    assert mask_BT.tolist() == [[1] * len(i) + [0] * (longest - len(i)) for i in expected]
    assert captions.truncated == sum(len(text) + 1 > max_tokens for text in texts)


def test_captions_are_normalised_before_they_are_tokenised():
    ids = tokenised([" a\n\nb "]).batch(np.array([0]))["caption_ids_t5"]
    assert ids.tolist() == [[ord("a"), ord(" "), ord("b"), 1]]


def test_more_captions_than_are_tokenised_at_once_keep_their_order():
    texts = ["ab"[i % 2] * (i % 7) for i in range(TOKENISE_AT_ONCE + 3)]
    captions = tokenised(texts)
    assert len(captions) == len(texts)
    assert captions.lengths.tolist() == [len(text) + 1 for text in texts]
    last = captions.batch(np.array([len(texts) - 1]))["caption_ids_t5"]
    assert last.tolist() == [[*(ord(letter) for letter in texts[-1]), 1]]


def test_distinct_ids_are_those_of_a_set():
    captions = tokenised(["cab", "aab", ""])
    assert captions.distinct_ids().tolist() == sorted({0, 1} | {ord(letter) for letter in "abc"})
