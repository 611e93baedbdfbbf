"""The gate of composed queries: how much of who it is and of what is worn goes into one vector.

It is kept beside the model, in a file of its own: what embeds images and captions never needs it.
"""

import shutil
from pathlib import Path

import torch
from torch import Tensor, nn

from ubg.runtime.files import replace_file
from ubg.runtime.weights import fill, misfit, read_shapes

MODEL, WEIGHTS = Path("models/t2i_reid"), "gate.safetensors"
ADVICE = "make it again with `dvc repro train_t2i_reid`"


class Gate(nn.Module):
    """A weight between 0 and 1 for each number of both embeddings, which it sees together.

    At first all weights are 1/2: the query is the plain sum of both. Legend: N queries, D embedding
    of a branch.

    Args:
        dim: D.

    Source: after the gated multimodal unit of Arevalo et al., arXiv 1702.01992; here no layer
    lies before the weights, so that the gallery stays as it is, and two gates need not add up to 1.
    """

    def __init__(self, dim: int):
        super().__init__()
        self.weights = nn.Linear(2 * dim, 2 * dim)
        nn.init.zeros_(self.weights.weight)
        nn.init.zeros_(self.weights.bias)

    def forward(self, identity_ND: Tensor, clothing_ND: Tensor) -> tuple[Tensor, Tensor]:
        """Identity embeddings of images and clothing embeddings of captions, weighted.

        `ubg.systems.t2i_reid.branches.against_joined` makes queries of the result.
        """
        both_N2D = torch.cat([identity_ND, clothing_ND], dim=1)
        identity, clothing = (self.weights(both_N2D).float().sigmoid() * both_N2D).chunk(2, dim=1)
        return identity, clothing


def write_gate(best: Path) -> None:
    """Put the gate of the best epoch, in the folder `best`, beside the trained model."""
    with replace_file(MODEL / WEIGHTS) as aside:
        shutil.copy(best / WEIGHTS, aside)


def load_gate(folder: str | Path, dim: int) -> Gate | None:
    """The gate of the trained model in `folder`; None where it was trained without.

    Args:
        folder: such as "models/t2i_reid".
        dim: of the embedding of a branch.

    Raises:
        ValueError: its file cannot be read or does not fit.
    """
    path = Path(folder) / WEIGHTS
    if not path.exists():
        return None
    gate = Gate(dim)
    if (unfit := misfit(gate, read_shapes(path, ADVICE))) is not None:
        raise ValueError(f"{path}: does not fit the model: {unfit}; {ADVICE}")
    fill(gate, path, ADVICE)
    return gate.eval()
