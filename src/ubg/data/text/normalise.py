"""Caption normalisation, shared by all tokenizers; does not import PyTorch."""

import re

# White space, control characters, zero-width space, byte order mark and lone surrogates.
_SEPARATORS = re.compile("[\\s\x00-\x1f\x7f-\x9f\u200b\ufeff\ud800-\udfff]+")


def normalise_caption(text: str) -> str:
    """The caption on one line: runs of white space and control characters become one space.

    Leading and trailing ones go. Zero-width spaces, byte order marks and lone surrogates (which no
    tokenizer can encode) count among them; case, punctuation and other scripts stay. Every
    tokenizer here is fed this form, in training, evaluation and search; the annotation table keeps
    the caption as it was written.
    """
    return _SEPARATORS.sub(" ", text).strip(" ")
