"""A system with random weights and batches for it, out of the params alone."""

from dataclasses import dataclass
from pathlib import Path

import torch

from ubg.generation.targets import GenerationTargets
from ubg.models.build import build_model
from ubg.models.contract import RetrievalModel
from ubg.models.phase3 import SharedEncoderModel
from ubg.models.phase4 import add_generator
from ubg.models.vqgan.published import read_config
from ubg.params import Params, Vqgan
from ubg.plan.published import Notes, tower_configs
from ubg.plan.random_batch import Batch, RandomCodes, caption_lengths, random_batch

PUBLISHED_CODES, PUBLISHED_FACTOR = 16384, 16  # of the VQGAN that the base preset names
CLIP_WORDS = 49408  # tokens of CLIP's byte pair encoding


@dataclass(frozen=True)
class RandomSystem:
    """A system as it would start to train, but for what its weights and its data hold.

    Attributes:
        name: of the system.
        model: at random.
        params: that it was built from.
        loss_weights: of its losses.
        vocab_size: tokens that its tokenizer knows.
        identities: of the training split.
        targets: of phase 4.
        notes: what was assumed, a line each.
    """

    name: str
    model: RetrievalModel
    params: Params
    loss_weights: dict[str, float]
    vocab_size: int
    identities: int
    targets: GenerationTargets | None
    notes: Notes

    def batch(self, size: int) -> Batch:
        """So many samples, their captions as long as in a batch of the size to train with."""
        scale = self.params.model
        lengths = caption_lengths(scale.training.batch_size, scale.tokenizer.max_tokens)
        return random_batch(
            scale,
            size,
            self.model.caption_fields,
            self.vocab_size,
            self.identities,
            masked_words="mlm_loss" in self.loss_weights,
            targets=self.targets,
            padded_to=int(lengths.max()),
        )


def random_system(name: str, params: Params, identities: int) -> RandomSystem:
    """The system `name` for so many training identities; nothing is fetched.

    Raises:
        ValueError: a pretrained model is not on this machine and its sizes are not known.
    """
    scale = params.model
    configs, notes = tower_configs(name, scale)
    if name == "irra":
        vocab_size = min(CLIP_WORDS, scale.towers.clip_text.vocab_size)
    else:
        vocab_size = configs.get("text", {}).get("vocab_size", scale.tokenizer.vocab_size)
    torch.manual_seed(params.seed)
    model = build_model(name, scale, vocab_size, configs, identities)
    weights = scale.loss_weights(name)
    targets = None
    if name == "phase4" and params.generation.enable_gen:
        assert isinstance(model, SharedEncoderModel)
        codes, factor = _codes(scale.vqgan, notes)
        grid = scale.image.height // factor, scale.image.width // factor
        tokens = RandomCodes(codes, grid)
        targets = GenerationTargets(tokens, model.vision.grid, params.generation, params.seed)
        model = add_generator(model, scale, params.generation, codes, grid[0] * grid[1])
        weights = weights | {"gen_loss": params.gen_weight}
    if "mlm_loss" in weights and scale.irra.guess_among == "seen":
        notes.append("irra guesses among all tokens here: which are seen, the captions tell")
    return RandomSystem(name, model, params, weights, vocab_size, identities, targets, notes)


def _codes(vqgan: Vqgan, notes: Notes) -> tuple[int, int]:
    """Size of the codebook, and side in pixels of what a code stands for."""
    if vqgan.fit is not None:
        return vqgan.fit.codes, vqgan.fit.patch * 2 ** (len(vqgan.fit.multipliers) - 1)
    assert vqgan.config is not None
    if Path(vqgan.config).exists():
        architecture = read_config(Path(vqgan.config))
        return architecture.codes, architecture.factor
    notes.append(
        f"{vqgan.config}: not there; {PUBLISHED_CODES:,} codes are assumed, each for a square of "
        f"{PUBLISHED_FACTOR} pixels"
    )
    return PUBLISHED_CODES, PUBLISHED_FACTOR
