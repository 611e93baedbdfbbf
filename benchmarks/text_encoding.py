"""Encoding captions sorted by length and trimmed, beside padding every one to 77 tokens.

The text towers of CLIP ViT-B/16 and of T5-base; random weights, float32. Library, padded: its own
model, captions as they come. Padded: our model on the same batches, so that the last way differs
from it in sorting and trimming, and for CLIP in the last layer, which makes the pooled token alone.
All by torch's products and once more by those of evaluation (`ubg.runtime.cpu_products`); the time
of a batch is the least of the rounds. Captions are as long as those of CUHK-PEDES (23.5 words on
average, at 1.2 tokens a word); what they say does not matter. Checked: the same embeddings to 1e-5.

    python benchmarks/text_encoding.py [--captions 1024] [--batch 64] [--rounds 2]
"""

import argparse
import time
from contextlib import nullcontext

import numpy as np
import torch
from plain.sizes import BASE
from torch.nn import functional as F
from transformers import CLIPTextModel, T5EncoderModel

from ubg.data.batches.loader import caption_batches
from ubg.data.text.captions import CLIP_FIELDS, TokenisedCaptions
from ubg.plan.architectures import published
from ubg.plan.random_data import caption_lengths
from ubg.runtime.cpu_products import fast_products
from ubg.systems.irra.model import last_token
from ubg.towers.clip_text import clip_text
from ubg.towers.text import masked_mean, t5_encoder

MAX_TOKENS = 77


class RandomWords:
    """Stands in for a tokenizer: a caption is the number of its tokens."""

    pad_token_id = 0

    def __call__(self, texts, **options):
        rng = np.random.default_rng(0)
        return {"input_ids": [rng.integers(3, 30_000, int(text)).tolist() for text in texts]}


def clip_encoders():
    config = published("clip text", BASE.towers.clip_text.pretrained)
    ours = clip_text(BASE.towers.clip_text, 512, MAX_TOKENS, "sdpa", config.to_dict()).eval()
    plain = CLIPTextModel(config).eval()
    plain.load_state_dict(ours.transformer.state_dict())

    def encode(ids, mask):
        tokens = plain(input_ids=ids, attention_mask=mask).last_hidden_state
        return F.normalize(ours.projection(last_token(tokens, mask)), dim=-1)

    return {
        "library, padded": encode,
        "padded": lambda ids, mask: F.normalize(last_token(ours(ids, mask), mask), dim=-1),
        "trimmed": lambda ids, mask: F.normalize(ours.final_token(ids, mask), dim=-1),
    }


def t5_base_encoders():
    config = published("t5 text", BASE.towers.t5.pretrained)
    ours = t5_encoder(BASE.towers.t5, 32100, "sdpa", config.to_dict())
    plain = T5EncoderModel(config).eval()
    plain.load_state_dict(ours.eval().transformer.state_dict())

    def library(ids, mask):
        tokens = plain(input_ids=ids, attention_mask=mask).last_hidden_state
        return F.normalize(masked_mean(tokens, mask), dim=-1)

    def encode(ids, mask):
        return F.normalize(masked_mean(ours(ids, mask), mask), dim=-1)

    return {"library, padded": library, "padded": encode, "trimmed": encode}


def padded_batches(captions, batch_size):
    """In the order of the captions, all as long as the longest may be."""
    for start in range(0, len(captions), batch_size):
        rows = np.arange(start, min(start + batch_size, len(captions)))
        fields = captions.batch(rows)
        room = MAX_TOKENS - fields[CLIP_FIELDS[0]].shape[1]
        yield rows, {name: F.pad(fields[name], (0, room)) for name in CLIP_FIELDS}


BATCHES = {
    "library, padded": padded_batches,
    "padded": padded_batches,
    "trimmed": caption_batches,
}
PRODUCTS = {"torch's products": nullcontext, "those of evaluation": fast_products}


def encode_all(encode, batches):
    """Embeddings in the order of the captions, and the seconds of each batch."""
    parts, rows, seconds = [], [], []
    started = time.perf_counter()
    for positions, fields in batches:
        parts.append(encode(*(fields[name] for name in CLIP_FIELDS)))
        rows.append(positions)
        ended = time.perf_counter()
        seconds.append(ended - started)
        started = ended
    sorted_QD = torch.cat(parts)
    text_QD = torch.empty_like(sorted_QD)
    text_QD[torch.from_numpy(np.concatenate(rows))] = sorted_QD
    return text_QD, np.array(seconds)


@torch.inference_mode()
def main(count, batch_size, rounds):
    torch.manual_seed(0)
    lengths = caption_lengths(count, MAX_TOKENS)
    captions = TokenisedCaptions(
        RandomWords(), [str(length) for length in lengths], MAX_TOKENS, CLIP_FIELDS
    )
    print(
        f"{count} captions of {lengths.mean():.1f} tokens on average, at most {lengths.max()}; "
        f"batches of {batch_size}, {torch.get_num_threads()} thread(s)"
    )
    for name, encoders in {"CLIP ViT-B/16": clip_encoders(), "T5-base": t5_base_encoders()}.items():
        least, expected_QD = {}, None
        for _ in range(rounds):
            for products, context in PRODUCTS.items():
                for way, encode in encoders.items():
                    with context():
                        batches = BATCHES[way](captions, batch_size)
                        text_QD, seconds = encode_all(encode, batches)
                    expected_QD = text_QD if expected_QD is None else expected_QD
                    torch.testing.assert_close(text_QD, expected_QD, rtol=0, atol=1e-5)
                    least[products, way] = np.minimum(least.get((products, way), np.inf), seconds)
        for products in PRODUCTS:
            trimmed = least[products, "trimmed"].sum()
            for way in BATCHES:
                seconds = least[products, way].sum()
                print(
                    f"{name}, {products}: {way} {count / seconds:.1f} captions/s, trimmed "
                    f"{seconds / trimmed:.2f} times as many; embeddings equal to 1e-5"
                )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--captions", type=int, default=1024)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    main(arguments.captions, arguments.batch, arguments.rounds)
