"""Text tokenizers: T5's, trained on the captions or pretrained by name or folder, and CLIP's."""

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

from ubg.data.text.normalise import normalise_caption
from ubg.data.text.vocabulary_limits import check_vocabulary
from ubg.runtime.hub import find_file

TOKENIZER = Path("models/tokenizer")
PAD, EOS, UNK = "<pad>", "</s>", "<unk>"  # ids 0, 1 and 2, as in T5
MAX_PIECE_LENGTH = 16
PANIC = "PanicException"  # of libraries in Rust; no class to import, and no Exception
MAX_SEED_PIECES = 200_000

# The files that hold a vocabulary; one row of them suffices.
FAST, SENTENCEPIECE = "tokenizer.json", "spiece.model"
VOCABULARIES = ((FAST,), (SENTENCEPIECE,), ("vocab.json", "merges.txt"))


def fit_tokenizer(captions: Sequence[str], vocab_size: int, output_folder: str | Path) -> Any:
    """Train a SentencePiece unigram model (Kudo, ACL 2018) and save it as a transformers tokenizer.

    Text is normalised by NFKC and lower-cased, in training and in use. The ids are SentencePiece's
    and a final `</s>`. The result depends on captions and size alone.

    Args:
        captions: training captions, as written; they go through `normalise_caption`.
        vocab_size: upper limit; a small corpus may not hold as many pieces.
        output_folder: where `save_pretrained` writes it.

    Returns:
        The tokenizer as `load_tokenizer(output_folder)` gives it.

    Raises:
        ValueError: the captions have more characters than `vocab_size`, or no text at all.
    """
    from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
    from tokenizers.models import Unigram
    from transformers import PreTrainedTokenizerFast

    normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    texts = [normalizer.normalize_str(normalise_caption(caption)) for caption in captions]
    tokenizer = Tokenizer(Unigram(_train_unigram(texts, vocab_size), unk_id=2))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {EOS}", pair=f"$A {EOS} $B {EOS}", special_tokens=[(EOS, 1)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=EOS, unk_token=UNK
    ).save_pretrained(output_folder)
    return load_tokenizer(output_folder)


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
        if names == {SENTENCEPIECE}:
            tokenizer = _read_sentencepiece(vocabulary[0])
        else:
            from transformers import AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(
                source, trust_remote_code=False, local_files_only=Path(source).is_dir()
            )
    except BaseException as error:  # the files are from outside, each kind fails in its own way
        if not isinstance(error, Exception) and type(error).__name__ != PANIC:
            raise
        reason = " ".join(str(error).split())[:300]
        raise ValueError(
            f"tokenizer {source!r} cannot be loaded from {', '.join(sorted(names))}: {reason}; "
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


def _read_sentencepiece(path: Path) -> Any:
    """T5's tokenizer from its SentencePiece model; transformers would need protobuf to read it."""
    import sentencepiece
    from transformers import T5Tokenizer

    model = sentencepiece.SentencePieceProcessor(model_file=str(path))
    if (model.pad_id(), model.eos_id(), model.unk_id()) != (0, 1, 2):
        raise ValueError(f"{PAD}, {EOS} and {UNK} are not its first three pieces, as in T5")
    normalizer = sentencepiece.SentencePieceNormalizer(model_file=str(path))
    return T5Tokenizer(
        vocab=[(model.id_to_piece(i), model.get_score(i)) for i in range(len(model))],
        _spm_precompiled_charsmap=_bytes_field(normalizer.serialized_normalizer_spec(), 2),
        extra_ids=0,
    )


def _bytes_field(message: bytes, wanted: int) -> bytes | None:
    """A field of bytes in a protocol buffer message, by its number; None where it is empty.

    https://protobuf.dev/programming-guides/encoding
    """
    stream = BytesIO(message)

    def number() -> int:
        """Seven bits to a byte, the lowest first; the eighth says whether another byte follows."""
        value = shift = 0
        while True:
            (byte,) = stream.read(1)
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while stream.tell() < len(message):
        field, kind = divmod(number(), 8)
        assert kind in (0, 2), "a normalizer has numbers and bytes alone"
        value = number()
        if kind == 2:
            content = stream.read(value)
            if field == wanted:
                return content or None
    return None


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
    """
    ids = tokenizer(
        texts,
        add_special_tokens=special,
        return_attention_mask=False,
        verbose=False,
        split_special_tokens=True,
    )["input_ids"]
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


def _train_unigram(texts: Sequence[str], vocab_size: int) -> list[tuple[str, float]]:
    """Pieces with their log probabilities, in the order of their ids."""
    import sentencepiece

    words = Counter(word for text in texts for word in text.split())
    if not words:
        raise ValueError("no caption has any text to train a tokenizer on; check the captions")
    model = BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        seeds = Path(folder) / "seeds.tsv"
        seeds.write_text("".join(_seed_lines(words)), encoding="utf-8")
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(texts),
                model_writer=model,
                model_type="unigram",
                vocab_size=vocab_size,
                hard_vocab_limit=False,
                seed_sentencepieces_file=str(seeds),
                normalization_rule_name="identity",
                pad_id=0,
                eos_id=1,
                unk_id=2,
                bos_id=-1,
                pad_piece=PAD,
                eos_piece=EOS,
                unk_piece=UNK,
                num_threads=1,
                minloglevel=2,
            )
        except RuntimeError as error:
            reason = str(error).rpartition("] ")[2]  # what follows the trainer's source line
            raise ValueError(
                f"tokenizer.vocab_size: {vocab_size} does not fit the captions: {reason}"
            ) from None
    trained = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    return [(trained.id_to_piece(i), trained.get_score(i)) for i in range(len(trained))]


def _seed_lines(words: Counter[str]) -> Iterator[str]:
    """Candidate pieces of more than one character, with how often the captions hold them.

    By default the trainer counts each distinct word once; if the captions consist of few distinct
    words, no whole word then becomes a piece. Punctuation is kept separate, or `coat,` would take
    up a piece in addition to `coat`.
    """
    pieces: Counter[str] = Counter()
    for word, count in words.items():
        for run in re.findall(r"[\w▁'-]+", f"▁{word}"):
            for start in range(len(run)):
                for stop in range(start + 2, min(start + MAX_PIECE_LENGTH, len(run)) + 1):
                    pieces[run[start:stop]] += count
    # Ties are sorted by piece, so that the file does not depend on the order of the captions.
    ranked = sorted(pieces.items(), key=lambda item: (-item[1], item[0]))
    return (f"{piece}\t{count}\n" for piece, count in ranked[:MAX_SEED_PIECES])
