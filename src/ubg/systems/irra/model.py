"""IRRA: CLIP's two towers, aligned globally and by guessing masked words."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ubg.data.text.captions import CLIP_FIELDS
from ubg.params import IrraNetwork, LrFactors
from ubg.retrieval.contract import Read, TokenModel, TowerConfigs
from ubg.systems.irra.published import PREFIX, rename_published
from ubg.towers.clip import clip_towers
from ubg.towers.clip_text import ClipTextEncoder
from ubg.towers.vision import VisionEncoder

if TYPE_CHECKING:
    from ubg.systems.irra.objective import IrraObjective


class Irra(TokenModel):
    """CLIP's towers (arXiv 2303.12501), pooled at the class token and at EOT.

    Legend: B batch, T text tokens, N patches, D joint space.

    Args:
        vision: with its projection to D.
        text: to the same D.
        objective: what trains beside the towers; None in a saved model, which only encodes.
    """

    caption_fields = CLIP_FIELDS
    per_identity = ("objective.classifier.",)
    inner = ("objective",)

    def __init__(
        self, vision: VisionEncoder, text: ClipTextEncoder, objective: "IrraObjective | None"
    ):
        super().__init__()
        self.vision = vision
        self.text = text
        self.objective = objective
        self.text_width = text.width
        self.normalisation = vision.normalisation

    def read(self, batch: dict[str, Tensor]) -> Read:
        """The losses that are on, and the captions that all of them but MLM see.

        Args:
            batch: `images` [B, 3, H, W], `caption_ids` and `caption_attn_mask` [B, T], `pids` and
                `image_ids` [B]; for MLM also `mlm_ids` and `mlm_labels` [B, T].
        """
        assert self.objective is not None, "this model was built to encode"
        ids_BT, mask_BT = batch["caption_ids"], batch["caption_attn_mask"]
        image_BND = self.vision.projected_tokens(batch["images"])
        masked_BTD = None
        if self.objective.mlm is None:
            text_BTD = self.text(ids_BT, mask_BT)
        elif self.objective.contrast_on == "masked":
            masked_BTD = text_BTD = self.text(batch["mlm_ids"], mask_BT)
        else:
            both = torch.cat([ids_BT, batch["mlm_ids"]])
            text_BTD, masked_BTD = self.text(both, mask_BT.repeat(2, 1)).chunk(2)
        text_BD = last_token(text_BTD, mask_BT)
        losses = self.objective(batch, image_BND, text_BD, masked_BTD)
        return Read(losses, text_BTD, mask_BT, text_BD)

    def text_features(self, caption_ids_BT: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        return self.text(caption_ids_BT, mask_BT), mask_BT

    def pool_text_features(self, features_BTC: Tensor, mask_BT: Tensor) -> Tensor:
        return last_token(features_BTC, mask_BT)

    def encode_image(self, images: Tensor) -> Tensor:
        return F.normalize(self.vision.projected_class_token(images).float(), dim=-1)

    def encode_text(self, text: dict[str, Tensor]) -> Tensor:
        """`caption_ids` and `caption_attn_mask`, both [B, T], to unit vectors [B, D]."""
        ids_BT, mask_BT = (text[name] for name in self.caption_fields)
        return F.normalize(self.text.final_token(ids_BT, mask_BT).float(), dim=-1)

    def own_names(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        if not any(name.startswith(PREFIX) for name in state):
            return state
        return rename_published(state, self.text.transformer.get_input_embeddings().num_embeddings)

    def towers(self) -> dict[str, Any]:
        return {"vision": self.vision, "text": self.text}

    def lr_factors(self) -> list[tuple[nn.Module, LrFactors]]:
        return [] if self.objective is None else self.objective.lr_factors()

    def saved_parts(self) -> dict[str, nn.Module]:
        return {"model": Irra(self.vision, self.text, None)}


def build(network: IrraNetwork, vocab_size: int, configs: TowerConfigs) -> Irra:
    """The model that only encodes; arguments and faults are those of `clip_towers`."""
    return Irra(*clip_towers(network, vocab_size, configs), None)


def last_token(tokens_BTD: Tensor, mask_BT: Tensor) -> Tensor:
    """The feature of each caption's final token, which is EOT, [B, D]."""
    last_B = mask_BT.sum(1) - 1
    return tokens_BTD[torch.arange(len(tokens_BTD), device=last_B.device), last_B]
