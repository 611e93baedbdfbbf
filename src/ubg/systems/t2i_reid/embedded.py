"""What the losses of t2i_reid see of a training batch."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Embedded:
    """A training batch, unit vectors but for `projected_BW`, which the classifier reads.

    Attributes:
        projected_BW: images, mapped for the identity branch.
        image_identity_BD, image_clothing_BD: images.
        whole_identity_BD, whole_clothing_BD: whole captions.
        identity_BD: identity captions, by the identity branch.
        clothing_BD: clothing captions, some drawn, by the clothing branch.
        other_identity_BD: the same persons in other outfits, by the identity branch; None where
            `composed` is off.
    """

    projected_BW: Tensor
    image_identity_BD: Tensor
    image_clothing_BD: Tensor
    whole_identity_BD: Tensor
    whole_clothing_BD: Tensor
    identity_BD: Tensor
    clothing_BD: Tensor
    other_identity_BD: Tensor | None
