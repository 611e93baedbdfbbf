import math

import pytest
import torch

from ubg.losses import cmpm_loss, itc_loss, sdm_loss

EPSILON = 1e-8


def naive_sdm(images, texts, image_pids, text_pids, scale, image_ids=None, text_image_ids=None):
    """Element by element in Python floats; soft labels (1, 0.3, 0) where image ids are given."""

    def label(i, j):
        if image_ids is not None and image_ids[i] == text_image_ids[j]:
            return 1.0
        same = image_pids[i] == text_pids[j]
        return (0.3 if image_ids is not None else 1.0) if same else 0.0

    def cosine(a, b):
        dot = sum(x * y for x, y in zip(a, b, strict=True))
        return dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(y * y for y in b))

    def one_direction(n, m, similarity, weight):
        total = 0.0
        for i in range(n):
            exponentials = [math.exp(scale * similarity(i, j)) for j in range(m)]
            weights = [weight(i, j) for j in range(m)]
            for j in range(m):
                p = exponentials[j] / sum(exponentials)
                q = weights[j] / sum(weights)
                total += p * math.log(p / (q + EPSILON))
        return total / n

    n, m = len(images), len(texts)
    image_to_text = one_direction(n, m, lambda i, j: cosine(images[i], texts[j]), label)
    text_to_image = one_direction(
        m, n, lambda j, i: cosine(images[i], texts[j]), lambda j, i: label(i, j)
    )
    return image_to_text + text_to_image


def test_hand_computed_pair():
    features = torch.eye(2)
    # Logits (ln 3, 0): p = (3/4, 1/4) in all four rows; q = (1, 0).
    row = 0.75 * math.log(0.75 / (1 + EPSILON)) + 0.25 * math.log(0.25 / EPSILON)
    loss = sdm_loss(features, features, torch.tensor([4, 9]), math.log(3))
    assert loss.item() == pytest.approx(2 * row, rel=1e-5)


def test_hand_computed_soft_labels():
    features = torch.eye(2)
    # The two images share an identity: q = (1, 0.3) / 1.3.
    row = 0.75 * math.log(0.75 * 1.3) + 0.25 * math.log(0.25 / 0.3 * 1.3)
    loss = sdm_loss(features, features, torch.tensor([4, 4]), math.log(3), torch.tensor([0, 1]))
    assert loss.item() == pytest.approx(2 * row, abs=1e-6)


@pytest.mark.parametrize("soft", [False, True])
def test_equals_naive_loop(soft):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(6, 5, generator=generator) * 3
    texts = torch.randn(6, 5, generator=generator)
    # Unequal row sums: dividing by the column's sum would give another value.
    pids, image_ids = [7, 7, 7, 2, 2, 5], [0, 0, 1, 2, 3, 4]
    expected = naive_sdm(
        images.tolist(),
        texts.tolist(),
        pids,
        pids,
        4.0,
        image_ids if soft else None,
        image_ids if soft else None,
    )
    loss = sdm_loss(
        images, texts, torch.tensor(pids), 4.0, torch.tensor(image_ids) if soft else None
    )
    assert loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("soft", [False, True])
def test_non_square_equals_naive_loop(soft):
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(3, 4, generator=generator)
    texts = torch.randn(5, 4, generator=generator)
    pids, text_pids = [0, 1, 1], [0, 1, 1, 0, 1]
    image_ids, text_image_ids = ([10, 11, 12], [10, 11, 12, 10, 11]) if soft else (None, None)
    expected = naive_sdm(
        images.tolist(), texts.tolist(), pids, text_pids, 4.0, image_ids, text_image_ids
    )
    loss = sdm_loss(
        images,
        texts,
        torch.tensor(pids),
        4.0,
        torch.tensor(image_ids) if soft else None,
        text_pids=torch.tensor(text_pids),
        text_image_ids=torch.tensor(text_image_ids) if soft else None,
    )
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_same_identity_one_is_the_hard_loss():
    generator = torch.Generator().manual_seed(2)
    images, texts = torch.randn(2, 6, 8, generator=generator)
    pids = torch.tensor([0, 0, 1, 1, 2, 2])
    hard = sdm_loss(images, texts, pids, 50.0)
    soft = sdm_loss(images, texts, pids, 50.0, torch.arange(6), same_identity=1.0)
    torch.testing.assert_close(hard, soft)


def test_length_of_features_does_not_matter():
    generator = torch.Generator().manual_seed(3)
    images, texts = torch.randn(2, 4, 8, generator=generator)
    pids = torch.arange(4)
    torch.testing.assert_close(
        sdm_loss(images, texts, pids, 50.0), sdm_loss(7 * images, 0.1 * texts, pids, 50.0)
    )


def test_float32_under_autocast():
    generator = torch.Generator().manual_seed(4)
    images, texts = torch.randn(2, 8, 64, generator=generator)
    pids = torch.arange(8)
    expected = sdm_loss(images, texts, pids, 50.0)
    with torch.autocast("cpu", torch.bfloat16):
        loss = sdm_loss(images, texts, pids, 50.0)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, expected)


def test_gradients_are_finite_at_the_scale_of_the_paper():
    generator = torch.Generator().manual_seed(5)
    images, texts = torch.randn(2, 8, 16, generator=generator).requires_grad_().unbind()
    images.retain_grad()
    sdm_loss(images, texts, torch.arange(8), torch.tensor(50.0)).backward()
    assert images.grad.isfinite().all()
    assert images.grad.abs().sum() > 0


@pytest.mark.parametrize("loss", [sdm_loss, itc_loss, cmpm_loss])
def test_features_of_any_length_and_none_at_all(loss):
    """The length of a row plays no part, but in CMPM, which only has to be finite then."""
    generator = torch.Generator().manual_seed(0)
    images, texts = torch.randn(2, 5, 7, generator=generator)
    rest = () if loss is cmpm_loss else (10.0,)
    pids = () if loss is itc_loss else (torch.arange(5),)
    long = (1e30 * images).requires_grad_()
    found = loss(long, 1e30 * texts, *pids, *rest)
    found.backward()
    assert torch.isfinite(found)
    assert torch.isfinite(long.grad).all()
    if loss is not cmpm_loss:
        torch.testing.assert_close(found, loss(images, texts, *pids, *rest))
    with pytest.raises(ValueError, match="a batch without rows has no loss"):
        loss(images[:0], texts[:0], *(p[:0] for p in pids), *rest)
