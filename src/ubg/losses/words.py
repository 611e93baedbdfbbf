"""Which words a caption has."""

from torch import Tensor

from ubg.losses.matching import wide


def words_loss(logits: Tensor, words: Tensor) -> Tensor:
    """Mean cross-entropy of guessing the words of a caption, each as likely.

    Args:
        logits: [N, V], of each word.
        words: bool [N, V], which the caption has; a row without any counts for nothing.

    Returns:
        Scalar, float32: ln V for logits of 0; 0 where no caption has any word; inf where it, or its
        sum over the words and rows, is no float32.
    """
    count_N = words.sum(dim=1)
    log_p_NV = wide(logits).log_softmax(dim=1) * words
    entropy_N = -log_p_NV.sum(dim=1) / count_N.clamp(min=1)
    return (entropy_N.sum() / (count_N > 0).sum().clamp(min=1)).float()
