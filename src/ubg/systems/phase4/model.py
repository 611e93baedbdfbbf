"""Phase 4: the retrieval model of another system and a branch beside it."""

from typing import Any

import torch
from torch import Tensor, nn

from ubg.params import LrFactors
from ubg.retrieval.contract import RetrievalModel, TokenModel


class GenerativeModel(RetrievalModel):
    """A retrieval model with a branch that predicts codes; each condition has a model of its own.

    Retrieval comes first in every step, so that its random draws are those without the branch.
    """

    def __init__(self, retrieval: TokenModel, generator: nn.Module):
        super().__init__()
        self.retrieval = retrieval
        self.normalisation = retrieval.normalisation
        self.caption_fields = retrieval.caption_fields
        self.inner = ("retrieval", *retrieval.inner)
        self.per_identity = tuple(f"retrieval.{name}" for name in retrieval.per_identity)
        self.generator = generator

    def encode_image(self, images: Tensor) -> Tensor:
        return self.retrieval.encode_image(images)

    def encode_text(self, text: dict[str, Tensor]) -> Tensor:
        return self.retrieval.encode_text(text)

    def towers(self) -> dict[str, Any]:
        return self.retrieval.towers()

    def saved_parts(self) -> dict[str, nn.Module]:
        return self.retrieval.saved_parts() | {"generator": self.generator}

    def lr_factors(self) -> list[tuple[nn.Module, LrFactors]]:
        return self.retrieval.lr_factors()


def gradient_ratio(
    model: GenerativeModel, batch: dict[str, Tensor], weights: dict[str, float]
) -> float:
    """Length of the branch's gradient over that of the retrieval losses, in retrieval's weights.

    Args:
        model: in evaluation mode.
        batch: as for training.
        weights: of all losses; those of the branch begin with `gen_`.
    """
    reached = [p for p in model.retrieval.parameters() if p.requires_grad]
    losses = model(batch)

    def length(names: list[str]) -> float:
        total = torch.stack([weights[name] * losses[name] for name in names]).sum()
        gradients = torch.autograd.grad(total, reached, retain_graph=True, allow_unused=True)
        squares = [g.float().square().sum() for g in gradients if g is not None]
        return float(torch.stack(squares).sum().sqrt())

    of_branch = [name for name in losses if name.startswith("gen_")]
    return length(of_branch) / length([name for name in losses if name not in of_branch])
