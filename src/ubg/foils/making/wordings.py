"""One wording of two lists of facts, and where two captions differ."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

from ubg.foils.words import changed_words
from ubg.synthpedes.grammar import tokenize, write_captions
from ubg.synthpedes.visible import Facts

WORDINGS = 40
MOST_WORDS, MOST_WORDS_OF_BINDING = 3, 8
# Words that leave open what the other caption names: shoes may be boots, pants may be jeans.
GENERAL: tuple[list[str], ...] = ([], ["shoes"], ["pants"], ["bottoms"])


class OneDrawPerChoice(random.Random):
    """A generator whose every choice takes one number, from however many things.

    So two captions draw the same for whatever comes after a fact in which they differ.
    """

    def choice(self, seq: Any) -> Any:
        return seq[int(self.random() * len(seq))]


def word_both(
    facts: Facts, foil_facts: Facts, rng: random.Random, binding: bool
) -> Iterator[tuple[str, str]]:
    """Captions of both facts in the same wording, as long as they differ as they should.

    Args:
        facts: of a picture.
        foil_facts: of its twin.
        rng: of the wordings.
        binding: whether the captions must have the same words in another order.
    """
    told = differs_in_order if binding else differs_in_one_place
    for _ in range(WORDINGS):
        seed = rng.getrandbits(64)
        caption, foil = (
            write_captions(each, OneDrawPerChoice(seed), 1)[0] for each in (facts, foil_facts)
        )
        if told(tokenize(caption), tokenize(foil)):
            yield caption, foil


def differs_in_one_place(words: Sequence[str], others: Sequence[str]) -> bool:
    """Whether at most three words in a row differ, and each side says something definite there."""
    changed = changed_words(words, others)
    return all(len(side) <= MOST_WORDS and side not in GENERAL for side in changed)


def differs_in_order(words: Sequence[str], others: Sequence[str]) -> bool:
    """Whether both have the same words, at most eight of them in other places."""
    moved = sum(one != other for one, other in zip(words, others, strict=False))
    return sorted(words) == sorted(others) and 0 < moved <= MOST_WORDS_OF_BINDING
