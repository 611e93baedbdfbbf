"""Encoding with CLIP ViT-B/16 where the last layer makes the pooled token alone, beside all tokens.

Random weights, float32: images of 384x128, and captions as long as those of CUHK-PEDES (23.5 words
on average), sorted by length and trimmed on both sides, which both take the products of evaluation
(`ubg.runtime.cpu_products`). Checked: the same embeddings to 1e-5.

    python benchmarks/last_layer.py [--images 32] [--captions 64] [--rounds 9]
"""

import argparse
import time

import torch
from plain import sizes

from ubg.plan.random_data import caption_lengths
from ubg.runtime.cpu_products import fast_products
from ubg.systems.irra.model import last_token
from ubg.towers.clip_text import clip_text
from ubg.towers.vision import clip_vision

DIM, MAX_TOKENS, BATCH = 512, 77, 16


@torch.inference_mode()
@fast_products()
def main(images, captions, rounds):
    torch.manual_seed(0)
    print(f"{torch.get_num_threads()} thread(s)")
    size = sizes.image(384, 128)
    vision = clip_vision(sizes.VISION, size, "sdpa", projection_dim=DIM).eval()
    pixels = torch.randn(images, 3, 384, 128).split(BATCH)
    compare(
        "images",
        lambda: torch.cat([vision.projected_tokens(part)[:, 0] for part in pixels]),
        lambda: torch.cat([vision.projected_class_token(part) for part in pixels]),
        images,
        rounds,
    )
    text = clip_text(sizes.CLIP_TEXT, DIM, MAX_TOKENS, "sdpa").eval()
    batches = []
    for lengths in torch.from_numpy(caption_lengths(captions, MAX_TOKENS)).sort()[0].split(BATCH):
        mask = (torch.arange(int(lengths.max())) < lengths[:, None]).long()
        batches.append((torch.randint(3, 30_000, mask.shape), mask))
    compare(
        "captions",
        lambda: torch.cat([last_token(text(ids, mask), mask) for ids, mask in batches]),
        lambda: torch.cat([text.final_token(ids, mask) for ids, mask in batches]),
        captions,
        rounds,
    )


def compare(what, all_tokens, one_token, count, rounds):
    best = [float("inf"), float("inf")]
    for _ in range(rounds):
        found = []
        for side, encode in enumerate((all_tokens, one_token)):
            started = time.perf_counter()
            found.append(torch.nn.functional.normalize(encode(), dim=-1))
            best[side] = min(best[side], time.perf_counter() - started)
        torch.testing.assert_close(found[1], found[0], rtol=0, atol=1e-5)
    print(
        f"{what}: all tokens {count / best[0]:.2f}, the pooled one {count / best[1]:.2f} {what}/s, "
        f"{best[0] / best[1]:.2f} times; embeddings equal to 1e-5"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--captions", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    main(arguments.images, arguments.captions, arguments.rounds)
