"""Rows of any length, no rows, rows without a match, nothing to predict: the value, or one line."""

import math
from functools import partial

import pytest
import torch

from ubg.losses.clothing_match import clothing_match_loss
from ubg.losses.cmpm import cmpm_loss
from ubg.losses.decouple import decouple_loss, hsic_loss
from ubg.losses.generation import IGNORED, generation_loss
from ubg.losses.generation_itc import generation_itc_loss
from ubg.losses.id import id_loss
from ubg.losses.info_nce import info_nce_loss
from ubg.losses.itc import itc_loss
from ubg.losses.mlm import mlm_loss
from ubg.losses.sdm import sdm_loss
from ubg.losses.words import words_loss

EPSILON = 1e-8
COUNT = 5
PIDS = torch.tensor([4, 4, 9, 2, 2])
COSINE_LOSSES = {
    "sdm": partial(sdm_loss, pids=PIDS, logit_scale=10.0),
    "soft_sdm": partial(sdm_loss, pids=PIDS, logit_scale=10.0, image_ids=torch.arange(COUNT)),
    "itc": partial(itc_loss, logit_scale=10.0),
    "info_nce": partial(info_nce_loss, matches=PIDS[:, None] == PIDS, logit_scale=10.0),
    "clothing_match": partial(
        clothing_match_loss,
        outfits=PIDS,
        captions=torch.arange(COUNT),
        is_matched=torch.arange(COUNT) > 0,
        logit_scale=10.0,
    ),
    "decouple": decouple_loss,
    "hsic": hsic_loss,
}


def features(seed):
    return torch.randn(COUNT, 7, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", COSINE_LOSSES)
@pytest.mark.parametrize(
    ("dtype", "exponent"),
    [
        (torch.float32, -100),
        (torch.float32, -40),
        (torch.float32, 100),
        (torch.bfloat16, -100),
        (torch.bfloat16, 100),
        (torch.float64, -900),
        (torch.float64, 900),
    ],
)
def test_the_length_of_a_row_plays_no_part(name, dtype, exponent):
    """One row of each side is that long, by a power of two, which rounds nothing."""
    loss, length = COSINE_LOSSES[name], torch.ones(COUNT, 1, dtype=dtype)
    length[1] = 2.0**exponent
    first, second = (features(seed).to(dtype).requires_grad_() for seed in (0, 1))
    expected = loss(first, second)
    expected.backward()
    scaled = (length * first).detach().requires_grad_()
    found = loss(scaled, length * second.detach())
    found.backward()
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(scaled.grad * length, first.grad)


def test_the_smallest_number_there_is_counts_as_a_row():
    image = torch.tensor([[1.4e-45, 0.0], [0.0, 1.0]])
    assert itc_loss(image, torch.eye(2), math.log(3)).item() == pytest.approx(math.log(4 / 3))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_a_row_of_zeros_is_as_near_to_everything_by_hand(dtype):
    # Logits (ln 3, 0) in the first row and column, (0, 0) in the second.
    image = torch.tensor([[1.0, 0.0], [0.0, 0.0]], dtype=dtype, requires_grad=True)
    rows = [(0.75, 0.25), (0.5, 0.5)]
    expected = sum(p * math.log(p / (1 + EPSILON)) + q * math.log(q / EPSILON) for p, q in rows)
    loss = sdm_loss(image, torch.eye(2, dtype=dtype), torch.tensor([4, 9]), math.log(3))
    loss.backward()
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert not image.grad.isnan().any()


@pytest.mark.parametrize("name", COSINE_LOSSES)
def test_zeros_alone_have_a_finite_loss(name):
    zeros = torch.zeros(2, COUNT, 7, requires_grad=True)
    loss = COSINE_LOSSES[name](zeros[0], zeros[1])
    loss.backward()
    assert loss.isfinite()
    assert zeros.grad.isfinite().all()


@pytest.mark.parametrize("length", [1e16, 1e30, 3e38, 1e200])
def test_cmpm_of_long_rows_is_that_of_the_sharpest_softmax_by_hand(length):
    rows = (length * torch.eye(2, dtype=torch.float64)).requires_grad_()
    pids = torch.tensor([3, 8])
    matched = cmpm_loss(rows, rows, pids)  # p = q
    crossed = cmpm_loss(rows, rows, pids, text_pids=pids.flip(0))  # p is 1 where q is 0
    (matched + crossed).backward()
    assert matched.item() == pytest.approx(0, abs=1e-6)
    assert crossed.item() == pytest.approx(-2 * math.log(EPSILON), rel=1e-6)
    assert rows.grad.isfinite().all()


MATCHING = {
    "sdm": partial(sdm_loss, logit_scale=math.log(3)),
    "cmpm": lambda image, text, pids, text_pids: cmpm_loss(
        math.log(3) * image, math.log(3) * text, pids, text_pids=text_pids
    ),
}


@pytest.mark.parametrize("name", MATCHING)
def test_a_row_without_a_match_has_no_term_and_is_a_negative_by_hand(name):
    # The second image and the second text match nothing. Logits (ln 3, 0) in both first rows.
    image = torch.eye(2, requires_grad=True)
    loss = MATCHING[name](
        image, torch.eye(2), pids=torch.tensor([4, 9]), text_pids=torch.tensor([4, 7])
    )
    loss.backward()
    row = 0.75 * math.log(0.75 / (1 + EPSILON)) + 0.25 * math.log(0.25 / EPSILON)
    assert loss.item() == pytest.approx(2 * row, rel=1e-5)
    assert image.grad.isfinite().all()
    assert image.grad[1].any()


@pytest.mark.parametrize("name", MATCHING)
def test_texts_without_an_image_leave_the_other_direction_as_it_is_by_hand(name):
    # Text logits (ln 3, 0) and (0, ln 3), of which the first alone has a match.
    image, text = torch.eye(2)[:1], torch.eye(2)
    loss = MATCHING[name](image, text, pids=torch.tensor([4]), text_pids=torch.tensor([4, 7]))
    image_row = 0.75 * math.log(0.75 / (1 + EPSILON)) + 0.25 * math.log(0.25 / EPSILON)
    assert loss.item() == pytest.approx(image_row, rel=1e-5)  # one image is no choice: ln 1


@pytest.mark.parametrize("name", MATCHING)
def test_where_nothing_matches_the_loss_is_zero(name):
    image = features(0).requires_grad_()
    loss = MATCHING[name](image, features(1), pids=PIDS, text_pids=PIDS + 100)
    loss.backward()
    assert loss.item() == 0
    assert not image.grad.any()


NO_ROWS, NO_IDS = torch.zeros(0, 7), torch.zeros(0, dtype=torch.long)


@pytest.mark.parametrize(
    "loss",
    [
        lambda: sdm_loss(NO_ROWS, NO_ROWS, NO_IDS, 1.0),
        lambda: sdm_loss(features(0), NO_ROWS, PIDS, 1.0, text_pids=NO_IDS),
        lambda: cmpm_loss(NO_ROWS, NO_ROWS, NO_IDS),
        lambda: itc_loss(NO_ROWS, NO_ROWS, 1.0),
        lambda: info_nce_loss(NO_ROWS, NO_ROWS, torch.ones(0, 0).bool(), 1.0),
        lambda: clothing_match_loss(NO_ROWS, NO_ROWS, NO_IDS, NO_IDS, NO_IDS.bool(), 1.0),
        lambda: decouple_loss(NO_ROWS, NO_ROWS),
        lambda: id_loss(NO_ROWS, NO_ROWS, NO_IDS),
        lambda: generation_itc_loss(torch.zeros(0, 0), 1.0),
        lambda: generation_itc_loss(torch.zeros(0, 0), 1.0, NO_IDS),
    ],
)
def test_a_batch_without_rows_is_one_line(loss):
    with pytest.raises(ValueError, match="a batch without rows has no loss; leave it out") as error:
        loss()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("ids", [NO_IDS, torch.full((COUNT,), IGNORED)])
@pytest.mark.parametrize(
    "loss",
    [generation_loss, partial(generation_loss, label_smoothing=0.1), mlm_loss],
)
def test_the_mean_over_nothing_to_predict_is_zero(loss, ids):
    logits = features(0)[: len(ids)].requires_grad_()
    found = loss(logits, ids)
    found.backward()
    assert found.item() == 0
    assert not logits.grad.any()


def test_one_sample_has_nothing_to_be_confused_with():
    row = torch.tensor([[1e-30, 1e-30]])
    assert sdm_loss(row, row, PIDS[:1], 50.0).item() == pytest.approx(0, abs=1e-6)
    assert cmpm_loss(row, row, PIDS[:1]).item() == pytest.approx(0, abs=1e-6)
    assert itc_loss(row, row, 50.0).item() == 0
    assert generation_itc_loss(row[:, :1], 1.0).item() == 0


@pytest.mark.parametrize("size", [1e10, 1e200])
def test_scores_of_float64_keep_their_differences_by_hand(size):
    """Both scores are the same, or one apart, which float32 would not tell at that size."""
    other = 1.0 if size == 1e10 else 0.0
    logits = torch.tensor([[size, size + other]], dtype=torch.float64)
    expected = math.log1p(math.exp(other))
    target = torch.tensor([0])
    for found in (
        id_loss(logits, logits, target),
        mlm_loss(logits, target),
        generation_loss(logits, target),
        words_loss(logits, torch.tensor([[True, False]])),
    ):
        assert found.dtype == torch.float32
        assert found.item() == pytest.approx(expected)
    evidence = torch.cat([logits, logits.flip(1)])  # the matches are the lower scores
    assert generation_itc_loss(evidence, 1.0).item() == pytest.approx(expected)


FEW = torch.tensor([0, 1])
OF_LOGITS = {
    "id": lambda logits: id_loss(logits, logits, FEW),
    "generation": lambda logits: generation_loss(logits, FEW, 0.1),
    "generation_itc": lambda logits: generation_itc_loss(logits, 1.0),
    "mlm": lambda logits: mlm_loss(logits, FEW),
    "words": lambda logits: words_loss(logits, torch.eye(2)),
}


@pytest.mark.parametrize("name", OF_LOGITS)
@pytest.mark.parametrize(
    ("dtype", "largest"),
    [(torch.float32, 3e38), (torch.bfloat16, 3e38), (torch.float64, 1e300)],
)
def test_a_loss_that_is_no_float32_is_inf_and_its_gradient_finite(name, dtype, largest):
    """Each row is wrong by twice the largest logit."""
    logits = (largest * torch.tensor([[-1.0, 1], [1, -1]], dtype=dtype)).requires_grad_()
    loss = OF_LOGITS[name](logits)
    loss.backward()
    assert loss.item() == math.inf
    assert logits.grad.isfinite().all()
