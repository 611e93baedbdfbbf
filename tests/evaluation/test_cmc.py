import numpy as np
import pytest
from PIL import Image

from ubg.evaluation.cmc import chance_cmc, cmc_records, draw_cmc
from ubg.figures.style import BLUE


def test_chance_by_hand():
    # 4 items; a query with 1 relevant finds it by rank k with k/4, one with 2 misses with 1/2, 1/6.
    gallery = np.array([7, 9, 9, 8])
    one = chance_cmc(np.array([7]), gallery, 4)
    two = chance_cmc(np.array([9]), gallery, 4)
    np.testing.assert_allclose(one, [25, 50, 75, 100])
    np.testing.assert_allclose(two, [50, 100 * 5 / 6, 100, 100])
    np.testing.assert_allclose(chance_cmc(np.array([7, 9]), gallery, 4), (one + two) / 2)


def test_chance_matches_shuffled_galleries():
    rng = np.random.default_rng(0)
    gallery = rng.integers(0, 8, 40)
    queries = np.unique(gallery).repeat(3)
    hits = np.zeros(10)
    rounds = 2000
    for _ in range(rounds):
        order = rng.permutation(gallery)[:10]
        hits += (np.cumsum(order[None] == queries[:, None], axis=1) > 0).mean(axis=0)
    np.testing.assert_allclose(chance_cmc(queries, gallery, 10), 100 * hits / rounds, atol=2)


def test_chance_stays_at_100_beyond_a_short_gallery():
    assert chance_cmc(np.array([1]), np.array([1, 2]), 5).tolist() == [50, 100, 100, 100, 100]


def test_records_have_a_column_per_direction():
    curves = {"t2i": np.array([10.0, 20.0]), "i2t": np.array([30.0, 100 / 3])}
    assert cmc_records(curves) == [
        {"rank": 1, "t2i": 10.0, "i2t": 30.0},
        {"rank": 2, "t2i": 20.0, "i2t": 33.3333},
    ]


@pytest.mark.parametrize("ranks", [1, 3, 50])
def test_curve_is_drawn_in_the_colour_of_its_system(tmp_path, ranks):
    curve = np.linspace(20, 90, ranks)
    chance = np.linspace(1, 20, ranks)
    path = tmp_path / "cmc.png"
    draw_cmc(
        path, "phase2", "X, test", {"t2i": curve, "i2t": curve - 10}, {"t2i": chance, "i2t": chance}
    )
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    colour = [int(BLUE[place : place + 2], 16) for place in (1, 3, 5)]
    assert (pixels == colour).all(axis=1).sum() > 50
