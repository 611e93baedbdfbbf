"""BERT's tokenizer: WordPiece, by name or folder."""

from pathlib import Path
from typing import Any

from ubg.data.text.tokenizers import FAST, PANIC
from ubg.data.text.vocabulary_limits import check_vocabulary
from ubg.runtime.hub import find_file

VOCABULARY = "vocab.txt"


def bert_tokenizer(source: str) -> Any:
    """The tokenizer of a BERT: `[CLS]`, the caption, `[SEP]`, which is its final token.

    Args:
        source: what the text tower is loaded from: a hub name, a folder, or a file in it.

    Raises:
        ValueError: there is no `tokenizer.json` or `vocab.txt`, it cannot be read, or it is of
            another model than BERT.
    """
    from transformers import AutoTokenizer, BertTokenizer

    folder = str(Path(source).parent) if Path(source).is_file() else source
    vocabulary = find_file(folder, FAST) or find_file(folder, VOCABULARY)
    if vocabulary is None:
        raise ValueError(
            f"tokenizer {source!r} has no vocabulary: neither {FAST} nor {VOCABULARY} is there; "
            "put it beside the model's other files"
        )
    try:
        check_vocabulary([vocabulary])
        tokenizer = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, local_files_only=Path(folder).is_dir()
        )
    except BaseException as error:  # the files are from outside, each kind fails in its own way
        if not isinstance(error, Exception) and type(error).__name__ != PANIC:
            raise
        reason = " ".join(str(error).split())[:300]
        raise ValueError(
            f"tokenizer {source!r} cannot be loaded from {vocabulary.name}: {reason}; "
            "give a hub name or a folder written by save_pretrained"
        ) from None
    if not isinstance(tokenizer, BertTokenizer) or tokenizer.sep_token_id is None:
        raise ValueError(
            f"tokenizer {source!r} is a {type(tokenizer).__name__}; give one of a BERT"
        )
    tokenizer.eos_token = tokenizer.sep_token  # trained models are read back by their final token
    return tokenizer
