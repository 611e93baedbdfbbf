"""t2i_reid: a ViT and a BERT, each read for who it is and for what is worn."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ubg.data.text.captions import BERT_FIELDS
from ubg.params import T2iReidNetwork
from ubg.retrieval.contract import RetrievalModel, TowerConfigs
from ubg.systems.t2i_reid.branches import Branches
from ubg.systems.t2i_reid.embedded import Embedded
from ubg.systems.t2i_reid.gradient_reversal import reverse_gradient
from ubg.towers.bert import bert_encoder
from ubg.towers.text import TextEncoder, masked_mean
from ubg.towers.vision import VisionEncoder, clip_vision

if TYPE_CHECKING:
    from ubg.systems.t2i_reid.objective import T2iReidObjective

# Of a batch: token ids and mask of the captions that say one thing alone.
IDENTITY_FIELDS = ("identity_ids", "identity_mask")
CLOTHING_FIELDS = ("clothing_ids", "clothing_mask")


class T2iReid(RetrievalModel):
    """Identity and clothing embeddings of images and captions, ranked by a sum of their cosines.

    A sample embeds the same alone and in a batch. Legend: B batch, T tokens, C pooled width, D
    embedding of a branch.

    Args:
        vision: its class token is the pooled image.
        text: the mean of its tokens is the pooled text.
        branches: behind them.
        objective: what trains beside them; None in a saved model, which only encodes.
    """

    caption_fields = BERT_FIELDS
    per_identity = ("objective.classifier.",)
    inner = ("branches", "objective")

    def __init__(
        self,
        vision: VisionEncoder,
        text: TextEncoder,
        branches: Branches,
        objective: "T2iReidObjective | None",
    ):
        super().__init__()
        self.vision = vision
        self.text = text
        self.branches = branches
        self.objective = objective
        self.normalisation = vision.normalisation

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The losses that are on, unweighted.

        Args:
            batch: `images` [B, 3, H, W]; ids and masks [B, T] of whole captions, identity captions
                and clothing captions; `other_images` [B, 3, H, W] where `composed` is on; and the
                labels that `T2iReidObjective` reads.
        """
        assert self.objective is not None, "this model was built to encode"
        return self.objective(batch, self._embed(batch))

    def encode_image(self, images: Tensor) -> Tensor:
        return self.branches.joined(self.image_branches(images))

    def encode_text(self, text: dict[str, Tensor]) -> Tensor:
        """`caption_ids_bert` and `caption_attn_mask_bert`, both [B, T], to unit vectors."""
        return self.branches.joined(self.text_branches(text))

    def image_branches(self, images: Tensor) -> dict[str, Tensor]:
        """Normalised images [B, 3, H, W] to unit vectors "identity" and "clothing", [B, D] each."""
        return self.branches.of_images(self.vision(images)[1])

    def text_branches(self, text: dict[str, Tensor]) -> dict[str, Tensor]:
        """The caption fields of a batch to unit vectors "identity" and "clothing", [B, D] each."""
        return self.branches.of_texts(self._pool_text(text, self.caption_fields))

    def towers(self) -> dict[str, Any]:
        return {"vision": self.vision, "text": self.text}

    def saved_parts(self) -> dict[str, nn.Module]:
        encoder = T2iReid(self.vision, self.text, self.branches, None)
        if self.objective is None or self.objective.gate is None:
            return {"model": encoder}
        return {"model": encoder, "gate": self.objective.gate}

    def _pool_text(self, batch: dict[str, Tensor], fields: tuple[str, str]) -> Tensor:
        ids_BT, mask_BT = (batch[name] for name in fields)
        return masked_mean(self.text(ids_BT, mask_BT), mask_BT)

    def _embed(self, batch: dict[str, Tensor]) -> Embedded:
        """All embeddings of a training batch. Texts of all kinds are normalised together."""
        assert self.objective is not None
        identity, clothing = self.branches.identity, self.branches.clothing
        pooled_BC = self.branches.image_neck(self.vision(batch["images"])[1])
        texts = (self.caption_fields, IDENTITY_FIELDS, CLOTHING_FIELDS)
        texts_BC = torch.cat([self._pool_text(batch, fields) for fields in texts])
        whole_BC, identity_BC, clothing_BC = self.branches.text_neck(texts_BC).chunk(3)
        who_BW = identity.image_projection(pooled_BC)
        worn_BW = clothing.image_projection(pooled_BC)
        if self.objective.params.grl_on == "seed":
            worn_BW = reverse_gradient(worn_BW, batch["grl_alpha"])
        other_identity_BD = None
        if self.objective.gate is not None:
            other_BC = self.branches.image_neck(self.vision(batch["other_images"])[1])
            other_identity_BD = identity.embed_image(identity.image_projection(other_BC))
        return Embedded(
            projected_BW=who_BW,
            image_identity_BD=identity.embed_image(who_BW),
            image_clothing_BD=clothing.embed_image(worn_BW),
            whole_identity_BD=identity.embed_text(whole_BC),
            whole_clothing_BD=clothing.embed_text(whole_BC),
            identity_BD=identity.embed_text(identity_BC),
            clothing_BD=clothing.embed_text(clothing_BC),
            other_identity_BD=other_identity_BD,
        )


def build(network: T2iReidNetwork, vocab_size: int, configs: TowerConfigs) -> T2iReid:
    """The model that only encodes; random weights come from torch's global generator.

    Args:
        network: its towers and sizes.
        vocab_size: tokens that the tokenizer knows.
        configs: architectures of towers as `tower_configs` gave them; for these no pretrained
            weight is fetched, and the caller loads the weights.

    Raises:
        ValueError: see `clip_vision` and `bert_encoder`.
    """
    attention = network.attention
    vision = clip_vision(network.vision, network.image, attention, configs.get("vision"))
    text = bert_encoder(
        network.bert, vocab_size, network.max_tokens, attention, configs.get("text")
    )
    branches = Branches(vision.width, text.width, network)
    return T2iReid(vision, text, branches, None)
