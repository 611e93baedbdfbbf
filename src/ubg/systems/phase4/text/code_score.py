"""The likelihood of an image's codes given a caption, as a second score."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ubg.retrieval.contract import TokenModel
from ubg.systems.phase4.text.likelihood import CaptionLikelihood
from ubg.vqgan.model.vqgan import VQGAN, exact_convolutions, to_signed

IMAGES_AT_ONCE = 64  # the VQGAN keeps large feature maps: 7.5 GiB for so many of 384x128


class CaptionLikelihoodScore:
    """What captions say: `weight * [log p(class | caption) - log f(class)]` for every place."""

    def __init__(self, retrieval: TokenModel, likelihood: CaptionLikelihood):
        self.retrieval, self.likelihood = retrieval, likelihood
        self.device = likelihood.log_frequency_LK.device
        self.length, self.codes = likelihood.log_frequency_LK.shape

    @torch.inference_mode()
    def caption_evidence(self, text: dict[str, Tensor]) -> Tensor:
        """The caption fields of a batch to [B, L, K], float32."""
        logits_BLK = self.likelihood.logits_of(self.retrieval, text)
        return self.likelihood.score_weight * self.likelihood.evidence(logits_BLK)


class LikelihoodScore(CaptionLikelihoodScore):
    """What captions say of images, whose codes are those of `vqgan`; see `CodeScore`."""

    def __init__(self, retrieval: TokenModel, likelihood: CaptionLikelihood, vqgan: VQGAN):
        super().__init__(retrieval, likelihood)
        self.vqgan = vqgan.to(self.device).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def image_codes(self, images_BHWC: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Classes of the codes of images, [B, L]."""
        classes = [
            self._classes(images_BHWC[start : start + IMAGES_AT_ONCE])
            for start in range(0, len(images_BHWC), IMAGES_AT_ONCE)
        ]
        return np.concatenate([np.empty((0, self.length), np.int32), *classes])

    def _classes(self, images_BHWC: NDArray[np.uint8]) -> NDArray[np.int32]:
        pixels_B3HW = to_signed(torch.from_numpy(images_BHWC).to(self.device)).permute(0, 3, 1, 2)
        with exact_convolutions():
            ids_BL = self.vqgan.encode(pixels_B3HW).flatten(1)
        return self.likelihood.class_of_code_V[ids_BL].to("cpu", torch.int32).numpy()
