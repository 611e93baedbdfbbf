"""Phases 3 and 4 small enough for a test: sizes, batches, and VQ codes in memory."""

import numpy as np
import sections
import torch

from ubg.params import IrraNetwork, Phase4Network, Towers, load_params
from ubg.systems import system_named
from ubg.systems.aligned.task import aligned_network, shared_network
from ubg.systems.clip_mer.task import clip_mer_network
from ubg.systems.irra.objective import with_objective
from ubg.systems.phase4.joint.model import add_generator
from ubg.systems.phase4.joint.targets import GenerationTargets
from ubg.systems.phase4.text.classes import cluster_codes
from ubg.systems.phase4.text.likelihood import build_likelihood
from ubg.systems.phase4.text.model import TextModel
from ubg.systems.phase4.text.targets import ClassTargets
from ubg.systems.phase4.unigram import log_frequencies
from ubg.systems.t2i_reid.task import t2i_reid_network
from ubg.training.task import network_values
from ubg.vqgan.model.architecture import Architecture

HEIGHT, WIDTH, GRID = 64, 32, (4, 2)
PATCHES, CODES, VOCABULARY = 8, 20, 50
SMALL_VQGAN = Architecture(
    codes=CODES,
    code_dim=4,
    latent_channels=8,
    channels=32,
    multipliers=(1, 2),
    blocks=1,
    attention_resolutions=(),
    resolution=64,
    patch=8,
)


def tiny_scale(
    positions="1d",
    pooling="mean",
    cls_token=False,
    dropout=0.0,
    conv_stem=False,
    attention="eager",
    neck="none",
):
    vision = sections.vision_tower(width=32, layers=2, heads=2, mlp_width=48, conv_stem=conv_stem)
    text = sections.text_tower(width=24, layers=2, heads=2, mlp_width=48, dropout=dropout)
    clip_text = sections.clip_text_tower(
        width=24, layers=2, heads=2, mlp_width=48, vocab_size=VOCABULARY
    )
    bert = sections.bert_tower(width=24, layers=2, heads=2, mlp_width=48, dropout=dropout)
    towers = Towers(
        attention=attention, clip=vision, clip_text=clip_text, siglip=vision, t5=text, bert=bert
    )
    return load_params().preset.model_copy(
        update={
            "image": sections.image(height=HEIGHT, width=WIDTH),
            "towers": towers,
            "shared_encoder": sections.shared_encoder(
                pooling=pooling, cls_token=cls_token, image_positions=positions
            ),
            "embedding_dim": 16,
            "neck": neck,
        }
    )


def tiny_generation(**changes):
    return sections.generation(**{"decoder_layers": 2, **changes})


def text_generation(**changes):
    return tiny_generation(**{"condition": "text", **changes})


def retrieval_batch(size=6):
    generator = torch.Generator().manual_seed(0)
    mask = torch.ones(size, 9, dtype=torch.long)
    for row in range(1, size):
        mask[row, 3 + row % 6 :] = 0
    return {
        "images": torch.randn(size, 3, HEIGHT, WIDTH, generator=generator),
        "caption_ids_t5": torch.randint(3, VOCABULARY, (size, 9), generator=generator) * mask,
        "caption_attn_mask_t5": mask,
        "pids": torch.tensor([0, 0, 1, 2, 3, 4])[:size],
        "image_ids": torch.arange(size),
    }


class MemoryTokens:
    """The interface of `VqTokens` over an array, for images 0, 1, 2, .."""

    def __init__(self, images, grid=GRID, codes=CODES):
        self.grid, self.codes = grid, codes
        shape = (images, 2, grid[0] * grid[1])
        self.ids_N2L = np.random.default_rng(0).integers(0, codes, shape)

    def batch(self, image_ids, mirrored):
        return self.ids_N2L[image_ids, mirrored.astype(int)]


def targets_of(generation, images=6, seed=0):
    return GenerationTargets(MemoryTokens(images), GRID, generation, seed)


def full_batch(generation, size=6):
    """A batch of both branches, half of it mirrored."""
    batch = retrieval_batch(size)
    ids = np.arange(size)
    batch |= targets_of(generation, size).fields(0, ids, ids, ids % 2 == 0)
    masked = batch["masked_patches"]
    shown = ~masked.reshape(size, 1, *GRID).repeat_interleave(16, 2).repeat_interleave(16, 3)
    return batch | {"masked_images": batch["images"] * shown}


def network_of(system, scale, beside="phase3"):
    if system == "irra":
        clip, clip_text = scale.towers.clip, scale.towers.clip_text
        return IrraNetwork(**network_values(scale), clip=clip, clip_text=clip_text)
    if system == "clip_mer":
        return clip_mer_network(load_params().model_copy(update={"preset": scale}))
    if system == "t2i_reid":
        return t2i_reid_network(load_params().model_copy(update={"preset": scale}))
    with_clip = system == "phase1" or beside in ("irra", "phase1")
    vision = scale.towers.clip if with_clip else scale.towers.siglip
    if system == "phase4":
        shared = dict(shared_network(scale, vision))
        return Phase4Network(**shared, clip_text=scale.towers.clip_text, beside=beside)
    network = shared_network if system == "phase3" else aligned_network
    return network(scale, vision)


def build_model(system, scale, vocab_size, configs=None, identities=None, guessed=None):
    """The model of a system; irra's trains where there are identities, and else only encodes."""
    declared, network = system_named(system), network_of(system, scale)
    model = declared.load(network, vocab_size, configs or {})
    if identities is None:
        return model
    guessed = guessed or vocab_size
    return with_objective(model, network, scale.irra, identities, vocab_size, guessed)


def build_phase3(scale, seed=0):
    return build_phase("phase3", scale, seed)


def build_phase(name, scale, seed=0):
    torch.manual_seed(seed)
    return build_model(name, scale, VOCABULARY)


def build_phase4(scale, generation, seed=0):
    network = network_of("phase4", scale)
    return add_generator(build_phase3(scale, seed), network, generation, CODES, PATCHES)


def code_classes(generation):
    codebook = torch.randn(CODES, 4, generator=torch.Generator().manual_seed(0))
    return cluster_codes(codebook, generation.clusters)


def build_text(scale, generation, seed=0):
    """Phase 4 whose branch reads captions."""
    network, classes = network_of("phase4", scale, generation.beside), code_classes(generation)
    torch.manual_seed(seed)
    retrieval = system_named("phase4").load(network, VOCABULARY, {})
    known = classes.of_code_V.numpy()[MemoryTokens(6).ids_N2L.reshape(-1, PATCHES)]
    log_f = torch.from_numpy(log_frequencies(known, len(classes.representative_K))).float()
    likelihood = build_likelihood(retrieval, network, generation, log_f, classes)
    return TextModel(retrieval, likelihood, generation)


def text_batch(generation, size=6):
    """A batch of both branches, half of it mirrored."""
    targets = ClassTargets(MemoryTokens(size), code_classes(generation).of_code_V)
    ids = np.arange(size)
    classes = torch.from_numpy(targets.classes(ids, ids % 2 == 0))
    return retrieval_batch(size) | {"code_classes": classes}
