import math

import pytest
import torch

from ubg.losses.clothing_match import clothing_match_loss
from ubg.losses.info_nce import info_nce_loss
from ubg.losses.itc import itc_loss
from ubg.losses.words import words_loss

EYE = torch.eye(2)


def features(count, seed=0):
    return torch.randn(count, 5, generator=torch.Generator().manual_seed(seed))


def naive(image, text, matches, scale):
    """Row by row, in double precision."""
    image, text = (torch.nn.functional.normalize(rows.double(), dim=1) for rows in (image, text))
    sides = []
    for rows, columns, same in ((image, text, matches), (text, image, matches.T)):
        terms = []
        for i in range(len(rows)):
            scores = [scale * float(rows[i] @ column) for column in columns]
            total = math.log(sum(math.exp(score) for score in scores))
            of_row = [total - scores[j] for j in range(len(columns)) if same[i, j]]
            if of_row:
                terms.append(sum(of_row) / len(of_row))
        sides.append(sum(terms) / len(terms))
    return sum(sides) / 2


def test_two_pairs_by_hand():
    # Cosines 1 on the diagonal and 0 beside it, scale 1: -ln(e / (e + 1)) in every row.
    expected = math.log(1 + math.exp(-1))
    assert info_nce_loss(3 * EYE, EYE, EYE.bool(), 1.0).item() == pytest.approx(expected)


def test_two_matches_in_a_row_share_it_by_hand():
    # All four match: half of each of -ln(e / (e + 1)) and -ln(1 / (e + 1)).
    expected = math.log(1 + math.e) - 0.5
    everything = torch.ones(2, 2, dtype=torch.bool)
    assert info_nce_loss(EYE, EYE, everything, 1.0).item() == pytest.approx(expected)


def test_with_one_match_in_a_row_it_is_itc():
    image, text = features(6), features(6, 1)
    ours = info_nce_loss(image, text, torch.eye(6).bool(), 20.0)
    assert ours.item() == pytest.approx(itc_loss(image, text, 20.0).item(), rel=1e-5)


def test_it_is_the_naive_one_also_where_rows_match_nothing():
    image, text = features(5), features(7, 1)
    matches = torch.rand(5, 7, generator=torch.Generator().manual_seed(2)) < 0.3
    matches[2], matches[:, 3] = False, False
    expected = naive(image, text, matches, 8.0)
    assert info_nce_loss(image, text, matches, 8.0).item() == pytest.approx(expected, rel=1e-5)


def test_nothing_that_matches_is_a_loss_of_nothing():
    image = features(3).requires_grad_()
    loss = info_nce_loss(image, features(3, 1), torch.zeros(3, 3, dtype=torch.bool), 5.0)
    loss.backward()
    assert loss.item() == 0
    assert not image.grad.any()


def match(text, is_matched, outfits=(0, 1), captions=(0, 1)):
    return clothing_match_loss(
        EYE, text, torch.tensor(outfits), torch.tensor(captions), torch.tensor(is_matched), 1.0
    )


def test_a_drawn_caption_is_a_negative_only_by_hand():
    # Image 0 and its caption are one pair; the caption given to image 1 was drawn.
    # To text: row 0 alone, -ln(e / (e + 1)); to image: column 0 alone, the same.
    expected = math.log(1 + math.exp(-1))
    assert match(EYE, [True, False]).item() == pytest.approx(expected)


def test_a_drawn_caption_is_pushed_away_and_never_drawn_near():
    text = torch.tensor([[1.0, 0.0], [0.6, 0.8]], requires_grad=True)
    match(text, [True, False]).backward()
    assert text.grad[1] @ EYE[0] > 0  # a step against the gradient takes it away from image 0
    assert not text.grad[1] @ EYE[1] > 0  # image 1, which lost its caption, asks for nothing


def test_same_outfit_and_same_words_match():
    by_outfit = match(EYE, [True, True], outfits=(3, 3))
    by_words = match(EYE, [True, True], captions=(5, 5))
    expected = math.log(1 + math.e) - 0.5
    assert by_outfit.item() == by_words.item() == pytest.approx(expected)


def test_words_are_as_likely_as_each_other_by_hand():
    words = torch.tensor([[True, True, False, False], [False] * 4])
    # Nothing known: ln 4. The second caption has no word, and counts for nothing.
    assert words_loss(torch.zeros(2, 4), words).item() == pytest.approx(math.log(4))
    sure = torch.tensor([[50.0, 50.0, 0.0, 0.0]])
    assert words_loss(sure, words[:1]).item() == pytest.approx(math.log(2))
