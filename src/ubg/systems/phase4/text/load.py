"""A trained branch read back."""

from pathlib import Path

import torch

from ubg.params import Phase4Network
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
        ValueError: as `load_text`, or there is no VQGAN, or another one than in training.
    """
    likelihood = load_text(retrieval, network, folder).generator
    _, config = read_generation(folder)
    if vqgan_fingerprint(folder / VQGAN) != config.get("vqgan"):
        raise ValueError(f"{folder / VQGAN}: is not the VQGAN of the training; {ADVICE}")
    return LikelihoodScore(retrieval, likelihood, load_vqgan(folder / VQGAN, decoder=False))


def _check_values(likelihood: CaptionLikelihood, folder: Path) -> None:
    """Refuse classes and codes that do not exist."""
    codes, classes = len(likelihood.class_of_code_V), len(likelihood.representative_K)
    for name, values, limit in (
        ("class_of_code_V", likelihood.class_of_code_V, classes),
        ("representative_K", likelihood.representative_K, codes),
    ):
        if not ((values >= 0) & (values < limit)).all():
            raise ValueError(f"{folder / WEIGHTS}: {name} must lie in 0 to {limit - 1}; {ADVICE}")
