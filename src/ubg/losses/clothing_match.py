"""Which clothing caption says what is worn."""

from torch import Tensor

from ubg.losses.info_nce import info_nce_loss


def clothing_match_loss(
    image_features: Tensor,
    text_features: Tensor,
    outfits: Tensor,
    captions: Tensor,
    is_matched: Tensor,
    logit_scale: Tensor | float,
) -> Tensor:
    """InfoNCE of images and clothing captions, some of which were drawn for somebody else.

    A caption matches the images of its outfit and those whose own caption has the same words. One
    that was drawn matches none: it is a negative of every image, and no more.

    Args:
        image_features: [N, D], any length of the rows.
        text_features: [N, D], of the caption given to each image.
        outfits: [N], what each image shows.
        captions: [N], a number for the words of each image's own caption, drawn or not.
        is_matched: bool [N], whether the caption given to an image is its own.
        logit_scale: inverse temperature.

    Returns:
        Scalar, float32; 0 where nothing matches.

    Raises:
        ValueError: there is no image.
    """
    same_NN = outfits[:, None] == outfits[None, :]
    same_NN = same_NN | (captions[:, None] == captions[None, :])
    return info_nce_loss(image_features, text_features, same_NN & is_matched[None, :], logit_scale)
