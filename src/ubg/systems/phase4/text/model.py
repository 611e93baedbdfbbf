"""A retrieval model whose captions must also tell how the codes of their images lie."""

from torch import Tensor

from ubg.losses.generation import generation_loss
from ubg.losses.generation_itc import generation_itc_loss
from ubg.params import Generation
from ubg.retrieval.contract import TokenModel
from ubg.runtime.distributed import gather_features, gather_labels, mean_of_means
from ubg.systems.phase4.model import GenerativeModel
from ubg.systems.phase4.text.likelihood import CaptionLikelihood, evidence_of_images


class TextModel(GenerativeModel):
    """The branch reads the token features of the retrieval pass: a caption is encoded once.

    Legend: B batch, N batches of all processes, T tokens, C width of the encoder, D shared
    dimension, L places, K classes of codes.
    """

    retrieval: TokenModel
    generator: CaptionLikelihood

    def __init__(self, retrieval: TokenModel, generator: CaptionLikelihood, generation: Generation):
        super().__init__(retrieval, generator)
        self.label_smoothing = generation.label_smoothing
        self.contrast_scale = None if generation.contrast is None else generation.contrast_scale
        self.positives_of_identity = generation.contrast_positives == "identity"
        self.shuffle_captions = generation.shuffle_captions

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The losses of retrieval, `gen_loss` and, where it is on, `gen_itc_loss`.

        Args:
            batch: as for retrieval, and `code_classes`, long [B, L].
        """
        losses, features_BTC, mask_BT, pooled_BC = self.retrieval.read(batch)
        if self.shuffle_captions:
            half = len(mask_BT) // 2
            features_BTC, mask_BT, pooled_BC = (
                values.roll(half, dims=0) for values in (features_BTC, mask_BT, pooled_BC)
            )
        classes_BL = batch["code_classes"]
        logits_BLK = self.generator.logits(features_BTC, mask_BT, pooled_BC)
        own_loss = generation_loss(
            logits_BLK.flatten(0, 1), classes_BL.flatten(), self.label_smoothing
        )
        losses["gen_loss"] = mean_of_means(own_loss, classes_BL.numel())
        if self.contrast_scale is not None:
            evidence_BLK = self.generator.evidence(logits_BLK)
            own_BN = evidence_of_images(evidence_BLK, gather_labels(classes_BL))
            pids_N = gather_labels(batch["pids"]) if self.positives_of_identity else None
            losses["gen_itc_loss"] = generation_itc_loss(
                gather_features(own_BN), self.contrast_scale, pids_N
            )
        return losses
