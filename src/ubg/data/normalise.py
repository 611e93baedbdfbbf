"""The normalisation of captions without PyTorch, which alone takes more memory than a data set.

The rule is that of `ubg.data.captions.normalise_caption`, which all tokenisers are fed by and which
lies beside PyTorch code; a test compares the two over every character of Unicode.
"""

import re

_SEPARATORS = re.compile("[\\s\x00-\x1f\x7f-\x9f\u200b\ufeff\ud800-\udfff]+")


def normalise_caption(text: str) -> str:
    """The caption on one line, see `ubg.data.captions.normalise_caption`."""
    return _SEPARATORS.sub(" ", text).strip(" ")
