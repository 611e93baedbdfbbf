"""CSV and JSON lines: the records that are there, and one line for what is none."""

import csv
import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ubg.data.annotations.formats import text_file
from ubg.data.annotations.formats.tabular import read_csv, read_jsonl
from ubg.data.annotations.formats.text_file import MAX_RECORD_CHARACTERS

COLUMNS = ("image_path", "caption")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def written(folder, content):
    path = folder / "file"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(TEXT, TEXT), max_size=5), line_end=st.sampled_from(["\n", "\r\n"]))
def test_csv_gives_back_what_was_written(tmp_path, rows, line_end):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerows([COLUMNS, *rows])
    found = list(read_csv(written(tmp_path, text.getvalue()), COLUMNS))
    assert found == list(enumerate(dict(zip(COLUMNS, row, strict=True)) for row in rows))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    records=st.lists(st.dictionaries(TEXT, TEXT | st.integers(0, 2**63) | st.none()), max_size=5)
)
def test_jsonl_gives_back_what_was_written(tmp_path, records):
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    found = list(read_jsonl(written(tmp_path, lines)))
    assert found == list(enumerate(records))


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_csv_of_common_programs(tmp_path, start, line_end):
    lines = ["pid,caption,image_path,note", "", '7,"a man, in ""red""",x/1.png,', "8,b,2.png,n", ""]
    path = written(tmp_path, start + line_end.join(lines))
    assert list(read_csv(path, COLUMNS)) == [
        (0, {"pid": "7", "caption": 'a man, in "red"', "image_path": "x/1.png", "note": ""}),
        (1, {"pid": "8", "caption": "b", "image_path": "2.png", "note": "n"}),
    ]


def test_csv_keeps_line_breaks_within_quotes(tmp_path):
    path = written(tmp_path, 'image_path,caption\n1.png,"two\r\nlines\r"\n')
    assert list(read_csv(path, COLUMNS)) == [
        (0, {"image_path": "1.png", "caption": "two\r\nlines\r"})
    ]


def test_jsonl_passes_over_blank_lines_and_needs_no_last_line_end(tmp_path):
    path = written(tmp_path, '\ufeff{"a": 1}\r\n\n  \n{"a": "\u2028"}')
    assert list(read_jsonl(path)) == [(0, {"a": 1}), (1, {"a": "\u2028"})]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "header: has no column 'image_path' but ''; name the columns in the first row"),
        ("image_path;caption\n", "header: has no column 'image_path' but 'image_path;caption'; "),
        ("image_path, caption\n", "header: has no column 'caption' but 'image_path,  caption'; "),
        ("image_path,caption,caption\n", "header: has the column 'caption' twice; keep one"),
        ("image_path,caption\na,b,c\n", "record 0: has 3 fields where the header has 2; put"),
        ("image_path,caption\na,b\nc\n", "record 1: has 1 fields where the header has 2; put"),
        ('image_path,caption\na,"b\n', "record 0: unexpected end of data; put a field in double"),
        ('image_path,caption\na,"b" c\n', "record 0: ',' expected after '\"'; put a field in"),
        (b"image_path,caption\na,\xe9\n", "is not UTF-8 here or soon after; convert the file"),
        ("image_path,caption\na," + "b" * 200_000, "record 0: field larger than field limit"),
        ("image_path,caption\na" + "," * 2_000_000, "record 0: has more than the 1,048,576 char"),
        ("image_path,caption\na," + '"\n",' * 600_000, "record 0: has more than the 1,048,576 "),
        ("," * 2_000_000, "header: has more than the 1,048,576 characters that a record may have"),
    ],
)
def test_file_that_is_no_csv(tmp_path, content, expected):
    path = written(tmp_path, content)
    with pytest.raises(ValueError, match="file, ") as raised:
        list(read_csv(path, COLUMNS))
    assert expected in str(raised.value)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("[1]\n", "record 0: is not an object; write one {...} on each line"),
        ('{"a": 1}\n7\n', "record 1: is not an object; "),
        ('{"a": 1} {"a": 2}\n', "record 0: Extra data; the file is truncated or not JSON, fetch"),
        ('{"a": 1}\n{"a":\n', "record 1: Expecting value; "),
        ('{"a": 1, "a": 2}\n', "record 0: has the field 'a' twice; keep one"),
        ('{"a": ' + "1" * 5000 + "}", "record 0: has a number of 5,000 digits; "),
        ('{"a": ' + "[" * 9999, "record 0: is nested too deeply; "),
        ('{"a": "' + "b" * MAX_RECORD_CHARACTERS, "record 0: has more than the 1,048,576 "),
        (b'{"a": "\xff"}', "record 0: is not UTF-8 here or soon after; convert the file"),
        (b"\xff\xfe{\x00}\x00", "record 0: is not UTF-8 here or soon after; convert the file"),
    ],
)
def test_file_that_is_no_jsonl(tmp_path, content, expected):
    path = written(tmp_path, content)
    with pytest.raises(ValueError, match="file, ") as raised:
        list(read_jsonl(path))
    assert expected in str(raised.value)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


def test_record_may_be_as_long_as_is_allowed(tmp_path):
    """Its line end counts."""
    filler = "b" * (MAX_RECORD_CHARACTERS - len('{"a": ""}\n'))
    path = written(tmp_path, f'{{"a": "{filler}"}}\n' * 2)
    assert [fields["a"] for _, fields in read_jsonl(path)] == [filler] * 2


@pytest.mark.parametrize(("reader", "head"), [(read_jsonl, ""), (lambda p: read_csv(p, ()), "a\n")])
def test_number_of_records_is_limited(tmp_path, monkeypatch, reader, head):
    monkeypatch.setattr(text_file, "MAX_RECORDS", 3)
    line = '{"a": 1}\n' if reader is read_jsonl else "1\n"
    assert len(list(reader(written(tmp_path, head + line * 3)))) == 3
    with pytest.raises(ValueError, match="record 3: is one more than the 3 records allowed; split"):
        list(reader(written(tmp_path, head + line * 4)))
