"""Which tokens are hidden: shares within binomial bounds, and what never happens."""

import numpy as np
import pytest
import torch

from ubg.data.text.captions import CLIP_FIELDS, TokenisedCaptions
from ubg.data.text.tokenizers import clip_tokenizer
from ubg.systems.irra.word_masking import IGNORED, CaptionMasking, caption_masking

WORDS, START, END, MASK = 1000, 1000, 1001, 1002


def captions_of(size, longest=20, seed=0):
    """Ids and mask of captions of 3 to `longest` tokens; padding is END, as CLIP's."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, longest + 1, size)
    ids_BT = rng.integers(0, WORDS, (size, longest))
    mask_BT = np.arange(longest) < lengths[:, None]
    ids_BT[:, 0] = START
    ids_BT[np.arange(size), lengths - 1] = END
    ids_BT[~mask_BT] = END
    return torch.from_numpy(ids_BT), torch.from_numpy(mask_BT.astype(np.int64))


def masked(ids_BT, mask_BT, epoch=0, seed=1, caption_ids=None, ratio=0.15):
    caption_ids = np.arange(len(ids_BT)) if caption_ids is None else caption_ids
    masking = CaptionMasking(ratio, WORDS, MASK, seed)
    fields = masking.fields(epoch, caption_ids, ids_BT, mask_BT)
    assert list(fields) == ["mlm_ids", "mlm_labels"]
    return fields["mlm_ids"], fields["mlm_labels"]


def assert_share(successes, trials, expected):
    """Within five standard deviations of a binomial."""
    deviation = (expected * (1 - expected) / trials) ** 0.5
    assert abs(successes / trials - expected) < 5 * deviation, successes / trials


def test_shares_are_those_of_bert():
    ids_BT, mask_BT = captions_of(4000, longest=60)
    long = mask_BT.sum(1) > 40  # so that hardly one caption draws nothing
    ids_BT, mask_BT = ids_BT[long], mask_BT[long]
    mlm_ids, labels = masked(ids_BT, mask_BT)
    scored = labels != IGNORED
    count = int(scored.sum())
    assert_share(count, int((mask_BT.sum(1) - 2).sum()), 0.15)
    hidden = (mlm_ids == MASK) & scored
    changed = (mlm_ids != ids_BT) & scored & ~hidden
    assert_share(int(hidden.sum()), count, 0.8)
    assert_share(int(changed.sum()), count, 0.1 * (1 - 1 / WORDS))
    replacements = mlm_ids[changed]
    assert replacements.max() < WORDS
    assert_share(int((replacements < WORDS // 4).sum()), len(replacements), 0.25)
    # Every position of a caption is as likely as any other.
    for position in (1, 20, 38):
        assert_share(int(scored[:, position].sum()), len(scored), 0.15)


def test_labels_are_the_tokens_that_were_there_and_nothing_else_changes():
    ids_BT, mask_BT = captions_of(300)
    before = ids_BT.clone()
    mlm_ids, labels = masked(ids_BT, mask_BT)
    scored = labels != IGNORED
    assert torch.equal(ids_BT, before)
    assert torch.equal(labels[scored], ids_BT[scored])
    assert torch.equal(mlm_ids[~scored], ids_BT[~scored])
    assert mlm_ids.dtype == labels.dtype == torch.int64


@pytest.mark.parametrize("ratio", [0.001, 0.15, 1.0])
def test_special_tokens_and_padding_are_never_scored_and_every_caption_has_one(ratio):
    ids_BT, mask_BT = captions_of(500)
    _, labels = masked(ids_BT, mask_BT, ratio=ratio)
    scored = labels != IGNORED
    assert not scored[(mask_BT == 0) | (ids_BT >= WORDS)].any()
    assert (scored.sum(1) >= 1).all()
    if ratio == 1.0:
        assert torch.equal(scored, (mask_BT == 1) & (ids_BT < WORDS))
    if ratio == 0.001:  # the one is any token of the caption
        assert len(set(scored.int().argmax(1).tolist())) > 15


def test_caption_without_a_word_has_nothing_to_guess():
    ids_BT, mask_BT = torch.tensor([[START, END, END]]), torch.tensor([[1, 1, 0]])
    mlm_ids, labels = masked(ids_BT, mask_BT)
    assert torch.equal(mlm_ids, ids_BT)
    assert (labels == IGNORED).all()


def test_a_caption_is_masked_alike_whatever_else_is_in_the_batch():
    ids_BT, mask_BT = captions_of(50)
    captions = np.arange(100, 150)
    mlm_ids, labels = masked(ids_BT, mask_BT, 3, caption_ids=captions)
    for rows in ([7], [49, 7, 0], list(range(0, 50, 3))):
        longest = int(mask_BT[rows].sum(1).max())
        part = ids_BT[rows][:, :longest], mask_BT[rows][:, :longest]
        found_ids, found_labels = masked(*part, 3, caption_ids=captions[rows])
        assert torch.equal(found_ids, mlm_ids[rows][:, :longest])
        assert torch.equal(found_labels, labels[rows][:, :longest])


def test_seed_epoch_and_caption_change_the_draws():
    ids_BT, mask_BT = captions_of(200)
    reference = masked(ids_BT, mask_BT)[1]
    others = [
        masked(ids_BT, mask_BT, epoch=1),
        masked(ids_BT, mask_BT, seed=2),
        masked(ids_BT, mask_BT, caption_ids=np.arange(1, 201)),
    ]
    for _, labels in others:
        alike = (labels == reference).all(dim=1)
        assert alike.float().mean() < 0.3


def test_clip_captions_keep_their_ends_and_the_mask_token_follows_the_vocabulary():
    tokenizer = clip_tokenizer()
    masking = caption_masking(tokenizer, ratio=1.0, seed=0)
    assert masking.mask_id == len(tokenizer) == 49408
    captions = TokenisedCaptions(tokenizer, ["a red coat", "jeans"], 77, CLIP_FIELDS)
    batch = captions.batch(np.array([0, 1]))
    ids_BT, mask_BT = (batch[name] for name in CLIP_FIELDS)
    labels = masking.fields(0, np.array([0, 1]), ids_BT, mask_BT)["mlm_labels"]
    assert (labels != IGNORED).tolist() == [
        [False, True, True, True, False],
        [False, True] + [False] * 3,
    ]


def test_labels_are_places_among_the_tokens_seen():
    ids_BT, mask_BT = captions_of(50)
    seen_ids = np.unique(ids_BT.numpy())
    everywhere = CaptionMasking(0.3, WORDS, MASK, seed=1)
    among_seen = CaptionMasking(0.3, WORDS, MASK, seed=1, seen_ids=seen_ids)
    rows = np.arange(50)
    plain, placed = (m.fields(0, rows, ids_BT, mask_BT) for m in (everywhere, among_seen))
    assert torch.equal(plain["mlm_ids"], placed["mlm_ids"])
    scored = plain["mlm_labels"] != IGNORED
    assert torch.equal(scored, placed["mlm_labels"] != IGNORED)
    labels = placed["mlm_labels"][scored].numpy()
    np.testing.assert_array_equal(seen_ids[labels], plain["mlm_labels"][scored].numpy())
    assert (everywhere.guessed, among_seen.guessed) == (None, len(seen_ids))
