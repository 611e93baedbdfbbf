"""What a tokenizer's files may hold before the library that runs them sees them.

The tokenizers library crashes, panics or hangs on some files, which nothing catches.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ubg.runtime.opening import Kind, check_file, read_text

MOST_PIECES = 2**20
LONGEST_PIECE = 1_000  # characters; the longest of T5, CLIP and Gemma have fewer than 200
LONGEST_PATTERN = 2_000
MOST_COMPONENTS = 100
MOST_GROWTH = 10_000  # of a text, by all that a normaliser puts in place of something
MODELS = ("Unigram", "BPE", "WordPiece", "WordLevel")
COMPONENTS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")
SIDE_FILES = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "config.json",
)


def check_vocabulary(paths: list[Path]) -> None:
    """Refuse files of a vocabulary that are too large, or not what any tokenizer here has.

    Args:
        paths: those of a vocabulary; of small JSON files beside them, sizes are checked.

    Raises:
        ValueError: the file and the entry are named.
        OSError: a file cannot be read.
    """
    for path in paths:
        check_file(path, Kind.VOCABULARY)
        if path.suffix == ".json":
            try:
                values = json.loads(read_text(path, Kind.VOCABULARY))
            except RecursionError:
                raise ValueError(f"{path}: is nested too deeply") from None
            if not isinstance(values, dict):
                raise ValueError(f"{path}: is not a JSON object")
            _check(values, path)
    for name in SIDE_FILES:
        if (beside := paths[0].parent / name).exists():
            check_file(beside, Kind.VOCABULARY)


def _check(values: dict[str, Any], path: Path) -> None:
    if path.name != "tokenizer.json":
        _check_pieces(values, path)
        return
    model = values.get("model")
    if not isinstance(model, dict) or model.get("type", "BPE") not in MODELS:
        raise ValueError(f"{path}: its model is none of {', '.join(MODELS)}")
    _check_pieces(model.get("vocab"), path)
    added = values.get("added_tokens") or []
    _check_pieces([token.get("content") for token in added if isinstance(token, dict)], path)
    for merge in model.get("merges") or []:
        if len(merge) > 2 * LONGEST_PIECE:
            raise ValueError(f"{path}: a merge has {len(merge):,} characters")
    for name in COMPONENTS:
        parts = list(_parts(values.get(name)))
        if len(parts) > MOST_COMPONENTS:
            raise ValueError(f"{path}: its {name} has {len(parts):,} parts")
        growth = math.prod(max(1, len(str(part.get("content", "")))) for part in parts)
        if growth > MOST_GROWTH:
            raise ValueError(f"{path}: its {name} makes a text up to {growth:,} times as long")
        for part in parts:
            pattern = part.get("pattern")
            if len(json.dumps(pattern)) > LONGEST_PATTERN:
                raise ValueError(f"{path}: its {name} has a pattern that is too long")


def _check_pieces(vocabulary: Any, path: Path) -> None:
    if not isinstance(vocabulary, dict | list) or len(vocabulary) > MOST_PIECES:
        raise ValueError(f"{path}: has no list of at most {MOST_PIECES:,} pieces")
    for entry in vocabulary:
        piece = entry[0] if isinstance(entry, list) and entry else entry
        if not isinstance(piece, str) or len(piece) > LONGEST_PIECE:
            raise ValueError(f"{path}: a piece has more than {LONGEST_PIECE:,} characters, or none")


def _parts(component: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """A component and those that it is made of."""
    if depth > MOST_COMPONENTS or not isinstance(component, dict):
        return
    yield component
    for inner in component.values():
        for one in inner if isinstance(inner, list) else [inner]:
            yield from _parts(one, depth + 1)
