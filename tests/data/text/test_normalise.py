import pytest
from hypothesis import given
from hypothesis import strategies as st

from ubg.data.text.normalise import normalise_caption


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (" A man.\n", "A man."),
        ("red\r\n\tcoat", "red coat"),
        ("red\x00\x07coat\x7f", "red coat"),
        ("\ufeffa\u200bb\u00a0c\u3000d\u2028e", "a b c d e"),
        ("lone \ud83d surrogate", "lone surrogate"),
        ("T-shirt, 红色 ÉTÉ </b>", "T-shirt, 红色 ÉTÉ </b>"),
        (" \n ", ""),
    ],
)
def test_captions_are_normalised_to_one_line(written, expected):
    assert normalise_caption(written) == expected


@given(st.text(st.characters()))
def test_normalising_twice_changes_nothing_and_leaves_encodable_text(text):
    once = normalise_caption(text)
    assert normalise_caption(once) == once
    assert once.split() == once.split(" ") or once == ""
    once.encode("utf-8")
