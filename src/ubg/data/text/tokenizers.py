"""Text tokenizers: T5's, trained on the captions or pretrained by name or folder, and CLIP's."""

import json
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from ubg.data.text.normalise import normalise_caption
from ubg.data.text.sentencepiece_file import read_sentencepiece
from ubg.data.text.trial import try_in_child
from ubg.data.text.vocabulary_limits import check_vocabulary
from ubg.runtime.hub import find_file

TOKENIZER = Path("models/tokenizer")
PANIC = "PanicException"  # of libraries in Rust; no class to import, and no Exception

# The files that hold a vocabulary; one row of them suffices.
FAST, SENTENCEPIECE = "tokenizer.json", "spiece.model"
VOCABULARIES = ((FAST,), (SENTENCEPIECE,), ("vocab.json", "merges.txt"))


def load_tokenizer(name_or_folder: str | Path) -> Any:
    """The transformers tokenizer of a hub name (a string) or a folder.

    A folder whose only vocabulary is a `spiece.model`, as some T5 have it, gives SentencePiece's
    ids and a final `</s>`.

    Raises:
        ValueError: there is none of that name, its vocabulary is missing or cannot be read, or it
            has no padding or final token.
    """
    source = str(name_or_folder)
    if isinstance(name_or_folder, Path) and not name_or_folder.is_dir():
        raise ValueError(f"tokenizer {source!r} cannot be loaded: there is no such folder")
    vocabulary = _find_vocabulary(source)
    names = {path.name for path in vocabulary}
    try:
        check_vocabulary(vocabulary)
        try_in_child(vocabulary)
        if names == {SENTENCEPIECE}:
            tokenizer = read_sentencepiece(vocabulary[0])
        else:
            from transformers import AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(
                source, trust_remote_code=False, local_files_only=Path(source).is_dir()
            )
    except BaseException as error:  # the files are from outside, each kind fails in its own way
        raise ValueError(
            f"tokenizer {source!r} cannot be loaded from {', '.join(sorted(names))}: "
            f"{_reason(error)}; "
            "give a hub name or a folder written by save_pretrained"
        ) from None
    if not names <= set(tokenizer.vocab_files_names.values()):
        raise ValueError(
            f"tokenizer {source!r} is a {type(tokenizer).__name__}, which has no use for "
            f"{', '.join(sorted(names))}; its {FAST} is missing"
        )
    if tokenizer.pad_token_id is None or tokenizer.eos_token_id is None:
        raise ValueError(
            f"tokenizer {source!r} has no padding or final token; give one of a T5 model"
        )
    return tokenizer


def _reason(error: BaseException) -> str:
    """What a library says in one line; what is no fault of a file or caption is raised again."""
    if not isinstance(error, Exception) and type(error).__name__ != PANIC:
        raise error
    return " ".join(str(error).split())[:300]


def _find_vocabulary(source: str) -> list[Path]:
    """The files of a vocabulary; without one, transformers makes a tokenizer that knows no word.

    Raises:
        ValueError: there is none, or a part of it is missing.
    """
    for names in VOCABULARIES:
        try:
            found = {name: find_file(source, name) for name in names}
        except ValueError as error:
            raise ValueError(f"tokenizer {source!r} cannot be loaded: {error}") from None
        paths = [path for path in found.values() if path is not None]
        if len(paths) == len(names):
            return paths
        if paths:
            missing = next(name for name, path in found.items() if path is None)
            raise ValueError(
                f"tokenizer {source!r} has no {missing} beside its {paths[0].name}; add it"
            )
    raise ValueError(
        f"tokenizer {source!r} has no vocabulary: neither {FAST} nor {SENTENCEPIECE} (T5) is "
        "there; put it beside the model's other files"
    )


def clip_tokenizer(source: str | Path | None = None) -> Any:
    """CLIP's byte pair encoding: `<|startoftext|>`, the lower-cased caption, `<|endoftext|>` (EOT).

    It pads with EOT, as published: tell padding by the attention mask, not by the id.

    Args:
        source: what the text tower is loaded from. A hub name or a folder of transformers brings
            its tokenizer; for None and for checkpoints of open_clip it is built from the vocabulary
            that open_clip ships.

    Raises:
        ValueError: as `load_tokenizer`, or `source` has another tokenizer than CLIP's.
    """
    from transformers import CLIPTokenizer

    if source is not None and _brings_tokenizer(str(source)):
        folder = Path(source).parent if Path(source).is_file() else source
        tokenizer = load_tokenizer(folder)
        if not isinstance(tokenizer, CLIPTokenizer):
            raise ValueError(
                f"tokenizer {str(source)!r} is a {type(tokenizer).__name__}; give one of a CLIP"
            )
        return tokenizer
    from open_clip import SimpleTokenizer

    published = SimpleTokenizer()
    names = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    vocabulary = {names.get(token, token): id_ for token, id_ in published.encoder.items()}
    return CLIPTokenizer(vocab=vocabulary, merges=list(published.bpe_ranks))


def _brings_tokenizer(source: str) -> bool:
    """Whether a source of a text tower is to have a tokenizer: files of open_clip need none."""
    path = Path(source)
    if not path.exists():
        return not source.startswith("hf-hub:")
    folder = path.parent if path.is_file() else path
    return any((folder / name).is_file() for name in (FAST, "vocab.json", "merges.txt"))


def token_ids(tokenizer: Any, texts: Sequence[str], special: bool = True) -> list[list[int]]:
    """Token ids of captions in the form of `normalise_caption`.

    What is written like a special token (`</s>`) is plain text in a caption, as to SentencePiece.

    Args:
        tokenizer: a transformers tokenizer.
        texts: captions.
        special: with the tokens that begin and end a caption.

    Raises:
        ValueError: the library fails on a caption, as on a character that no piece stands for.
    """
    try:
        ids = tokenizer(
            texts,
            add_special_tokens=special,
            return_attention_mask=False,
            verbose=False,
            split_special_tokens=True,
        )["input_ids"]
    except BaseException as error:
        raise ValueError(
            f"the tokenizer fails on a caption: {_reason(error)}; take another, or leave it out"
        ) from None
    if not _is_unigram(tokenizer):
        return ids
    # The Unigram model of the tokenizers library also finds its special pieces inside of words.
    known = set(tokenizer.all_special_ids)
    expected = tokenizer.num_special_tokens_to_add() if special else 0
    rows = [i for i, found in enumerate(ids) if sum(map(known.__contains__, found)) > expected]
    if rows:
        plain = _without_special_pieces(tokenizer)
        encodings = plain.encode_batch([texts[row] for row in rows], add_special_tokens=special)
        for row, encoding in zip(rows, encodings, strict=True):
            ids[row] = encoding.ids
    return ids


def _is_unigram(tokenizer: Any) -> bool:
    from tokenizers.models import Unigram

    backend = getattr(tokenizer, "backend_tokenizer", None)  # none where it is written in Python
    return backend is not None and isinstance(backend.model, Unigram)


@lru_cache(maxsize=2)
def _without_special_pieces(tokenizer: Any) -> Any:
    """The same tokenizer with no way to write a special piece."""
    from tokenizers import Tokenizer

    state = json.loads(tokenizer.backend_tokenizer.to_str())
    special = {token["content"] for token in state["added_tokens"] if token["special"]}
    state["added_tokens"] = [token for token in state["added_tokens"] if not token["special"]]
    state["model"]["vocab"] = [
        (f"\0{piece}" if piece in special else piece, score)  # captions have no such character
        for piece, score in state["model"]["vocab"]
    ]
    return Tokenizer.from_str(json.dumps(state))


def refuse_unknown(share: float, most: float) -> None:
    """Refuse a tokenizer to which too many tokens of the training captions are unknown.

    Raises:
        ValueError: their share is greater than `most`, which is `tokenizer.max_unknown`.
    """
    if share > most:
        raise ValueError(
            f"tokenizer.max_unknown: the tokenizer does not know {100 * share:.3g} % of the tokens "
            f"of the training captions, {100 * most:.3g} % are allowed; take a tokenizer of their "
            "language, or raise it"
        )


def describe_tokenizer(tokenizer: Any, captions: Sequence[str]) -> dict[str, Any]:
    """Facts to look at: vocabulary size, tokens per caption, share of unknown tokens, pieces.

    Tokens count without the final one. `pieces` are the 50 that the captions use most.
    """
    texts = [normalise_caption(caption) for caption in captions]
    encoded = token_ids(tokenizer, texts, special=False)
    counts = Counter(token for ids in encoded for token in ids)
    tokens = counts.total()
    most_used = [token for token, _ in counts.most_common(50)]
    return {
        "vocabulary": len(tokenizer),
        "captions": len(texts),
        "tokens_per_caption": round(tokens / len(texts), 2),
        "longest_caption": max(len(ids) for ids in encoded),
        "unknown_percent": round(100 * counts[tokenizer.unk_token_id] / tokens, 3),
        "pieces": tokenizer.convert_ids_to_tokens(most_used),
    }
