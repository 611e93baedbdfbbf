"""Whatever the files hold, a reader gives a table that keeps its promises or a ValueError.

`pytest tests/hostile --hypothesis-profile=thorough` tries more than 10,000 records.
"""

import json
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spoiled_records import LAYOUTS

from ubg.data.annotations.table import read_annotations
from ubg.data.prepared import NO_IMAGE, load_prepared, write_table

FUZZ = settings(
    max_examples=settings.default.max_examples // 5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
TEXT = st.text(st.characters(exclude_categories=[]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ODD_PATHS = st.sampled_from(["../x", "/x", "cam", "", ".", "a\0", "vis", "vis/0900", "vis/x/../y"])
NUMBERS = st.integers(-1, 12) | st.sampled_from([2**31, 2**63, 2**64, 10**19])
SPLITS = st.sampled_from(["train", "val", "test", "dev", " train"])
TIMES = 8  # records of an example, at most


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """Every layout once; its annotations are written over from example to example."""
    found = {}
    for name, layout in LAYOUTS.items():
        root = layout.write(tmp_path_factory.mktemp(name))
        shutil.copytree(root / "annotations", root / "original")
        found[name] = root
    return found


def fresh(root):
    shutil.rmtree(root / "annotations")
    shutil.copytree(root / "original", root / "annotations")
    return root


def read(layout, root):
    """Read and check; a refusal has to be fit for a terminal."""
    refused = None
    try:
        table = read_annotations(layout.format, root)
    except ValueError as error:
        refused = error
    if refused is not None:
        assert type(refused) is ValueError, "a library's own error says nothing of our files"
        lines = str(refused).splitlines()
        assert len(lines) == 1 or (len(lines) <= 22 and "faulty records (" in lines[0])
        assert all(line.isprintable() and len(line) < 1_000 for line in lines)
        assert str(root) in lines[0]
        return
    keeps_its_promises(table)
    write_table(table, root / "annotations.csv")
    again = load_prepared(root)
    assert again.equals(table.astype(again.dtypes))


def keeps_its_promises(table):
    assert len(table) > 0
    assert table["caption_id"].tolist() == list(range(len(table)))
    assert table.groupby("raw_id")["split"].nunique().max() == 1
    assert sorted(table["pid"].unique()) == list(range(table["raw_id"].nunique()))
    pictured = table[table["image_id"] != NO_IMAGE]
    assert sorted(pictured["image_id"].unique()) == list(range(pictured["image_path"].nunique()))
    assert pictured.groupby("image_id")["pid"].nunique().max() == 1
    training = table[table["split"] == "train"]
    assert (training["image_id"] != NO_IMAGE).all()
    assert all(caption.strip() for caption in training["caption"])


@st.composite
def records(draw, layout, original):
    """Some of the records of a good file, some of their fields changed."""
    good = layout.records(original)
    chosen = []
    for place in draw(st.lists(st.integers(0, len(good) - 1), max_size=TIMES)):
        record = dict(good[place])
        for name in draw(st.just([]) | st.lists(st.sampled_from(sorted(record)), max_size=2)):
            record[name] = draw(changed(layout, name, good))
            if draw(st.integers(0, 9)) == 0:
                del record[name]
        chosen.append(record if draw(st.integers(0, 29)) else draw(JSON))
    return chosen


def changed(layout, name, good):
    """What may stand in the field `name`: often what is right, or nearly."""
    if name == layout.path:
        return st.sampled_from([record[name] for record in good]) | ODD_PATHS | TEXT | JSON
    if name == layout.identity:
        return NUMBERS | JSON
    if name == layout.split:
        return SPLITS | JSON
    if name == layout.caption:
        return st.lists(TEXT, max_size=3) | TEXT | JSON
    return JSON


def as_text(value):
    return value if isinstance(value, str) else json.dumps(value)


@FUZZ
@pytest.mark.parametrize("name", LAYOUTS)
@given(data=st.data())
def test_any_records(roots, name, data):
    layout, root = LAYOUTS[name], fresh(roots[name])
    document = layout.load(root)
    chosen = data.draw(records(layout, document))
    if layout.file.endswith(".csv"):
        rows = [row if isinstance(row, dict) else {"image_path": row} for row in chosen]
        rows = [{column: as_text(value) for column, value in row.items()} for row in rows]
        chosen = [*rows, *layout.records(document)[: 1 - len(rows)]]
    layout.records(document)[:] = chosen
    layout.save(root, document)
    read(layout, root)


@FUZZ
@pytest.mark.parametrize("name", LAYOUTS)
@given(
    changes=st.lists(st.tuples(st.integers(0, 2**20), st.binary(max_size=4)), max_size=4),
    cut=st.none() | st.integers(0, 2**20),
)
def test_any_bytes(roots, name, changes, cut):
    layout, root = LAYOUTS[name], fresh(roots[name])
    path = root / "annotations" / layout.file
    content = bytearray(path.read_bytes())
    for at, new in changes:
        at %= len(content)
        content[at : at + len(new)] = new
    path.write_bytes(bytes(content if cut is None else content[: cut % len(content)]))
    read(layout, root)


ROWS = st.lists(NUMBERS | TEXT | JSON, max_size=6)


@FUZZ
@given(data=st.data())
def test_any_queries_of_orbench(roots, data):
    root = fresh(roots["orbench"])
    path = root / "annotations" / "test_gallery_and_queries.json"
    document = json.loads(path.read_text())
    kinds = st.sampled_from(sorted(document))
    for kind in data.draw(st.lists(kinds | TEXT, max_size=3)):
        rows = document.setdefault(kind, [])
        for row in data.draw(st.lists(ROWS | JSON, max_size=3)):
            rows.insert(data.draw(st.integers(0, len(rows))), row)
        if rows and data.draw(st.booleans()):
            row = rows[data.draw(st.integers(0, len(rows) - 1))]
            if isinstance(row, list) and row:
                other = document[data.draw(kinds)]
                other = data.draw(st.sampled_from(other)) if other else [1]
                row[data.draw(st.integers(0, len(row) - 1))] = data.draw(
                    st.sampled_from(other) if isinstance(other, list) and other else JSON
                )
    path.write_text(json.dumps(document))
    read(LAYOUTS["orbench"], root)
