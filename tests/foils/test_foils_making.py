import io
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import sections
from PIL import Image

from ubg.foils.cases import BINDING, image_path, read_cases
from ubg.foils.making.drawn import (
    attributes,
    attributes_of_dataset,
    draw_persons,
    make_drawn_foils,
)
from ubg.foils.making.twins import CHANGED, KINDS, differ_in, draw_twins
from ubg.foils.making.wordings import differs_in_one_place, differs_in_order
from ubg.foils.words import changed_words
from ubg.params import Foils
from ubg.synthpedes.grammar import tokenize
from ubg.synthpedes.identities import differences, random_stream
from ubg.synthpedes.scene import draw_scene, render
from ubg.synthpedes.visible import find_facts

PARAMS = Foils(seed=3, persons=12, cases_per_kind=4)
DATASET = sections.synthpedes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn") / "foils"
    make_drawn_foils(PARAMS, DATASET, folder)
    return folder


@pytest.fixture(scope="module")
def twins():
    """Persons, and twins of every kind that the drawing allows."""
    persons = draw_persons(Foils(seed=5, persons=16, cases_per_kind=1), set())
    return [(person, draw_twins(person, 5, KINDS)) for person in persons]


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_drawing_again_by_more_processes_gives_the_same_bytes(folder, tmp_path):
    make_drawn_foils(PARAMS, DATASET, tmp_path / "again", processes=2)
    assert files(tmp_path / "again") == files(folder)


def test_killed_and_drawn_again_is_the_same(folder, tmp_path):
    code = (
        "from pathlib import Path; from ubg.params import Foils, SynthPedes\n"
        "from ubg.foils.making.drawn import make_drawn_foils\n"
        f"make_drawn_foils(Foils(**{PARAMS.model_dump()}), SynthPedes(**{DATASET.model_dump()}), "
        f"Path({str(tmp_path / 'foils')!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    while not list(tmp_path.glob(".foils.*.partial/images/*.jpg")) and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "foils").exists()
    make_drawn_foils(PARAMS, DATASET, tmp_path / "foils")
    assert files(tmp_path / "foils") == files(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["foils"]


def test_room_for_what_may_be_drawn_is_asked_for_first(folder, tmp_path, monkeypatch):
    """A picture of each person, and of a twin for each case, at most."""
    wanted = (PARAMS.persons + len(KINDS) * PARAMS.cases_per_kind) * 10_000
    written = sum(path.stat().st_blocks * 512 for path in folder.rglob("*"))
    assert wanted / 10 < written < wanted
    for free, told in ((wanted - 1, True), (wanted, False)):
        usage = SimpleNamespace(free=free)
        monkeypatch.setattr("ubg.runtime.files.shutil.disk_usage", lambda path, usage=usage: usage)
        with pytest.raises(ValueError, match="free some space") if told else nullcontext():
            make_drawn_foils(PARAMS, DATASET, tmp_path / "foils")
        assert (tmp_path / "foils").exists() != told


def test_cases_name_pictures_that_are_there_and_no_other(folder):
    cases, drawn = read_cases(folder)
    assert drawn
    named = {image for case in cases for image in (case.image, case.foil_image)}
    assert {image_path(folder, image) for image in named} == set((folder / "images").iterdir())
    with Image.open(image_path(folder, 0)) as image:
        assert (image.size, image.mode, image.format) == ((64, 192), "RGB", "JPEG")
    kinds = [case.kind for case in cases]
    assert max(kinds.count(kind) for kind in kinds) <= PARAMS.cases_per_kind
    assert {"upper_colour", "shoes_colour"} < set(kinds) <= set(KINDS)


def test_captions_keep_their_promise(folder):
    for case in read_cases(folder)[0]:
        words, others = tokenize(case.caption), tokenize(case.foil_caption)
        if case.kind == BINDING:
            assert len(words) == len(others)
            assert sorted(words) == sorted(others)
            assert 0 < sum(a != b for a, b in zip(words, others, strict=True)) <= 8
        else:
            assert all(1 <= len(side) <= 3 for side in changed_words(words, others))
        assert case.paraphrase not in (case.caption, case.foil_caption)
        assert case.fact != case.foil_fact


def test_nobody_looks_like_somebody_of_the_data_set(folder):
    """Also where nearly everybody that can be drawn is taken: the twins are looked at too."""
    taken = attributes_of_dataset(DATASET)
    assert len(taken) == 9
    persons = draw_persons(PARAMS, taken)
    assert not {attributes(person.identity) for person in persons} & taken
    assert len({attributes(person.identity) for person in persons}) == PARAMS.persons
    shut = {attributes(person.identity) for person in persons[:3]}
    assert not {attributes(p.identity) for p in draw_persons(PARAMS, shut)} & shut


def test_a_twin_with_the_attributes_of_somebody_in_the_data_set_is_left_out(monkeypatch, tmp_path):
    person = draw_persons(PARAMS, set())[0]
    twin = draw_twins(person, PARAMS.seed, ["upper_colour"]).twins[0]
    known = {attributes(twin.identity)}
    monkeypatch.setattr("ubg.foils.making.drawn.attributes_of_dataset", lambda dataset: known)
    alone = PARAMS.model_copy(update={"persons": 2})
    make_drawn_foils(alone, DATASET, tmp_path / "foils")
    cases, _ = read_cases(tmp_path / "foils")
    assert (0, "upper_colour") not in [(case.person, case.kind) for case in cases]


def test_one_attribute_differs_and_the_caption_names_it(twins):
    seen = set()
    for person, drawn in twins:
        for twin in drawn.twins:
            seen.add(twin.kind)
            changed = differences(person.identity, twin.identity)
            if twin.kind == BINDING:
                assert changed == ["lower_colour", "upper_colour"]
            else:
                assert changed == [CHANGED[twin.kind][0]]
            assert twin.jpeg != drawn.jpeg
            told = differs_in_order if twin.kind == BINDING else differs_in_one_place
            for pair in (twin.captions, twin.paraphrases):
                assert told(*map(tokenize, pair))
    assert len(seen) >= 12


def test_a_fact_that_cannot_be_seen_in_both_makes_no_case(twins):
    identity, rng = twins[0][0].identity, random_stream("facts")
    scene = draw_scene(rng, identity)
    facts = find_facts(identity, scene, render(identity, scene, rng).visibility)
    facts = replace(facts, hat="cap")
    assert differ_in("hat", facts, replace(facts, hat="beanie"))
    assert not differ_in("hat", facts, replace(facts, hat=None))
    assert not differ_in("hat", facts, facts)
    assert not differ_in("hat", facts, replace(facts, hat="beanie", bag="suitcase"))
    skirt = replace(facts, lower="skirt")
    assert not differ_in("lower", skirt, replace(skirt, lower="long skirt"))
    assert differ_in("lower", skirt, replace(skirt, lower="jeans", bare_legs=not skirt.bare_legs))
    both = replace(facts, upper_colour="red", lower_colour="blue")
    assert differ_in(BINDING, both, replace(both, upper_colour="blue", lower_colour="red"))
    assert not differ_in(BINDING, both, replace(both, upper_colour="blue"))


def test_scene_and_pose_are_the_same_but_for_the_garment(twins):
    """A colour changes only pixels of what has it: never the background."""
    for _, drawn in twins[:6]:
        for twin in drawn.twins:
            if twin.kind == "shoes_colour":
                own, other = (decode(jpeg) for jpeg in (drawn.jpeg, twin.jpeg))
                assert np.abs(own[:100] - other[:100]).max() <= 8  # above the feet


def decode(jpeg):
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("L")).astype(int)


@pytest.mark.parametrize(
    ("one", "other", "accepted"),
    [
        ("a red coat", "a blue coat", True),
        ("an orange coat", "a light blue coat", True),
        ("white shoes", "white sandals", False),  # sandals are shoes
        ("blue coat", "light blue coat", False),
        ("a bag on the back and boots", "a red purse and boots", False),
        ("a red coat", "a red coat", False),
    ],
)
def test_which_captions_differ_in_one_definite_place(one, other, accepted):
    assert differs_in_one_place(one.split(), other.split()) == accepted
    assert differs_in_one_place(other.split(), one.split()) == accepted


def test_a_folder_of_earlier_foils_is_replaced(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "foils")
    (copy / "images" / "99999.jpg").write_bytes(b"")
    make_drawn_foils(PARAMS, DATASET, copy)
    assert files(copy) == files(folder)
