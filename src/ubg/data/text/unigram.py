"""A SentencePiece unigram tokenizer trained on captions."""

import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from ubg.data.text.normalise import normalise_caption
from ubg.data.text.sentencepiece_file import EOS, PAD, UNK
from ubg.data.text.tokenizers import load_tokenizer

MAX_PIECE_LENGTH = 16


MAX_SEED_PIECES = 200_000


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
