"""Encoding captions in batches of similar length, trimmed, beside padding every one to 77 tokens.

The text towers of CLIP ViT-B/16, whose last layer then makes the pooled token alone, and of
T5-base; random weights, float32. Both ways once more by the products of evaluation
(`ubg.cpu_products`). Captions are as long as those of CUHK-PEDES (23.5 words on average, at 1.2
tokens a word); what they say does not matter. Checked: the same embeddings to 1e-5.

    python benchmarks/text_encoding.py [--captions 512] [--batch 64] [--rounds 2]
"""

import argparse
import time
from functools import partial

import numpy as np
import torch
from torch.nn import functional as F

from ubg.cpu_products import fast_products
from ubg.data.captions import CLIP_FIELDS, TokenisedCaptions
from ubg.data.loader import caption_batches
from ubg.models.irra import last_token
from ubg.models.towers.clip_text import clip_text
from ubg.models.towers.text import masked_mean, t5_encoder
from ubg.params import ClipTextTower, TextTower
from ubg.plan.published import T5
from ubg.plan.random_batch import caption_lengths

MAX_TOKENS = 77


class RandomWords:
    """Stands in for a tokenizer: a caption is the number of its tokens."""

    pad_token_id = 0

    def __call__(self, texts, **options):
        rng = np.random.default_rng(0)
        return {"input_ids": [rng.integers(3, 30_000, int(text)).tolist() for text in texts]}


def clip_encoders():
    tower = ClipTextTower(width=512, layers=12, heads=8, mlp_width=2048)
    model = clip_text(tower, 512, MAX_TOKENS, "sdpa").eval()
    return {
        "padded": lambda ids, mask: F.normalize(last_token(model(ids, mask), mask), dim=-1),
        "trimmed": lambda ids, mask: F.normalize(model.final_token(ids, mask), dim=-1),
    }


def t5_base_encoders():
    config = T5["google-t5/t5-base"]()
    model = t5_encoder(TextTower(pretrained="google-t5/t5-base"), 32100, "sdpa", config.to_dict())
    model.eval()

    def encode(ids, mask):
        return F.normalize(masked_mean(model(ids, mask), mask), dim=-1)

    return {"padded": encode, "trimmed": encode}


def padded(encode, captions, batch_size):
    """In the order of the captions, all as long as the longest may be."""
    parts = []
    for start in range(0, len(captions), batch_size):
        rows = np.arange(start, min(start + batch_size, len(captions)))
        fields = captions.batch(rows)
        room = MAX_TOKENS - fields[CLIP_FIELDS[0]].shape[1]
        parts.append(encode(*(F.pad(fields[name], (0, room)) for name in CLIP_FIELDS)))
    return torch.cat(parts)


def trimmed(encode, captions, batch_size):
    """As `ubg.retrieval.encode` does."""
    rows, parts = [], []
    for positions, fields in caption_batches(captions, batch_size):
        rows.append(positions)
        parts.append(encode(*(fields[name] for name in CLIP_FIELDS)))
    sorted_QD = torch.cat(parts)
    text_QD = torch.empty_like(sorted_QD)
    text_QD[torch.from_numpy(np.concatenate(rows))] = sorted_QD
    return text_QD


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
        fast = fast_products()
        ways = {
            "padded": partial(padded, encoders["padded"]),
            "trimmed": partial(trimmed, encoders["trimmed"]),
            "padded, products of evaluation": fast(partial(padded, encoders["padded"])),
            "trimmed, products of evaluation": fast(partial(trimmed, encoders["trimmed"])),
        }
        seconds = {way: float("inf") for way in ways}
        for _ in range(rounds):
            found = {}
            for way, encode in ways.items():
                started = time.perf_counter()
                found[way] = encode(captions, batch_size)
                seconds[way] = min(seconds[way], time.perf_counter() - started)
                torch.testing.assert_close(found[way], found["padded"], rtol=0, atol=1e-5)
        for way, least in seconds.items():
            print(
                f"{name}, {way}: {count / least:.1f} captions/s, "
                f"{seconds['padded'] / least:.2f} times; embeddings equal to 1e-5"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--captions", type=int, default=512)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    main(arguments.captions, arguments.batch, arguments.rounds)
