import pytest

from ubg.comparison.ladder import LADDER, STUDIED, in_order, rung
from ubg.systems import system_names


def test_every_system_has_a_place_and_a_colour_of_its_own():
    assert sorted(place.name for place in LADDER) == system_names()
    assert len({place.colour for place in LADDER}) == len(LADDER)


def test_steps_are_from_systems_further_down():
    names = [place.name for place in LADDER]
    for position, place in enumerate(LADDER):
        assert place.step_before is None or place.step_before in names[:position]
    assert set(STUDIED) <= set(names)


def test_systems_come_in_the_order_of_the_ladder():
    assert in_order(["phase2", "irra", "phase1", "irra"]) == ["irra", "phase1", "phase2"]


def test_a_system_without_a_place_is_refused():
    with pytest.raises(ValueError, match=r"'toy' has no place in the ladder; give it one in src/"):
        in_order(["irra", "toy"])
    with pytest.raises(ValueError, match="'toy' has no place"):
        rung("toy")
