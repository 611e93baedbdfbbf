"""What is counted without PyTorch is what the text encoders are given."""

import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ubg.data.text.clip_tokens import count_tokens
from ubg.data.text.normalise import normalise_caption
from ubg.data.text.tokenizers import clip_tokenizer, token_ids


@pytest.fixture(scope="module")
def length():
    tokenizer = clip_tokenizer()
    return lambda text: len(token_ids(tokenizer, [normalise_caption(text)])[0])


def test_lengths_are_those_of_the_tokenizer_of_the_text_tower(length):
    texts = ["A man.", "  a\u200b man .\n", "红色 coat", "x" * 300, "\ud800", "it's 1,80 m", "É"]
    texts += ["a <|endoftext|> b", "<|startoftext|>"]
    assert count_tokens(texts).tolist() == [length(text) for text in texts]
    assert length("A man.") == 5  # begin, a, man, full stop, end


def test_words_of_published_tokens_take_one(length):
    """Frequent words are one token only if all merges are there."""
    text = "the woman wears sunglasses photography wednesday"
    assert count_tokens([text])[0] == length(text) == 8


@settings(deadline=None, max_examples=200)
@given(text=st.text(max_size=60))
def test_any_text_is_counted_alike(length, text):
    assert count_tokens([text])[0] == length(text)


def test_an_environment_without_a_locale_changes_nothing(length):
    """Where Python takes text files for ASCII unless they are opened as something else."""
    code = (
        "from ubg.data.text.clip_tokens import count_tokens; print(*count_tokens(['a caf\\xe9']))"
    )
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    told = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | locale, capture_output=True, text=True
    )
    assert told.stdout.strip() == str(length("a café")), told.stderr
