"""Classes of similar codes: few hundred steps cannot tell so many synonyms apart."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ubg.vqgan.model.folder import load_vqgan
from ubg.vqgan.model.kmeans import kmeans
from ubg.vqgan.model.quantise import nearest_codes

ITERATIONS = 50


@dataclass(frozen=True)
class CodeClasses:
    """V codes in K classes.

    Attributes:
        of_code_V: long; the class of each code.
        representative_K: long; the code nearest to the centre of each class.
    """

    of_code_V: Tensor
    representative_K: Tensor


def read_codebook(folder: Path) -> Tensor:
    """The codes of a VQGAN, [V, D].

    Raises:
        ValueError: `folder` holds no VQGAN.
    """
    return load_vqgan(folder, decoder=False).quantize.embedding.weight


def cluster_codes(codebook_VD: Tensor, clusters: int | None) -> CodeClasses:
    """Classes by k-means of the codes, the same for every seed of a run.

    Args:
        codebook_VD: the codes.
        clusters: K; None makes every code a class of its own.

    Raises:
        ValueError: there are fewer codes than classes.
    """
    if clusters is None:
        every_code = torch.arange(len(codebook_VD))
        return CodeClasses(every_code, every_code.clone())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        centres_KD = kmeans(codebook_VD, clusters, ITERATIONS)
    return CodeClasses(
        nearest_codes(codebook_VD, centres_KD), nearest_codes(centres_KD, codebook_VD)
    )
