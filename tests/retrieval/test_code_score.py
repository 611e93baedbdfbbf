"""The second score is a sum over the places of an image, whatever batches it comes from."""

import math
from dataclasses import replace

import numpy as np
import pytest
import sections
from tiny_trained import Letters, ToyScore

from ubg.data.annotations.table import read_annotations
from ubg.data.images.image_pack import ImagePack
from ubg.data.images.pack import pack_images
from ubg.data.text.captions import TokenisedCaptions
from ubg.retrieval import code_score
from ubg.retrieval.code_score import code_scores, score_captions, score_pairs
from ubg.retrieval.counting import sum_at_codes
from ubg.retrieval.encode import make_split


def naive_sums(evidence_BLV, codes_IL):
    sums_BI = np.empty((len(evidence_BLV), len(codes_IL)), np.float32)
    for b, evidence_LV in enumerate(evidence_BLV):
        for i, codes_L in enumerate(codes_IL):
            sums_BI[b, i] = math.fsum(
                evidence_LV[place, code] for place, code in enumerate(codes_L)
            )
    return sums_BI


@pytest.mark.parametrize(("batch", "places", "codes", "images"), [(1, 1, 1, 1), (5, 12, 7, 40)])
def test_compiled_sums_are_the_naive_ones(batch, places, codes, images):
    generator = np.random.default_rng(0)
    evidence = generator.standard_normal((batch, places, codes)).astype(np.float32)
    codes_IL = generator.integers(0, codes, (images, places)).astype(np.int32)
    found = np.empty((batch, images), np.float32)
    sum_at_codes(evidence, np.ascontiguousarray(codes_IL.T), found)
    np.testing.assert_array_equal(found, naive_sums(evidence, codes_IL))


@pytest.fixture
def data(cuhk_root, tmp_path):
    table = read_annotations("cuhk_pedes", cuhk_root)
    pack_images(table, cuhk_root / "imgs", sections.image(height=32, width=16), tmp_path / "images")
    return make_split(table, "test", Letters(), 77), ImagePack(tmp_path / "images")


@pytest.mark.parametrize("batch_size", [1, 3, 8, 100])
@pytest.mark.parametrize("max_evidence", [1, 100, 32_000_000])
def test_scores_are_of_each_caption_and_image_whatever_the_batch(
    data, monkeypatch, batch_size, max_evidence
):
    monkeypatch.setattr(code_score, "MAX_EVIDENCE", max_evidence)
    split, pack = data
    score = ToyScore()
    found = code_scores(score, split, pack, batch_size, quiet=True)
    assert max(score.asked) <= max(1, min(batch_size, max_evidence // (8 * 5)))
    assert sum(score.asked) == len(split.captions)

    codes_IL = score.image_codes(pack.read(pack.row_of(split.image_ids)))
    assert len(np.unique(codes_IL)) > 1
    every = score.caption_evidence(split.captions.batch(np.arange(len(split.captions))))
    np.testing.assert_array_equal(found, naive_sums(every.numpy(), codes_IL))


@pytest.mark.parametrize("batch_size", [2, 100])
def test_pairs_score_as_in_the_whole_matrix_and_read_each_caption_once(data, batch_size):
    split, pack = data
    score = ToyScore()
    codes_IL = score.image_codes(pack.read(pack.row_of(split.image_ids)))
    whole_TI = score_captions(score, split.captions, codes_IL, 8, "cpu")
    score.asked.clear()
    pairs = np.random.default_rng(0).integers(0, whole_TI.shape, (30, 2))
    found = score_pairs(score, split.captions, codes_IL, pairs, batch_size, "cpu")
    np.testing.assert_allclose(found, whole_TI[pairs[:, 0], pairs[:, 1]], rtol=1e-6)
    assert sum(score.asked) == len(split.captions)


def test_equal_images_and_equal_captions_score_exactly_the_same(data):
    split, pack = data
    twice = replace(
        split,
        image_ids=np.concatenate([split.image_ids, split.image_ids[::-1]]),
        captions=TokenisedCaptions(
            Letters(), [*split.table["caption"], *split.table["caption"][::-1]], 77
        ),
    )
    found = code_scores(ToyScore(), twice, pack, 3, quiet=True)
    captions, images = len(split.captions), len(split.image_ids)
    np.testing.assert_array_equal(found[:, images:], found[:, images - 1 :: -1])
    np.testing.assert_array_equal(found[captions:], found[captions - 1 :: -1])


def test_codes_that_the_evidence_does_not_have_are_noticed(data):
    split, _ = data
    for code in (-1, 5):
        codes_IL = np.full((2, 8), code, np.int32)
        with pytest.raises(AssertionError, match="checks no bounds"):
            score_captions(ToyScore(), split.captions, codes_IL, 4, "cpu")
