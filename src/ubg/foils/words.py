"""Where two captions differ."""

from collections.abc import Sequence


def changed_words(words: Sequence[str], others: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is left of either where the beginning and the end that they share are taken off."""
    start = shared_words(words, others)
    end = shared_words(words[start:][::-1], others[start:][::-1])
    return list(words[start : len(words) - end]), list(others[start : len(others) - end])


def shared_words(words: Sequence[str], others: Sequence[str]) -> int:
    """How many of the first items are the same."""
    for place, (one, other) in enumerate(zip(words, others, strict=False)):
        if one != other:
            return place
    return min(len(words), len(others))
