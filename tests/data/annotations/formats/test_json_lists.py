"""Objects of lists, and what lists of records may hold at most."""

import json

import pytest

from ubg.data.annotations.formats import text_file
from ubg.data.annotations.formats.json_list import read_json_list, read_json_lists
from ubg.data.annotations.formats.text_file import MAX_RECORD_CHARACTERS


def written(folder, content):
    path = folder / "file.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_lists_come_with_their_names_and_numbers(tmp_path):
    content = {"RGB_GALLERY": [[1, "a"], [2, "b"]], "NIR": [], "TEXT+NIR": [[3, "c", "text"]]}
    for indent in (None, 2):
        path = written(tmp_path, "\ufeff \n" + json.dumps(content, indent=indent) + "\n")
        assert list(read_json_lists(path)) == [
            ("RGB_GALLERY", 0, [1, "a"]),
            ("RGB_GALLERY", 1, [2, "b"]),
            ("TEXT+NIR", 0, [3, "c", "text"]),
        ]


def test_object_without_lists_has_no_records(tmp_path):
    assert list(read_json_lists(written(tmp_path, " {} "))) == []


@pytest.mark.parametrize("border", range(-4, 5))
@pytest.mark.parametrize("rest", ['"]\n,"b" : [ 12345 ,67 ] }', '", 4567]  ,"b":[12345,67]}'])
def test_lists_are_read_the_same_wherever_a_window_ends(tmp_path, border, rest):
    """Strings, numbers, names and separators all lie across the border once."""
    start = '{"a": ["'
    for shift in range(0, 24, 3):
        content = start + "x" * (MAX_RECORD_CHARACTERS - len(start) - shift + border) + rest
        expected = [
            (name, number, value)
            for name, values in json.loads(content).items()
            for number, value in enumerate(values)
        ]
        assert list(read_json_lists(written(tmp_path, content))) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "file.json: should begin with '{', an object of lists of records, not ''; "),
        ("[]", "file.json: should begin with '{', an object of lists of records, not '['; "),
        ('{"a": 1}', "list 'a', record 0: should begin with '[', a list of records, not '1'; "),
        ('{"a": [1 2]}', "list 'a', record 0: should be followed by ',' or ']', not '2'; "),
        ('{"a": [1], "a": []}', "has the list 'a' twice; keep one"),
        ('{"a": [1] "b": []}', "list 'a' should be followed by ',' or '}', not '\"'; "),
        ('{"a" [1]}', "'a' should be followed by ':', not '['; "),
        ('{"a": [1], 2: []}', "the name of a list should begin with '\"'; "),
        ('{"a": [1],}', "the name of a list should begin with '\"'; "),
        ('{"a": [1', "list 'a', record 0: should be followed by ',' or ']', not ''; "),
        ('{"a": [1]', "list 'a' should be followed by ',' or '}', not ''; "),
        ('{"a": [1]} x', "text follows after the list; "),
        ('{"' + "a" * 300 + '": []}', "the name of a list has 300 characters; "),
        (json.dumps({str(n): [] for n in range(1001)}), "has more than 1,000 lists; "),
        ('{"a": [1, ' + "[" * 9999, "list 'a', record 1: is nested too deeply; "),
        (b'{"a": ["\xff"]}', "is not UTF-8 here or soon after; convert the file"),
    ],
)
def test_object_that_is_not_of_lists(tmp_path, content, expected):
    path = written(tmp_path, content)
    with pytest.raises(ValueError, match=r"file\.json") as raised:
        list(read_json_lists(path))
    assert expected in str(raised.value)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("reader", [read_json_list, read_json_lists])
def test_number_of_records_is_limited(tmp_path, monkeypatch, reader):
    monkeypatch.setattr(text_file, "MAX_RECORDS", 3)
    for count, allowed in ((3, True), (4, False)):
        records = [{}] * count if reader is read_json_list else {"a": [1], "b": [1] * (count - 1)}
        path = written(tmp_path, json.dumps(records))
        if allowed:
            assert len(list(reader(path))) == 3
        else:
            with pytest.raises(ValueError, match="one more than the 3 records allowed; split"):
                list(reader(path))


def test_field_given_twice_among_very_many_is_found_at_once(tmp_path):
    """Comparing each name with every other would take minutes."""
    fields = ",".join(f'"{number}":0' for number in range(90_000))
    path = written(tmp_path, f'[{{{fields},"89999":1}}]')
    with pytest.raises(ValueError, match="record 0: has the field '89999' twice; keep one"):
        list(read_json_list(path))
