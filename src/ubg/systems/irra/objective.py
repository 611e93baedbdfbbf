"""IRRA's training objective: any combination of its five losses, with the modules they train."""

import math

import torch
from torch import Tensor, nn

from ubg.losses.cmpm import cmpm_loss
from ubg.losses.id import id_loss
from ubg.losses.itc import itc_loss
from ubg.losses.mlm import mlm_loss
from ubg.losses.sdm import sdm_loss
from ubg.params import Irra as IrraParams
from ubg.params import IrraNetwork, LrFactors
from ubg.runtime.distributed import (
    gather_features,
    gather_labels,
    mean_of_means,
    mean_over_processes,
)
from ubg.systems.irra.mlm_head import MaskedLanguageModel
from ubg.systems.irra.model import Irra

MAX_LOGIT_SCALE = 100.0  # as in CLIP (arXiv 2103.00020, section 2.5)


class IrraObjective(nn.Module):
    """The losses of IRRA (arXiv 2303.12501), with the identity classifier and the MLM head.

    Over several processes every loss is that of all their samples together.

    Legend: B batch, T text tokens, N patches, D joint space.

    Args:
        params: which losses, and how.
        width: D.
        identities: in the training split.
        guessed: tokens that MLM tells apart.
        attention: implementation, "sdpa" or "eager".
    """

    def __init__(
        self, params: IrraParams, width: int, identities: int, guessed: int, attention: str
    ):
        super().__init__()
        self.losses = params.losses
        self.soft_labels = params.soft_labels
        self.contrast_on = params.contrast_on
        self.optimiser = params.optimiser
        self.log_scale = None
        self.fixed_scale = 1 / params.temperature
        if params.learn_temperature:
            self.log_scale = nn.Parameter(torch.tensor(-math.log(params.temperature)))
        self.classifier = None
        if params.losses.id is not None:
            self.classifier = nn.Linear(width, identities)
            nn.init.normal_(self.classifier.weight, std=0.001)
            nn.init.zeros_(self.classifier.bias)
        self.mlm = None
        if params.losses.mlm is not None:
            self.mlm = MaskedLanguageModel(
                width,
                guessed,
                params.interaction_layers,
                params.interaction_heads,
                attention,
                params.head_activation,
            )

    def forward(
        self,
        batch: dict[str, Tensor],
        image_BND: Tensor,
        text_BD: Tensor,
        masked_text_BTD: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The losses that are on, unweighted, each float32.

        Args:
            batch: `pids` and `image_ids` [B]; for MLM `caption_attn_mask` and `mlm_labels` [B, T].
            image_BND: image tokens, the class token first.
            text_BD: pooled captions.
            masked_text_BTD: tokens of the masked captions, for MLM.
        """
        image_BD = image_BND[:, 0]
        losses = self._matching(batch, image_BD, text_BD)
        if self.classifier is not None:
            local = id_loss(self.classifier(image_BD), self.classifier(text_BD), batch["pids"])
            losses["id_loss"] = mean_of_means(local, len(image_BD))
        if self.mlm is not None:
            assert masked_text_BTD is not None
            logits_PV, targets_P = self.mlm(
                masked_text_BTD, batch["caption_attn_mask"], image_BND, batch["mlm_labels"]
            )
            total = mlm_loss(logits_PV, targets_P, "sum")
            losses["mlm_loss"] = mean_over_processes(total, len(targets_P))
        return losses

    def lr_factors(self) -> list[tuple[nn.Module, LrFactors]]:
        """The modules of the objective with the factors that they learn at."""
        own = self.optimiser
        found: list[tuple[nn.Module, LrFactors]] = []
        if self.classifier is not None:
            found.append((self.classifier, own.heads))
        if self.mlm is not None:
            mlm = self.mlm
            found += [(part, own.interaction) for part in (mlm.cross_attention, mlm.transformer)]
            found += [(norm, own.norms) for norm in (mlm.text_norm, mlm.image_norm, mlm.final_norm)]
            found += [(part, own.heads) for part in (mlm.dense, mlm.head_norm, mlm.head)]
        return found

    def logit_scale(self) -> Tensor | float:
        """Inverse temperature of SDM and ITC; a learned one goes no higher than 100."""
        if self.log_scale is None:
            return self.fixed_scale
        return self.log_scale.exp().clamp(max=MAX_LOGIT_SCALE)

    def _matching(
        self, batch: dict[str, Tensor], image_BD: Tensor, text_BD: Tensor
    ) -> dict[str, Tensor]:
        image_BD, text_BD = gather_features(image_BD), gather_features(text_BD)
        pids_B, image_ids_B = gather_labels(batch["pids"]), gather_labels(batch["image_ids"])
        losses = {}
        if self.losses.sdm is not None:
            soft = self.soft_labels is not None
            losses["sdm_loss"] = sdm_loss(
                image_BD,
                text_BD,
                pids_B,
                self.logit_scale(),
                image_ids_B if soft else None,
                self.soft_labels or 0.0,
            )
        if self.losses.itc is not None:
            losses["itc_loss"] = itc_loss(image_BD, text_BD, self.logit_scale())
        if self.losses.cmpm is not None:
            losses["cmpm_loss"] = cmpm_loss(image_BD, text_BD, pids_B)
        return losses


def with_objective(
    model: Irra,
    network: IrraNetwork,
    params: IrraParams,
    identities: int,
    vocab_size: int,
    guessed: int,
) -> Irra:
    """The model as it trains; what is new in it is drawn after the weights of `model`.

    CLIP has no mask token. MLM adds one, whose id is `vocab_size`; it is never guessed.

    Args:
        model: the two towers, which are shared with the result.
        network: what it was built from.
        params: which losses, and how.
        identities: in the training split.
        vocab_size: tokens that the tokenizer knows.
        guessed: tokens that MLM tells apart.

    Raises:
        ValueError: `interaction_heads` does not divide the embedding size.
    """
    if params.losses.mlm is not None:
        model.text.transformer.resize_token_embeddings(vocab_size + 1, mean_resizing=False)
    objective = IrraObjective(params, network.embedding_dim, identities, guessed, network.attention)
    return Irra(model.vision, model.text, objective)
