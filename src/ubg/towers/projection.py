"""CLIP's linear maps from either tower to the joint space."""

from torch import nn


def new_projection(width: int, projection_dim: int) -> nn.Linear:
    """A projection at random, as CLIP starts (arXiv 2103.00020)."""
    projection = nn.Linear(width, projection_dim, bias=False)
    nn.init.normal_(projection.weight, std=width**-0.5)
    return projection


def check_projection(projection: nn.Linear, projection_dim: int, source: str) -> None:
    """Refuse a published projection to another size than asked for."""
    if projection.out_features != projection_dim:
        raise ValueError(
            f"embedding_dim: {projection_dim} is not what {source} projects to, "
            f"{projection.out_features}; give that"
        )
