"""`attributes.json`: what is taken of it, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
import sections

from ubg.data.annotations.clothing import read_clothing
from ubg.data.annotations.table import read_annotations
from ubg.disentanglement.attributes import BODY, CLOTHING, read_attributes
from ubg.disentanglement.people import UNKNOWN, one_hot, people_of
from ubg.synthpedes.generate import generate

IDENTITY = {"id": 3, "attributes": {"sex": "man", "upper": "coat", "lower": "jeans", "hat": "cap"}}
IMAGE = {"id": 3, "file_path": "a.jpg", "visible": {"sex": "man", "upper": "top", "walking": True}}


def written(tmp_path, identities, images):
    path = tmp_path / "attributes.json"
    path.write_text(json.dumps({"identities": identities, "images": images, "others": [1]}))
    return path


def test_what_shows_is_what_the_identity_has_and_no_general_word(tmp_path):
    attributes = read_attributes(written(tmp_path, [IDENTITY], [IMAGE]))
    assert attributes.of_identity == {3: {"sex": "man", "upper": "coat", "lower": "jeans"}}
    assert attributes.shown == {"a.jpg": {"sex": "man"}}


def test_persons_alone_may_be_known(tmp_path):
    attributes = read_attributes(written(tmp_path, [{"id": 3, "person": 1}], []))
    assert attributes.of_identity == {3: {}}
    assert attributes.shown == {}


FAULTS = {
    "list 'identities', record 0: 'attributes' is not an object": (
        [{**IDENTITY, "attributes": 1}],
        [],
    ),
    "record 0: 'attributes' has another value than text for 'sex'": (
        [{**IDENTITY, "attributes": {"sex": True}}],
        [],
    ),
    "record 0: 'id' is not a whole number": ([{**IDENTITY, "id": "3"}], []),
    "list 'images', record 0: has no field 'file_path'": ([IDENTITY], [{"id": 3}]),
    "record 0: identity 4 is not listed": ([IDENTITY], [{**IMAGE, "id": 4}]),
}


@pytest.mark.parametrize("told", FAULTS)
def test_a_fault_is_told_in_a_line(tmp_path, told):
    with pytest.raises(ValueError, match=r"attributes\.json") as raised:
        read_attributes(written(tmp_path, *FAULTS[told]))
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


def test_drawn_persons_have_all_of_them(tmp_path):
    """The names here are those of the drawer, and what shows is what it says of each image."""
    root = tmp_path / "drawn"
    generate(sections.synthpedes(outfits={"shared": 1.0}, test_identities=8), root)
    table = read_annotations("identity_clothing", root)
    clothing = read_clothing("identity_clothing", root, table)
    people = people_of(
        "test", table, clothing, read_attributes(root / "annotations/attributes.json")
    )
    assert len(people.image_ids) == 16
    rows = clothing[clothing["split"] == "test"].set_index("image_id").loc[people.image_ids]
    for name, found in (("person", people.persons), ("outfit", people.outfits)):
        assert rows[name].tolist() == found.tolist()
    for name in BODY:  # and it is of the person, whatever they wear
        values = pd.DataFrame({"person": people.persons, "value": people.given[name]})
        assert (values.groupby("person")["value"].nunique() == 1).all()
    for name in CLOTHING:
        values = pd.DataFrame({"outfit": people.outfits, "value": people.given[name]})
        assert (values.groupby("outfit")["value"].nunique() == 1).all()
    for name in (*BODY, *CLOTHING):
        seen = people.shown[name] != UNKNOWN
        assert (people.shown[name] == people.given[name])[seen].all()
        assert seen.any()


def test_one_hot_tells_values_that_are_known(tmp_path):
    identities = [
        {"id": number, "attributes": {"sex": sex, "age": age}}
        for number, (sex, age) in enumerate([("man", "young"), ("woman", "adult"), ("man", "old")])
    ]
    images = [{"id": number, "file_path": f"{number}.jpg"} for number in range(3)]
    attributes = read_attributes(written(tmp_path, identities, images))
    table = pd.DataFrame(
        {
            "split": ["val", "val", "test"],
            "image_id": range(3),
            "image_path": [f"{number}.jpg" for number in range(3)],
            "raw_id": range(3),
        }
    )
    clothing = pd.DataFrame({"image_id": range(3), "pid": 0, "person": 0, "outfit": 0})
    val, test = (people_of(split, table, clothing, attributes) for split in ("val", "test"))
    np.testing.assert_array_equal(one_hot(("sex", "age"), val, val), [[1, 0, 0, 1], [0, 1, 1, 0]])
    np.testing.assert_array_equal(one_hot(("sex", "age"), test, val), [[1, 0, 0, 0]])
