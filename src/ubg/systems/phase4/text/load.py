"""A trained branch read back."""

from pathlib import Path

import torch

from ubg.params import Image, Phase4Network
from ubg.retrieval.contract import TokenModel
from ubg.systems.phase4.folder import (
    ADVICE,
    VQGAN,
    WEIGHTS,
    read_generation,
    read_size,
    read_weights,
)
from ubg.systems.phase4.text.classes import CodeClasses
from ubg.systems.phase4.text.code_score import LikelihoodScore
from ubg.systems.phase4.text.likelihood import CaptionLikelihood, build_likelihood
from ubg.systems.phase4.text.model import TextModel
from ubg.vqgan.model.folder import load_vqgan, vqgan_fingerprint

LOWEST, HIGHEST = -104.0, 1e-6  # logarithms of float32: of its smallest number, and of 1 rounded


def load_text(retrieval: TokenModel, network: Phase4Network, folder: Path) -> TextModel:
    """The model whose branch is in `folder`, in evaluation mode, on the device of `retrieval`.

    Raises:
        ValueError: a file is missing or does not fit.
    """
    generation, config = read_generation(folder)
    codes, classes, length = (
        read_size(config, name, folder) for name in ("codes", "classes", "length")
    )

    def build() -> CaptionLikelihood:
        of_code_V = torch.zeros(codes, dtype=torch.long)
        representative_K = torch.zeros(classes, dtype=torch.long)
        log_frequency_LK = torch.zeros(length, classes)
        code_classes = CodeClasses(of_code_V, representative_K)
        return build_likelihood(retrieval, network, generation, log_frequency_LK, code_classes)

    likelihood = read_weights(build, folder)
    _check_values(likelihood, folder)
    model = TextModel(retrieval, likelihood, generation).eval()
    return model.to(next(retrieval.parameters()).device)


def load_score(retrieval: TokenModel, network: Phase4Network, folder: Path) -> LikelihoodScore:
    """The second score of the branch in `folder`.

    Raises:
        ValueError: as `load_text`, or there is no VQGAN, another one than in training, or one that
            does not fit the branch or the images.
    """
    likelihood = load_text(retrieval, network, folder).generator
    _, config = read_generation(folder)
    if vqgan_fingerprint(folder / VQGAN) != config.get("vqgan"):
        raise ValueError(f"{folder / VQGAN}: is not the VQGAN of the training; {ADVICE}")
    vqgan = load_vqgan(folder / VQGAN, decoder=False)
    score = LikelihoodScore(retrieval, likelihood, vqgan)
    _check_vqgan(score, network.image, folder)
    return score


def _check_vqgan(score: LikelihoodScore, image: Image, folder: Path) -> None:
    """Refuse a VQGAN of other codes or another grid than the branch has."""
    try:
        rows, columns = score.vqgan.grid(image.height, image.width)
    except ValueError as error:
        raise ValueError(f"{folder / VQGAN}: {error}; {ADVICE}") from None
    codes, known = score.vqgan.codes, len(score.likelihood.class_of_code_V)
    if (codes, rows * columns) != (known, score.length):
        raise ValueError(
            f"{folder / VQGAN}: gives one of {codes} codes at {rows * columns} places, where the "
            f"branch knows {known} codes at {score.length} places; {ADVICE}"
        )


def _check_values(likelihood: CaptionLikelihood, folder: Path) -> None:
    """Refuse classes and codes that do not exist, and frequencies that are none."""
    codes, classes = len(likelihood.class_of_code_V), len(likelihood.representative_K)
    for name, values, limit in (
        ("class_of_code_V", likelihood.class_of_code_V, classes),
        ("representative_K", likelihood.representative_K, codes),
    ):
        if not ((values >= 0) & (values < limit)).all():
            raise ValueError(f"{folder / WEIGHTS}: {name} must lie in 0 to {limit - 1}; {ADVICE}")
    lowest, highest = likelihood.log_frequency_LK.aminmax()
    if highest > HIGHEST or lowest < LOWEST:
        raise ValueError(
            f"{folder / WEIGHTS}: log_frequency_LK must hold logarithms of shares; {ADVICE}"
        )
