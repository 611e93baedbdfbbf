import pytest

from ubg.data.query_kinds import KINDS
from ubg.systems.clip_mer.evaluation.kinds import (
    average_of,
    parts_of,
    plain_means,
    require_all_kinds,
    score,
)


def test_every_kind_goes_into_one_average():
    counts = {}
    for kind in KINDS:
        counts[average_of(kind)] = counts.get(average_of(kind), 0) + 1
    assert counts == {"one": 4, "two": 12, "three": 12, "four": 4}


def test_the_leading_part_comes_first():
    assert parts_of("TEXT+NIR+SK") == ("text", "nir", "sk")
    assert parts_of("CP") == ("cp",)


def test_averages_by_hand():
    """Plain means over the kinds, however many queries each has; the score over four of them."""
    of_kinds = {
        "NIR": {"r1": 10.0, "map": 20.0},
        "SK": {"r1": 30.0, "map": 40.0},
        "NIR+SK": {"r1": 50.0, "map": 60.0},
        "NIR+CP+SK": {"r1": 70.0, "map": 70.0},
        "NIR+CP+SK+TEXT": {"r1": 80.0, "map": 90.0},
    }
    averages = plain_means(of_kinds)
    assert averages["one"] == {"r1": 20.0, "map": 30.0}
    assert averages["two"] == {"r1": 50.0, "map": 60.0}
    assert score(averages) == (30 + 60 + 70 + 90) / 4


def test_a_missing_kind_is_named():
    require_all_kinds(KINDS, "queries.csv")
    with pytest.raises(ValueError, match=r"^queries\.csv: has no queries of CP\+TEXT;"):
        require_all_kinds([kind for kind in KINDS if kind != "CP+TEXT"], "queries.csv")
