"""Identity classification."""

from torch import Tensor
from torch.nn.functional import cross_entropy

from ubg.losses.matching import require_rows, wide


def id_loss(image_logits: Tensor, text_logits: Tensor, pids: Tensor) -> Tensor:
    """Mean of the image and the text cross-entropy of a classifier that both sides share.

    Args:
        image_logits: [B, C], C the number of training identities.
        text_logits: [B, C].
        pids: [B], 0 to C - 1.

    Returns:
        Scalar, float32; inf where it, or its sum over the rows, is no float32.

    Raises:
        ValueError: there are no samples.

    Source: Zheng et al., "Dual-Path Convolutional Image-Text Embeddings with Instance Loss",
    arXiv 1711.05535.
    """
    require_rows("logits", image_logits)
    image_loss = cross_entropy(wide(image_logits), pids)
    text_loss = cross_entropy(wide(text_logits), pids)
    return ((image_loss + text_loss) / 2).float()
