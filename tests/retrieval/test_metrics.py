from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ubg.retrieval import ranking
from ubg.retrieval.counting import MANY
from ubg.retrieval.metrics import bidirectional_metrics, retrieval_metrics, summarise
from ubg.retrieval.ranking import bidirectional_ranks, relevant_ranks


def whole_features(features):
    """L2-normalised rows as whole multiples of 2^-26, so that integer products are exact."""
    features = features.astype(np.float64)
    lengths = np.sqrt((features**2).sum(axis=1, keepdims=True))
    scaled = 2.0**26 * np.divide(features, lengths, out=np.zeros_like(features), where=lengths > 0)
    return np.rint(scaled).astype(np.int64)


def whole_similarity(texts, images, added):
    """Cosine and second score in units of 2^-52, as Python's own integers."""
    units = np.rint(2.0**26 * added.astype(np.float64)).astype(np.int64).astype(object)
    cosines = whole_features(texts).astype(object) @ whole_features(images).astype(object).T
    return cosines + units * 2**26


def sorted_ranks(similarity, query_pids, gallery_pids):
    """Ranks of the relevant items of each query by a stable sort of the whole gallery."""
    order = np.argsort(-similarity, axis=1, kind="stable")
    relevant = gallery_pids[order] == query_pids[:, None]
    return [np.flatnonzero(row) + 1 for row in relevant]


def naive_metrics(ranks):
    average_precision = [np.mean(np.arange(1, len(row) + 1) / row) for row in ranks]
    return {
        "r1": 100 * np.mean([row[0] <= 1 for row in ranks]),
        "r5": 100 * np.mean([row[0] <= 5 for row in ranks]),
        "r10": 100 * np.mean([row[0] <= 10 for row in ranks]),
        "map": 100 * np.mean(average_precision),
        "minp": 100 * np.mean([len(row) / row[-1] for row in ranks]),
    }


def assert_equals_oracle(texts, images, text_pids, image_pids, similarity, added=None):
    expected = {
        "t2i": sorted_ranks(similarity, text_pids, image_pids),
        "i2t": sorted_ranks(similarity.T, image_pids, text_pids),
    }
    found = dict(
        zip(
            ("t2i", "i2t"),
            bidirectional_ranks(texts, images, text_pids, image_pids, added),
            strict=True,
        )
    )
    for direction, result in found.items():
        np.testing.assert_array_equal(result.ranks, np.concatenate(expected[direction]))
        assert summarise(result) == pytest.approx(naive_metrics(expected[direction]))
    if added is not None:
        return
    one_way = relevant_ranks(texts, images, text_pids, image_pids)
    np.testing.assert_array_equal(one_way.ranks, found["t2i"].ranks)
    np.testing.assert_array_equal(one_way.items, found["t2i"].items)


def test_takes_lists_arrays_and_tensors_alike():
    features = [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]]
    of_lists = retrieval_metrics(features, features[::-1], [0, 1, 0], [1, 0, 0])
    rows, pids, others = np.array(features), np.array([0, 1, 0]), np.array([1, 0, 0])
    assert of_lists == retrieval_metrics(rows, rows[::-1], pids, others)
    tensors = torch.tensor(features), torch.tensor(features[::-1])
    assert of_lists == retrieval_metrics(*tensors, torch.tensor(pids), torch.tensor(others))


def angles(*degrees):
    radians = np.deg2rad(np.array(degrees, np.float32))
    return np.stack([np.cos(radians), np.sin(radians)], axis=1)


def test_hand_computed():
    queries, query_pids = angles(0, 90), np.array([7, 3])
    gallery, gallery_pids = angles(5, 20, 40, 60), np.array([7, 3, 7, 8])
    # Query 0 ranks 0 1 2 3: relevant at 1 and 3. Query 1 ranks 3 2 1 0: relevant at 3.
    assert retrieval_metrics(queries, gallery, query_pids, gallery_pids) == pytest.approx(
        {
            "r1": 50.0,
            "r5": 100.0,
            "r10": 100.0,
            "map": 100 * ((1 + 2 / 3) / 2 + 1 / 3) / 2,
            "minp": 100 * (2 / 3 + 1 / 3) / 2,
        }
    )


def test_ranking_of_each_query():
    queries, query_pids = angles(0, 90), np.array([7, 3])
    gallery, gallery_pids = angles(5, 20, 40, 60), np.array([7, 3, 7, 8])
    result = relevant_ranks(queries, gallery, query_pids, gallery_pids)
    np.testing.assert_array_equal(result.first_rank, [1, 3])
    np.testing.assert_array_equal(result.ranks, [1, 3, 3])
    np.testing.assert_array_equal(result.items, [0, 2, 1])
    np.testing.assert_allclose(result.average_precision, [(1 + 2 / 3) / 2, 1 / 3])
    np.testing.assert_allclose(result.inverse_negative_penalty, [2 / 3, 1 / 3])
    np.testing.assert_allclose(result.cmc(6), [50, 50, 100, 100, 100, 100])


def test_ties_go_to_the_lower_index():
    gallery = angles(30, 30, 30)
    query_pids, gallery_pids = np.array([4, 5, 6]), np.array([6, 4, 5])
    result = relevant_ranks(angles(0, 0, 0), gallery, query_pids, gallery_pids)
    np.testing.assert_array_equal(result.ranks, [2, 3, 1])


def test_tells_apart_what_float32_products_cannot():
    gallery = np.array([[1, 4e-4], [1, 3e-4]], np.float64)
    query = np.array([[1.0, 0.0]])
    result = relevant_ranks(query, gallery, np.array([1]), np.array([1, 0]))
    np.testing.assert_array_equal(result.ranks, [2])


@st.composite
def retrievals(draw):
    """Few distinct rows in few dimensions: most similarities are tied, rows of zeros included."""
    identities = draw(st.integers(1, 6))
    dimensions = draw(st.integers(1, 5))
    value = st.integers(-2, 2)
    row = st.lists(value, min_size=dimensions, max_size=dimensions)
    distinct = np.array(draw(st.lists(row, min_size=1, max_size=6)), np.float32)

    def side():
        more = draw(st.lists(st.integers(0, identities - 1), max_size=30))
        pids = draw(st.permutations([*range(identities), *more]))
        rows = st.integers(0, len(distinct) - 1)
        picked = draw(st.lists(rows, min_size=len(pids), max_size=len(pids)))
        return distinct[picked], np.array(pids)

    return *side(), *side()


@settings(deadline=None, max_examples=150)
@given(retrievals(), st.integers(1, 9), st.integers(1, 9))
def test_equals_stable_sort_with_many_ties(retrieval, tile_rows, tile_columns):
    texts, text_pids, images, image_pids = retrieval
    similarity = whole_features(texts) @ whole_features(images).T
    with (
        patch.object(ranking, "TILE_ROWS", tile_rows),
        patch.object(ranking, "TILE_COLUMNS", tile_columns),
    ):
        assert_equals_oracle(texts, images, text_pids, image_pids, similarity)


@pytest.mark.parametrize("noise", [0.5, 2.0, 1e3])
@pytest.mark.parametrize("tile", [(64, 160), (512, 2048)])
def test_equals_stable_sort_with_duplicated_images_and_captions(noise, tile):
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((60, 96))

    def side(count):
        pids = np.concatenate([np.arange(60), generator.integers(0, 60, count - 60)])
        pids = generator.permutation(pids)
        features = centres[pids] + noise * generator.standard_normal((count, 96))
        copies = generator.integers(0, count, count // 4)  # also of other identities
        features[copies] = features[generator.permutation(copies)]
        return features.astype(np.float32), pids

    texts, text_pids = side(700)
    images, image_pids = side(390)
    similarity = whole_features(texts) @ whole_features(images).T
    with patch.multiple(ranking, TILE_ROWS=tile[0], TILE_COLUMNS=tile[1]):
        assert_equals_oracle(texts, images, text_pids, image_pids, similarity)


@pytest.mark.parametrize("distinct", [3, 40, 2000])
@pytest.mark.parametrize("tile", [(64, 160), (512, 512)])
@pytest.mark.parametrize("second", [False, True])
def test_identities_of_many_images_equal_a_stable_sort_too(distinct, tile, second):
    """One identity has almost everything, and others have few; with copies, most are tied."""
    generator = np.random.default_rng(6)
    pids = np.concatenate([np.zeros(MANY + 150, np.int64), np.arange(60) % 12])
    text_pids, image_pids = generator.permutation(pids), generator.permutation(pids[:-20])
    rows = generator.standard_normal((distinct, 8)).astype(np.float32)
    texts = rows[generator.integers(0, distinct, len(text_pids))]
    images = rows[generator.integers(0, distinct, len(image_pids))]
    added = None
    similarity = whole_features(texts) @ whole_features(images).T
    if second:
        added = generator.choice([0.0, 0.1, 2.0**-26], similarity.shape).astype(np.float32)
        similarity = whole_similarity(texts, images, added)
    with patch.multiple(ranking, TILE_ROWS=tile[0], TILE_COLUMNS=tile[1]):
        assert_equals_oracle(texts, images, text_pids, image_pids, similarity, added)


@st.composite
def retrievals_by_two_scores(draw):
    """Sums of few values whose float32 roundings differ where their integers may not."""
    retrieval = draw(retrievals())
    texts, _, images, _ = retrieval
    value = st.sampled_from([0.0, 2.0**-27, 2.0**-26, -(2.0**-25), 0.1, 0.1 + 2.0**-26, 16, -16])
    distinct = np.array(draw(st.lists(value, min_size=1, max_size=4)), np.float32)
    seed = draw(st.integers(0, 1000))
    picked = np.random.default_rng(seed).integers(0, len(distinct), (len(texts), len(images)))
    return retrieval, distinct[picked]


@settings(deadline=None, max_examples=150)
@given(retrievals_by_two_scores(), st.integers(1, 9), st.integers(1, 9))
def test_both_scores_equal_a_stable_sort_of_whole_numbers(both, tile_rows, tile_columns):
    (texts, text_pids, images, image_pids), added = both
    similarity = whole_similarity(texts, images, added)
    with patch.multiple(ranking, TILE_ROWS=tile_rows, TILE_COLUMNS=tile_columns):
        assert_equals_oracle(texts, images, text_pids, image_pids, similarity, added)


@pytest.mark.parametrize("largest", [1e-7, 0.3, 16])
@pytest.mark.parametrize("tile", [(64, 160), (512, 2048)])
def test_both_scores_of_duplicated_images_and_captions(largest, tile):
    generator = np.random.default_rng(4)
    texts, images = generator.integers(0, 25, 300), generator.integers(0, 20, 190)
    text_pids, image_pids = np.arange(300) % 30, np.arange(190) % 30
    features = generator.standard_normal((25, 96)).astype(np.float32)
    added = generator.uniform(-largest, largest, (25, 20)).astype(np.float32)[texts][:, images]
    texts, images = features[texts], features[images]
    similarity = whole_similarity(texts, images, added)
    with patch.multiple(ranking, TILE_ROWS=tile[0], TILE_COLUMNS=tile[1]):
        assert_equals_oracle(texts, images, text_pids, image_pids, similarity, added)


def test_both_scores_tell_apart_what_float32_sums_cannot():
    """Cosines 2^-25 apart beside a score of 15.5, where float32 values are 2^-20 apart."""
    images = np.array([[1.0, 2.0**-12], [1.0, 0.0], [1.0, 0.0]])
    pids, added = np.array([1, 1, 1]), np.full((1, 3), 15.5, np.float32)
    found, _ = bidirectional_ranks(images[1:2], images, pids[:1], pids, added)
    np.testing.assert_array_equal(found.items, [1, 2, 0])


def test_a_second_score_of_zeros_changes_nothing_and_takes_every_kind_of_array():
    generator = np.random.default_rng(5)
    texts, images = generator.standard_normal((2, 40, 8)).astype(np.float32)
    pids = np.arange(40) % 10
    alone = bidirectional_ranks(texts, images, pids, pids)
    for zeros in (
        np.zeros((40, 40), np.float32),
        np.zeros((40, 40), np.float64, order="F"),
        torch.zeros(40, 40, dtype=torch.bfloat16),
    ):
        both = bidirectional_ranks(texts, images, pids, pids, zeros)
        for found, expected in zip(both, alone, strict=True):
            np.testing.assert_array_equal(found.ranks, expected.ranks)
            np.testing.assert_array_equal(found.items, expected.items)


@pytest.mark.parametrize(
    ("added", "message"),
    [
        (np.zeros((4, 5)), r"added_TI: shape \(4, 5\) for 5 texts and 5 images"),
        (np.zeros(25), r"added_TI: shape \(25,\) for 5 texts"),
        (np.full((5, 5), 16.5), r"added_TI: scores from 16.5 to 16.5; .* a smaller weight"),
        (np.full((5, 5), -17), "added_TI: scores from -17 to -17"),
        (np.diag([0, 0, np.nan, 0, 0]), "added_TI: scores from nan to nan; each must be finite"),
        (np.diag([0, 0, np.inf, 0, 0]), "added_TI: scores from 0 to inf; each must be finite"),
    ],
)
def test_a_wrong_second_score_is_one_line(added, message):
    with pytest.raises(ValueError, match=message) as error:
        bidirectional_ranks(FEATURES, FEATURES, PIDS, PIDS, added)
    assert "\n" not in str(error.value)


def test_equals_plain_cosines_where_nothing_is_tied():
    generator = np.random.default_rng(1)
    texts = generator.standard_normal((150, 64))
    images = generator.standard_normal((130, 64))
    text_pids, image_pids = np.arange(150) % 40, np.arange(130) % 40
    similarity = (texts / np.linalg.norm(texts, axis=1, keepdims=True)) @ (
        images / np.linalg.norm(images, axis=1, keepdims=True)
    ).T
    assert_equals_oracle(texts, images, text_pids, image_pids, similarity)


def test_collapsed_features_rank_by_index():
    features = np.tile(np.random.default_rng(2).standard_normal((1, 48)), (300, 1))
    pids = np.arange(300)
    result = relevant_ranks(features, features, pids, pids)
    np.testing.assert_array_equal(result.ranks, pids + 1)


def test_torch_and_numpy_agree():
    generator = torch.Generator().manual_seed(0)
    texts = torch.randn(60, 16, generator=generator).bfloat16().requires_grad_()
    images = torch.randn(50, 16, generator=generator).double()
    text_pids, image_pids = torch.arange(60) % 20, torch.arange(50, dtype=torch.int16) % 20
    expected = bidirectional_metrics(
        texts.detach().float().numpy(), images.numpy(), text_pids.numpy(), image_pids.numpy()
    )
    assert bidirectional_metrics(texts, images, text_pids, image_pids) == expected


def test_layout_and_scale_of_the_input_do_not_matter():
    generator = np.random.default_rng(3)
    texts, images = generator.standard_normal((2, 40, 8)).astype(np.float32)
    pids = np.arange(40) % 10
    expected = retrieval_metrics(texts, images, pids, pids)
    assert retrieval_metrics(np.asfortranarray(8 * texts), images, pids, pids) == expected


def replace_value(array, index, value):
    array = array.copy()
    array[index] = value
    return array


FEATURES, PIDS = np.ones((5, 3), np.float32), np.array([1, 1, 2, 2, 2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((FEATURES, FEATURES[2:], PIDS, PIDS[2:]), r"query 0 \(pid 1\) has no match in gallery"),
        ((FEATURES, FEATURES, PIDS[:3], PIDS), r"query_pids: shape \(3,\) .* 5 rows"),
        ((FEATURES, FEATURES, PIDS, PIDS[:, None]), r"gallery_pids: shape \(5, 1\)"),
        ((FEATURES, FEATURES, PIDS + 0.5, PIDS), r"query_pids: .* of float64"),
        ((FEATURES[0], FEATURES, PIDS, PIDS), r"query_features: shape \(3,\)"),
        ((FEATURES[:0], FEATURES, PIDS[:0], PIDS), r"query_features: shape \(0, 3\)"),
        ((FEATURES, FEATURES[:, :2], PIDS, PIDS), "have 3 dimensions, gallery_features 2"),
        ((FEATURES, replace_value(FEATURES, (4, 1), np.nan), PIDS, PIDS), "gallery.* row 4 is not"),
        ((replace_value(FEATURES, (3, 2), np.inf), FEATURES, PIDS, PIDS), "query.* row 3 is not"),
    ],
)
def test_wrong_input_is_one_line(arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        retrieval_metrics(*arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("second_score", [False, True])
def test_image_that_no_text_describes_is_found_by_texts_and_asks_for_none(second_score):
    generator = np.random.default_rng(3)
    image_pids, text_pids = generator.integers(0, 40, 700), generator.integers(0, 30, 600)
    texts, images = (generator.standard_normal((len(p), 8)) for p in (text_pids, image_pids))
    added = generator.random((600, 700), np.float32) if second_score else None
    distractors = ~np.isin(image_pids, text_pids)
    assert distractors.sum() > 100
    t2i, i2t = bidirectional_ranks(texts, images, text_pids, image_pids, added)
    if not second_score:
        one_way = relevant_ranks(texts, images, text_pids, image_pids)
        np.testing.assert_array_equal(t2i.ranks, one_way.ranks)

    described = None if added is None else added[:, ~distractors]
    sides = texts, images[~distractors], text_pids, image_pids[~distractors]
    t2i_described, i2t_described = bidirectional_ranks(*sides, described)
    for name in ("ranks", "items", "starts"):
        np.testing.assert_array_equal(getattr(i2t, name), getattr(i2t_described, name))
    assert summarise(i2t) == summarise(i2t_described)
    assert summarise(t2i)["r1"] < summarise(t2i_described)["r1"]


def test_text_of_nobody_is_an_error_of_both_directions():
    with pytest.raises(ValueError, match=r"text 0 \(pid 1\) has no match in image_pids"):
        bidirectional_metrics(FEATURES, FEATURES[2:], PIDS, PIDS[2:])


@pytest.mark.parametrize("length", [1e-200, 1e-310, 1e200, 3e307])
def test_rows_of_any_length_are_ranked_by_their_direction(length):
    rng = np.random.default_rng(0)
    queries, gallery = rng.normal(size=(6, 4)), rng.normal(size=(9, 4))
    pids = np.arange(6), np.arange(9) % 6
    expected = retrieval_metrics(queries, gallery, *pids)
    assert retrieval_metrics(queries * length / 4, gallery / 4 * length, *pids) == expected


@pytest.mark.parametrize("dtype", ["complex128", "datetime64[s]", "<U3", object, "bool"])
def test_features_that_are_no_real_numbers_are_refused(dtype):
    features = np.ones((3, 2), int).astype(dtype)
    with pytest.raises(ValueError, match=r"query_features: .* are no numbers"):
        retrieval_metrics(features, np.eye(3, 2), np.arange(3), np.arange(3))


@pytest.mark.parametrize("length", ["1e-4000", "1e-320", "1e320", "1e4000"])
def test_rows_of_long_doubles_are_ranked_by_their_direction(length):
    if np.finfo(np.longdouble).maxexp < 16384:
        pytest.skip("no longer than float64 here")
    rng = np.random.default_rng(0)
    queries, gallery = rng.normal(size=(6, 4)), rng.normal(size=(9, 4))
    pids = np.arange(6), np.arange(9) % 6
    length = np.longdouble(length)
    found = retrieval_metrics(queries * length, gallery * length, *pids)
    assert found == retrieval_metrics(queries, gallery, *pids)


ROWS, ROW_PIDS = torch.eye(3) + 0.1, torch.arange(3)
MASK = np.arange(3) == 1


@pytest.mark.parametrize(
    "features",
    [
        ROWS.half().requires_grad_(),
        ROWS.to(torch.float8_e4m3fn),
        torch.complex(ROWS, -ROWS).conj().imag,  # a view that is to be negated
        list(ROWS),
        np.ma.array(ROWS.numpy()),
        ROWS.numpy().astype(">f4"),
        (10 * ROWS).int(),
    ],
)
def test_whatever_holds_real_numbers_is_taken(features):
    found = relevant_ranks(features, ROWS, ROW_PIDS, ROW_PIDS)
    np.testing.assert_array_equal(found.ranks, [1, 1, 1])


class NoArray:
    def __array__(self, *_):
        raise TypeError("it will not\nbe one")


NOT_DENSE = [
    lambda: ROWS.to_sparse(),
    lambda: ROWS.to_sparse_csr(),
    lambda: ROWS.to("meta"),
    lambda: torch.quantize_per_tensor(ROWS, 0.1, 0, torch.qint8),
    lambda: torch.nested.nested_tensor([ROWS[0], ROWS[1, :2]]),
    lambda: torch.masked.masked_tensor(ROWS, ROWS > 0.5),
    lambda: [row.requires_grad_() for row in ROWS.clone()],
    lambda: [[1.0, 2.0], [1.0]],
    lambda: NoArray(),
]


@pytest.mark.filterwarnings("ignore")  # torch's, of kinds of tensors that it may yet change
@pytest.mark.parametrize("make", NOT_DENSE)
def test_what_is_no_dense_array_is_one_line(make):
    values = make()
    for name, arguments in {
        "query_features": (values, ROWS, ROW_PIDS, ROW_PIDS),
        "gallery_pids": (ROWS, ROWS, ROW_PIDS, values),
    }.items():
        with pytest.raises(ValueError, match=f"{name}: a .* that is no dense array") as error:
            retrieval_metrics(*arguments)
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"added_TI: a .* that is no dense array"):
        bidirectional_ranks(ROWS, ROWS, ROW_PIDS, ROW_PIDS, values)


@pytest.mark.parametrize("of_rows", [False, True])
def test_masked_values_are_refused_and_not_taken_for_values(of_rows):
    rows = np.ma.array(ROWS.numpy(), mask=[MASK, MASK, MASK])
    pids = np.ma.array(ROW_PIDS.numpy(), mask=MASK)
    masked = list(rows) if of_rows else rows
    message = "some values are masked; fill them, or leave their rows out"
    with pytest.raises(ValueError, match=f"query_features: {message}"):
        retrieval_metrics(masked, ROWS, ROW_PIDS, ROW_PIDS)
    with pytest.raises(ValueError, match=f"gallery_pids: {message}"):
        retrieval_metrics(ROWS, ROWS, ROW_PIDS, list(pids) if of_rows else pids)
    with pytest.raises(ValueError, match=f"added_TI: {message}"):
        bidirectional_ranks(ROWS, ROWS, ROW_PIDS, ROW_PIDS, masked)


@pytest.mark.parametrize(
    "pids",
    [
        np.full(3, np.nan),
        ROW_PIDS.float(),
        ROW_PIDS.bool(),
        np.array([0, 1, None]),
        np.array([0, 1, 2**64]),
        np.array(["0", "1", "2"]),
        ROW_PIDS.numpy().astype("m8[s]"),
        np.int64(3),
    ],
)
def test_ids_that_are_no_integers_are_refused(pids):
    with pytest.raises(ValueError, match=r"query_pids: .* give one integer per row"):
        retrieval_metrics(ROWS, ROWS, pids, ROW_PIDS)


@pytest.mark.parametrize("dtype", ["complex128", "m8[s]", "<U3", object, "bool"])
def test_a_second_score_of_no_real_numbers_is_refused(dtype):
    added = np.ones((3, 3), int).astype(dtype)
    with pytest.raises(ValueError, match=r"added_TI: .* are no numbers; give real ones"):
        bidirectional_ranks(ROWS, ROWS, ROW_PIDS, ROW_PIDS, added)


def test_ids_beyond_64_bits_are_refused_and_do_not_wrap_around():
    pids = np.array([0, 1, 2**64 - 1], np.uint64)
    with pytest.raises(ValueError, match="query_pids: 18446744073709551615 does not fit"):
        retrieval_metrics(np.eye(3), np.eye(3), pids, np.array([0, 1, -1]))
