"""T5's tokenizer from its SentencePiece model."""

from io import BytesIO
from pathlib import Path
from typing import Any

PAD, EOS, UNK = "<pad>", "</s>", "<unk>"  # ids 0, 1 and 2, as in T5


def read_sentencepiece(path: Path) -> Any:
    """T5's tokenizer from its SentencePiece model; transformers would need protobuf to read it."""
    from transformers import T5Tokenizer

    pieces, charsmap = read_pieces(path)
    return T5Tokenizer(vocab=pieces, _spm_precompiled_charsmap=charsmap, extra_ids=0)


def read_pieces(path: Path) -> tuple[list[tuple[str, float]], bytes | None]:
    """The pieces of a model with their scores, and the table by which it changes characters.

    Raises:
        ValueError: its first three pieces are not those of T5.
    """
    import sentencepiece

    model = sentencepiece.SentencePieceProcessor(model_file=str(path))
    if (model.pad_id(), model.eos_id(), model.unk_id()) != (0, 1, 2):
        raise ValueError(f"{PAD}, {EOS} and {UNK} are not its first three pieces, as in T5")
    normalizer = sentencepiece.SentencePieceNormalizer(model_file=str(path))
    pieces = [(model.id_to_piece(i), model.get_score(i)) for i in range(len(model))]
    return pieces, _bytes_field(normalizer.serialized_normalizer_spec(), 2)


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
