"""Each oddity counts what its name says, in the split where it is, with its first example."""

import pandas as pd
import pytest

from ubg.dataset_report.oddities import caption_oddities, excerpt, image_oddities, odd_characters

NONE = {"train": 0, "val": 0, "test": 0}


def table_of(*rows):
    """Rows of split, pid, image_id, caption."""
    table = pd.DataFrame(rows, columns=["split", "pid", "image_id", "caption"])
    table["raw_id"] = table["pid"] + 100
    table["image_path"] = [f"{i}.png" if i >= 0 else "" for i in table["image_id"]]
    table["caption_id"] = range(len(table))
    return table


def of_captions(captions, max_tokens=77, tokens=None):
    queries = table_of(*(("train", i, i, caption) for i, caption in enumerate(captions)))
    lengths = pd.Series(tokens or [5] * len(captions)).to_numpy()
    return {o.name: o for o in caption_oddities(queries, lengths, max_tokens)}


@pytest.mark.parametrize(
    ("name", "odd"),
    [
        ("with white space at an edge", [" a", "a ", "a\n", "\u3000a"]),
        ("with line breaks", ["a\nb", "a\r\nb", "\na"]),
        ("with control characters", ["a\x07", "\x00", "a\x85b", "\x7f"]),
        ("with invisible characters", ["a\u200bb", "\ufeffa", "\u202ea"]),
        ("with lone surrogates", ["a\ud800"]),
        ("with characters beyond ASCII", ["caf\u00e9", "红", "a\u00a0b"]),
        ("with characters of code or mark-up", ["<br/>", "a_b", "see https://x", "{1}", "a|b"]),
    ],
)
def test_texts_with_an_oddity_are_counted_and_others_not(name, odd):
    plain = ["A man, 1.80 m; blue-grey coat (worn) & 'red' shoes!", "NA"]
    oddity = of_captions([*plain, *odd])[f"captions {name}"]
    assert oddity.counts == NONE | {"train": len(odd)}
    assert oddity.example.startswith("caption 2: ")
    assert of_captions(plain)[f"captions {name}"].counts == NONE
    assert of_captions(plain)[f"captions {name}"].example == ""


def test_captions_above_the_limit_are_cut():
    found = of_captions(["a", "b", "c"], max_tokens=10, tokens=[10, 11, 30])
    assert found["captions cut at 10 tokens"].counts == NONE | {"train": 2}
    assert found["captions cut at 10 tokens"].example == "caption 1: 'b'"


def test_repeats_are_those_that_a_tokenizer_reads_alike():
    queries = table_of(
        ("train", 0, 0, "A man."),
        ("train", 0, 1, " a  man.\n"),
        ("train", 1, 2, "A woman."),
        ("val", 2, 3, "a WOMAN."),
        ("test", 3, 4, "Somebody else."),
    )
    found = {o.name: o.counts for o in caption_oddities(queries, queries["pid"].to_numpy(), 9)}
    assert found["captions written more than once"] == {"train": 3, "val": 1, "test": 0}
    assert found["captions shared by several identities"] == {"train": 1, "val": 1, "test": 0}
    assert found["captions shared by several splits"] == {"train": 1, "val": 1, "test": 0}


def test_images_and_identities_are_counted_once_each():
    table = table_of(
        ("train", 0, 0, "a"),
        ("train", 0, 0, "b"),
        ("train", 1, 1, "c"),
        ("train", 1, 2, "d"),
        ("test", 2, 3, ""),
        ("test", 2, 4, ""),
        ("test", 2, -1, "e"),
        ("test", 3, -1, "f"),
    )
    found = {o.name: o for o in image_oddities(table, repeated=[0, 3])}
    assert found["images listed more than once"].counts == {"train": 1, "val": 0, "test": 1}
    assert found["images listed more than once"].example == "'0.png'"
    assert found["images without a caption"].counts == {"train": 0, "val": 0, "test": 2}
    assert found["identities with one image"].counts == {"train": 1, "val": 0, "test": 0}
    assert found["identities with one image"].example == "identity 100"
    assert found["identities without an image"].counts == {"train": 0, "val": 0, "test": 1}


def test_characters_are_counted_by_caption_most_frequent_first():
    found = odd_characters(["红红 coat", "红\u00a0", "\ud800", "a\n", "plain"])
    assert found == {
        "U+7EA2 CJK UNIFIED IDEOGRAPH-7EA2": 2,
        "U+000A LINE FEED": 1,
        "U+00A0 NO-BREAK SPACE": 1,
        "U+D800 SURROGATE": 1,
    }


def test_excerpt_is_printable_short_and_shows_the_place():
    assert excerpt("a\nb\u202e\ud800") == "'a\\nb\\u202e\\ud800'"
    text = "x" * 500 + "\n" + "y" * 500
    assert "\\n" in excerpt(text, 500)
    assert excerpt(text, 500).startswith("…'")
    assert excerpt(text, 500).endswith("'…")
    assert len(excerpt(text, 500)) < 70
