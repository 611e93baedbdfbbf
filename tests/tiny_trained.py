"""Folders as a train stage leaves them, and a second score that needs no training."""

from pathlib import Path

import numpy as np
import sections
import torch
from safetensors.torch import save_model
from tiny_models import (
    CODES,
    PATCHES,
    SMALL_VQGAN,
    VOCABULARY,
    build_model,
    build_text,
    network_of,
    text_generation,
)

from ubg.data.text.tokenizers import clip_tokenizer
from ubg.data.text.unigram import fit_tokenizer
from ubg.params import load_params
from ubg.runtime.checkpoint import save_weights
from ubg.runtime.files import write_json
from ubg.systems.phase4.folder import write_generator
from ubg.vqgan.model.folder import VQGAN_FOLDER, save_vqgan
from ubg.vqgan.model.vqgan import VQGAN


def save_trained(
    folder, system, scale, model, tokenizer, files=("model.safetensors",), beside="phase3"
):
    """What `ubg.load` reads: weights, config and tokenizer."""
    tokenizer.save_pretrained(folder / "tokenizer")
    for name in files:
        save_weights(folder / name, model)
    config = {
        "system": system,
        "vocab_size": len(tokenizer),
        "network": network_of(system, scale, beside).model_dump(mode="json"),
        "towers": model.tower_configs(),
    }
    write_json(folder / "config.json", config)


def save_untrained(system, folder, scale, captions, files=("model.safetensors",)):
    """Write `folder` as a train stage does; returns the model, which has drawn weights, too."""
    if system == "irra":
        tokenizer = clip_tokenizer()
    else:
        tokenizer = fit_tokenizer(captions, 64, folder / "tokenizer")
    torch.manual_seed(0)
    model = build_model(system, scale, len(tokenizer)).eval()
    save_trained(folder, system, scale, model, tokenizer, files)
    return model, tokenizer


CAPTIONS = ["a man in a red coat and blue jeans", "a woman in a green dress", "a boy in a blue cap"]


def save_small(system, folder):
    """The folder of a model of random weights for small images; the model and tokenizer too."""
    scale = load_params().preset.model_copy(update={"image": sections.image(height=64, width=32)})
    return folder, *save_untrained(system, folder, scale, CAPTIONS * 4)


def save_small_phase4(scale, captions):
    """`models/phase4`, its branch and a VQGAN, of random weights, below the working folder."""
    folder, generation = Path("models/phase4"), text_generation()
    tokenizer = fit_tokenizer(captions, VOCABULARY, folder / "tokenizer")
    model = build_text(scale, generation).eval()
    save_trained(folder, "phase4", scale, model.retrieval, tokenizer)
    VQGAN_FOLDER.mkdir()
    save_vqgan(VQGAN(SMALL_VQGAN), VQGAN_FOLDER)
    torch.nn.init.normal_(model.generator.reader.decoder.head.weight)
    model.generator.score_weight.fill_(0.01)
    save_model(model.generator, "generator.safetensors")
    sizes = {"codes": CODES, "classes": generation.clusters, "length": PATCHES}
    write_generator(generation, sizes, Path())
    return folder


class Letters:
    """A tokenizer of one token per character."""

    pad_token_id = 0

    def __call__(self, texts, **options):
        return {"input_ids": [[*(ord(letter) for letter in text), 1] for text in texts]}


class ToyScore:
    """Codes are the pixels of a cell as a hash, and what a caption says of them is another.

    Both are of whole numbers, so that they do not depend on the batch.
    """

    codes, length = 5, 8

    def __init__(self):
        self.asked = []

    def image_codes(self, images_BHWC):
        size, height, width, _ = images_BHWC.shape
        cells = images_BHWC.reshape(size, 4, height // 4, 2, width // 2, 3)
        sums_BL = cells.sum((2, 4, 5), dtype=np.int64).reshape(size, self.length)
        return (sums_BL % self.codes).astype(np.int32)

    def caption_evidence(self, text):
        ids_BT, mask_BT = text.values()
        self.asked.append(len(ids_BT))
        place_T = 1 + torch.arange(ids_BT.shape[1])
        hash_B = (ids_BT * mask_BT * place_T).sum(1)
        spread_LV = 1 + torch.arange(self.length * self.codes).view(self.length, self.codes)
        return (hash_B.view(-1, 1, 1) * spread_LV % 997).float() / 997 - 0.5
