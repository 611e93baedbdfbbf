from collections import Counter

import numpy as np
import pandas as pd
import pytest

from ubg.foils.cases import BINDING, read_cases
from ubg.foils.making.exchanged import COLOUR, exchange_one, exchange_two, make_exchanged_foils
from ubg.params import Foils

CAPTIONS = [
    "A man in an orange coat and black trousers.",
    "She has red hair and wears a Blue dress.",
    "Grey coat, gray trousers.",
    "The redhead walks away.",
    "一个穿着红色外套的女人。",
    "White shoes, a green bag.",
]


@pytest.fixture
def table():
    rows = [
        {"split": split, "pid": number // 2, "image_id": number, "caption": caption}
        for split in ("test", "val")
        for number, caption in enumerate(CAPTIONS)
    ]
    return pd.DataFrame(rows)


def test_one_colour_is_exchanged_with_its_article():
    rng = np.random.default_rng(0)
    assert exchange_one("He has an orange coat.", Counter(["orange", "red"]), rng) == (
        "He has a red coat.",
        "orange",
        "red",
    )
    assert exchange_one("Blue coat.", Counter(["orange"]), rng) == (
        "Orange coat.",
        "blue",
        "orange",
    )


@pytest.mark.parametrize(
    "caption",
    ["No colour.", "She has red hair.", "The redhead.", "A grey coat.", "a red-haired man"],
)
def test_captions_without_another_colour_are_left_alone(caption):
    assert exchange_one(caption, Counter(["gray", "grey"]), np.random.default_rng(0)) is None


def test_two_colours_change_places():
    rng = np.random.default_rng(0)
    changed, _, _ = exchange_two("A man in an orange coat and black trousers.", rng)
    assert changed == "A man in a black coat and orange trousers."
    assert exchange_two("Grey coat, gray trousers.", rng) is None
    assert exchange_two("A red coat.", rng) is None


@pytest.mark.parametrize(
    "caption",
    [
        "a black and white striped shirt",
        "a white, black dress",
        "a blue/white shirt",
        "red or a pink bag",
    ],
)
def test_the_colours_of_one_thing_are_not_exchanged(caption):
    assert exchange_two(caption, np.random.default_rng(0)) is None


def test_cases_are_of_the_test_split_and_say_that_they_test_less(table, tmp_path):
    params = Foils(seed=0, persons=9, cases_per_kind=9)
    counts = make_exchanged_foils(params, table, tmp_path / "foils")
    cases, drawn = read_cases(tmp_path / "foils")
    assert not drawn
    assert "less" in (tmp_path / "foils/cases.json").read_text()
    assert counts == {COLOUR: 4, BINDING: 2}
    for case in cases:
        assert case.caption == CAPTIONS[case.image]
        assert case.caption != case.foil_caption
        assert (case.foil_image, case.paraphrase, case.person) == (None, None, case.image // 2)
    make_exchanged_foils(params, table, tmp_path / "again")
    again = (tmp_path / "again/cases.json").read_bytes()
    assert again == (tmp_path / "foils/cases.json").read_bytes()


def test_captions_without_colours_make_no_case(table, tmp_path):
    params = Foils(seed=0, persons=9, cases_per_kind=9)
    counts = make_exchanged_foils(params, table.assign(caption="…"), tmp_path / "foils")
    assert not counts
    assert read_cases(tmp_path / "foils") == ([], False)


def test_no_more_persons_and_cases_than_asked_for(table, tmp_path):
    make_exchanged_foils(Foils(seed=0, persons=2, cases_per_kind=1), table, tmp_path / "foils")
    cases, _ = read_cases(tmp_path / "foils")
    assert len({case.person for case in cases}) <= 2
    assert sorted(case.kind for case in cases) == [BINDING, COLOUR]
