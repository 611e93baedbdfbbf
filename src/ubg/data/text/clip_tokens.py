"""Lengths of captions in CLIP's tokens, counted without loading PyTorch."""

import gzip
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ubg.data.text.normalise import normalise_caption

AT_ONCE = 1_000
MERGES = 48_894  # of the published vocabulary; the file holds more, which CLIP does not use


def count_tokens(captions: Sequence[str]) -> NDArray[np.int64]:
    """Length of each caption in tokens of CLIP's byte pair encoding, begin and end among them.

    As `ubg.data.text.tokenizers.clip_tokenizer` counts, but from the vocabulary file that open_clip
    ships and without importing open_clip, since that loads PyTorch. No token reaches over white
    space, so each distinct word is encoded once.
    """
    texts = [normalise_caption(caption).split(" ") for caption in captions]
    words = sorted({word for text in texts for word in text})
    tokenizer = _tokenizer().backend_tokenizer
    lengths: dict[str, int] = {}
    for start in range(0, len(words), AT_ONCE):
        some = words[start : start + AT_ONCE]
        encodings = tokenizer.encode_batch_fast(some, add_special_tokens=False)
        lengths |= {word: len(encoding.ids) for word, encoding in zip(some, encodings, strict=True)}
    return np.array([2 + sum(map(lengths.__getitem__, text)) for text in texts], np.int64)


@cache
def _tokenizer() -> Any:
    """CLIP's tokenizer, except that token ids differ; lengths do not depend on them."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    spec = find_spec("open_clip")
    assert spec is not None
    assert spec.origin is not None
    with gzip.open(
        Path(spec.origin).parent / "bpe_simple_vocab_16e6.txt.gz", "rt", encoding="utf-8"
    ) as file:
        next(file)  # a heading
        merges = [tuple(line.split()) for line, _ in zip(file, range(MERGES), strict=False)]
    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *map("".join, merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={token: id_ for id_, token in enumerate(tokens)},
        merges=merges,
        split_special_tokens=True,
    )
