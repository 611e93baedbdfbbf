"""From a batch to scores of its masked codes."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ubg.losses.generation import IGNORED
from ubg.params import Generation, SharedNetwork
from ubg.systems.aligned.shared_encoder import SharedEncoderModel
from ubg.systems.phase4.decoder import UNKNOWN, CodeDecoder, decoder_sizes
from ubg.systems.phase4.joint.condition import MaskedCondition, indices_of


class Predictions(NamedTuple):
    """Scores at the P positions that were to be predicted, sample by sample.

    Attributes:
        logits_PV: scores of the codes.
        target_ids_P: the true codes.
        sample_P: which sample of the batch the position belongs to.
        position_P: its index in the code grid, in raster order.
    """

    logits_PV: Tensor
    target_ids_P: Tensor
    sample_P: Tensor
    position_P: Tensor


class Generator(nn.Module):
    """Condition and decoder. Legend as in both, and P predicted positions."""

    def __init__(self, condition: MaskedCondition, decoder: CodeDecoder):
        super().__init__()
        self.condition = condition
        self.decoder = decoder

    def forward(self, retrieval: SharedEncoderModel, batch: dict[str, Tensor]) -> Predictions:
        """Predict the codes of the batch from what it shows of them.

        Args:
            retrieval: encodes captions and visible patches.
            batch: the fields of `MaskedCondition.forward` and of `GenerationTargets.fields`.
        """
        target_BL = batch["vq_target_ids"]
        known_BL = batch["vq_known_ids"]
        if self.decoder.causal:  # teacher forcing
            known_BL = torch.where(target_BL == IGNORED, UNKNOWN, target_BL)
        features_BLC, mask_BL = self.condition(retrieval, batch)
        decoded_BKC, position_BK, query_mask_BK = self._decode(
            features_BLC, mask_BL, known_BL, batch["vq_target_attn_mask"]
        )
        target_BK = target_BL.gather(1, position_BK)
        scored_BK = query_mask_BK.bool() & (target_BK != IGNORED)
        sample_P, query_P = scored_BK.nonzero(as_tuple=True)
        return Predictions(
            self.decoder.head(decoded_BKC[sample_P, query_P]),
            target_BK[sample_P, query_P],
            sample_P,
            position_BK[sample_P, query_P],
        )

    def scores(
        self, features_BLC: Tensor, mask_BL: Tensor, known_BL: Tensor, queried_BL: Tensor
    ) -> Tensor:
        """Scores [B, L, V] of the codes at the queried positions, 0 at all others.

        Args:
            features_BLC: of the condition, whose L is another one.
            mask_BL: of the features.
            known_BL: long; codes of the grid as far as they are known, UNKNOWN elsewhere.
            queried_BL: bool; the positions that the decoder deals with.
        """
        decoded_BKC, position_BK, query_mask_BK = self._decode(
            features_BLC, mask_BL, known_BL, queried_BL
        )
        logits_BKV = self.decoder.head(decoded_BKC) * query_mask_BK[..., None]
        scores_BLV = logits_BKV.new_zeros(*known_BL.shape, self.decoder.codes)
        return scores_BLV.scatter_add(1, position_BK[..., None].expand_as(logits_BKV), logits_BKV)

    def _decode(
        self, features_BLC: Tensor, mask_BL: Tensor, known_BL: Tensor, queried_BL: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Decoder features of the queries [B, K, C], their positions and their mask [B, K]."""
        position_BK, query_mask_BK = indices_of(queried_BL)
        known_BK = known_BL.gather(1, position_BK)
        if self.decoder.causal:
            known_BK = known_BK.roll(1, dims=1)
            known_BK[:, 0] = UNKNOWN
        decoded_BKC = self.decoder(known_BK, position_BK, query_mask_BK, features_BLC, mask_BL)
        return decoded_BKC, position_BK, query_mask_BK


def build_generator(
    retrieval: SharedEncoderModel,
    network: SharedNetwork,
    generation: Generation,
    codes: int,
    length: int,
) -> Generator:
    """The branch for `retrieval`; random weights come from torch's global generator.

    Args:
        retrieval: phase 3.
        network: dropout, heads and feed-forward width of its encoder, which the decoder has too.
        generation: kind and depth of the decoder, what is shown of a masked patch.
        codes: size of the codebook.
        length: positions of the code grid.
    """
    t5 = network.t5
    sizes = decoder_sizes(retrieval.text_width, t5, generation.decoder_layers, codes, length)
    causal = generation.decoder == "autoregressive"
    decoder = CodeDecoder(sizes, t5.dropout, causal, network.attention)
    return Generator(MaskedCondition(retrieval.vision.width, generation.masked_patch), decoder)
