import json
from pathlib import Path

import pytest

from ubg.comparison.ladder import LADDER, STUDIED, both_scores, in_order, rung, two_models
from ubg.systems import system_names

ROOT = Path(__file__).parents[2]


def test_every_system_has_a_place_and_a_colour_of_its_own():
    names = {place.name for place in LADDER}
    ways = {way(name) for name in system_names() for way in (both_scores, two_models)}
    assert set(system_names()) <= names <= ways.union(system_names())
    assert len({place.colour for place in LADDER}) == len(LADDER)


def test_steps_are_from_systems_further_down():
    names = [place.name for place in LADDER]
    for position, place in enumerate(LADDER):
        assert place.step_before is None or place.step_before in names[:position]
        assert place.control is None or place.control in names[:position]
    assert set(STUDIED) <= set(system_names())


def test_a_system_stands_beside_what_it_is_a_step_from_however_it_is_read():
    system = rung("phase4")
    assert rung(both_scores("phase4")).step_before == system.step_before == "phase3"
    assert rung(two_models("phase3")).step_before == "phase3"


def test_systems_come_in_the_order_of_the_ladder():
    assert in_order(["phase2", "irra", "phase1", "irra"]) == ["irra", "phase1", "phase2"]
    read = [both_scores("phase4"), "phase4", two_models("phase3")]
    assert in_order(read) == ["phase3, two models", "phase4", "phase4, both scores"]


def test_a_system_without_a_place_is_refused():
    with pytest.raises(ValueError, match=r"'toy' has no place in the ladder; give it one in src/"):
        in_order(["irra", "toy"])
    with pytest.raises(ValueError, match="'toy' has no place"):
        rung("toy")


def test_the_page_of_dvc_has_the_same_colours():
    template = json.loads((ROOT / ".dvc/plots/systems.json").read_text())
    scale = template["encoding"]["color"]["scale"]
    systems = [place for place in LADDER if "," not in place.name]
    assert scale["domain"] == [place.name for place in systems]
    assert scale["range"] == [place.colour for place in systems]
