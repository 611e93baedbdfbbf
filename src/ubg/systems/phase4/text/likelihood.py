"""How likely a caption makes each class of codes at each place of an image."""

from abc import abstractmethod

import torch
from torch import Tensor, nn

from ubg.params import Generation, Phase4Network
from ubg.retrieval.contract import TokenModel
from ubg.systems.phase4.decoder import UNKNOWN, CodeDecoder, DecoderSizes, decoder_sizes
from ubg.systems.phase4.retrieval import text_tower
from ubg.systems.phase4.text.classes import CodeClasses

# Legend: B captions, T tokens, C width of the encoder, L places, K classes of V codes.


class Reader(nn.Module):
    """From an encoded caption to scores of the classes at all places, which start at 0."""

    @abstractmethod
    def forward(self, features_BTC: Tensor, mask_BT: Tensor, pooled_BC: Tensor) -> Tensor:
        """[B, L, K]; `pooled_BC` is what retrieval makes of the features."""


class AttentiveReader(Reader):
    """A decoder whose query of every place attends to the tokens."""

    def __init__(self, sizes: DecoderSizes, dropout: float, attention: str):
        super().__init__()
        self.length = sizes.length
        self.decoder = CodeDecoder(sizes, dropout, causal=False, attention=attention)
        nn.init.zeros_(self.decoder.head.weight)

    def forward(self, features_BTC: Tensor, mask_BT: Tensor, pooled_BC: Tensor) -> Tensor:
        place_L = torch.arange(self.length, device=mask_BT.device)
        place_BL = place_L.expand(len(mask_BT), -1)
        decoded_BLC = self.decoder(
            torch.full_like(place_BL, UNKNOWN),
            place_BL,
            torch.ones_like(place_BL),
            features_BTC,
            mask_BT,
        )
        return self.decoder.head(decoded_BLC)


class LinearReader(Reader):
    """A linear map of the pooled caption: what a branch without a decoder can tell."""

    def __init__(self, sizes: DecoderSizes):
        super().__init__()
        self.length, self.classes = sizes.length, sizes.codes
        self.map = nn.Linear(sizes.width, sizes.length * sizes.codes)
        nn.init.zeros_(self.map.weight)
        nn.init.zeros_(self.map.bias)

    def forward(self, features_BTC: Tensor, mask_BT: Tensor, pooled_BC: Tensor) -> Tensor:
        return self.map(pooled_BC).view(len(pooled_BC), self.length, self.classes)


class CaptionLikelihood(nn.Module):
    """A reader, what it starts from, and what makes its likelihood a score.

    Attributes:
        log_frequency_LK: logarithm of the frequency of each class at each place in training, under
            smoothed labels.
        class_of_code_V: long.
        representative_K: long; a code of each class, to draw it.
        score_weight: of the second score beside the cosine; see `TextBranch`.
    """

    log_frequency_LK: Tensor
    class_of_code_V: Tensor
    representative_K: Tensor
    score_weight: Tensor

    def __init__(self, reader: Reader, log_frequency_LK: Tensor, classes: CodeClasses):
        super().__init__()
        self.reader = reader
        self.register_buffer("log_frequency_LK", log_frequency_LK)
        self.register_buffer("class_of_code_V", classes.of_code_V)
        self.register_buffer("representative_K", classes.representative_K)
        self.register_buffer("score_weight", torch.zeros(()))

    def logits(self, features_BTC: Tensor, mask_BT: Tensor, pooled_BC: Tensor) -> Tensor:
        """Scores of the classes [B, L, K], float32, which start at their log-frequencies."""
        return self.log_frequency_LK + self.reader(features_BTC, mask_BT, pooled_BC)

    def logits_of(self, retrieval: TokenModel, text: dict[str, Tensor]) -> Tensor:
        """As `logits`, from the caption fields of a batch."""
        ids_BT, mask_BT = (text[name] for name in retrieval.caption_fields)
        features_BTC, mask_BT = retrieval.text_features(ids_BT, mask_BT)
        pooled_BC = retrieval.pool_text_features(features_BTC, mask_BT)
        return self.logits(features_BTC, mask_BT, pooled_BC)

    def evidence(self, logits_BLK: Tensor) -> Tensor:
        """How much more likely the caption makes each class than its frequency, [B, L, K], nats."""
        return logits_BLK.float().log_softmax(dim=-1) - self.log_frequency_LK


def evidence_of_images(evidence_BLK: Tensor, classes_NL: Tensor) -> Tensor:
    """The evidence of each caption for each image, summed over the places, [B, N], nats.

    Args:
        evidence_BLK: of the captions.
        classes_NL: long; of the images.
    """
    batch = len(evidence_BLK)
    index_LBN = classes_NL.T[:, None].expand(-1, batch, -1)
    return evidence_BLK.transpose(0, 1).gather(2, index_LBN).sum(0)


def build_likelihood(
    retrieval: TokenModel,
    network: Phase4Network,
    generation: Generation,
    log_frequency_LK: Tensor,
    classes: CodeClasses,
) -> CaptionLikelihood:
    """The branch for `retrieval`; random weights come from torch's global generator."""
    length, count = log_frequency_LK.shape
    tower, dropout = text_tower(network)
    sizes = decoder_sizes(retrieval.text_width, tower, generation.decoder_layers, count, length)
    reader = (
        LinearReader(sizes)
        if generation.decoder == "linear"
        else AttentiveReader(sizes, dropout, network.attention)
    )
    return CaptionLikelihood(reader, log_frequency_LK, classes)
