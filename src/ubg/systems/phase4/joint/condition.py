"""What the decoder sees: the caption and the visible part of the image, encoded together.

The pass is one of its own; its features are never used for retrieval.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ubg.systems.aligned.shared_encoder import SharedEncoderModel
from ubg.towers.relative_bias import Positions


class MaskedCondition(nn.Module):
    """`[caption] + [visible patches]` through the shared encoder.

    Legend: B batch, T text tokens, N patches, V visible patches of the sample that has most, L = T
    plus the image tokens, C width of the encoder.

    Attributes:
        mask_embedding: [C of the vision tower], in place of a masked patch where
            `masked_patch` is "embedding".
    """

    def __init__(self, vision_width: int, masked_patch: str):
        super().__init__()
        self.masked_patch = masked_patch
        self.mask_embedding = (
            nn.Parameter(torch.randn(vision_width) * 0.02) if masked_patch == "embedding" else None
        )

    def forward(
        self, retrieval: SharedEncoderModel, batch: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Encode the batch's captions and masked images.

        Args:
            retrieval: holds the vision tower and the shared encoder.
            batch: `masked_images` [B, 3, H, W], grey where masked; `masked_patches` bool [B, N];
                `caption_ids_t5`, `caption_attn_mask_t5` [B, T]; `text_hidden` bool [B].

        Returns:
            Features [B, L, C] and their mask [B, L].
        """
        encoder = retrieval.encoder
        tokens_BVC, patch_BV, image_mask_BV = self._image_tokens(retrieval, batch)
        caption_ids_BT, caption_mask_BT = batch["caption_ids_t5"], batch["caption_attn_mask_t5"]
        text_mask_BT = _hide_text(caption_mask_BT, batch["text_hidden"])
        tokens_BLC = torch.cat(
            [encoder.embed_text(caption_ids_BT), encoder.embed_image(tokens_BVC)], dim=1
        )
        mask_BL = torch.cat([text_mask_BT, image_mask_BV], dim=1)
        # The image begins after the caption's last token, so that padding does not matter.
        lengths_B1 = caption_mask_BT.sum(1, keepdim=True)
        positions = Positions(caption_ids_BT.shape[1], patch_BV, start=lengths_B1)
        return encoder.encode(tokens_BLC, mask_BL, positions), mask_BL

    def _image_tokens(
        self, retrieval: SharedEncoderModel, batch: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens [B, V, C], the patches that they stand for [B or 1, V] and their mask [B, V]."""
        vision, masked_BN = retrieval.vision, batch["masked_patches"]
        with frozen_statistics(vision):
            embeddings_BNC = vision.embeddings(batch["masked_images"])
        all_patches_1N = torch.arange(masked_BN.shape[1], device=masked_BN.device)[None]
        everything_BN = torch.ones_like(masked_BN, dtype=torch.long)
        if self.masked_patch == "drop":
            patch_BV, mask_BV = indices_of(~masked_BN)
            index_BVC = patch_BV[..., None].expand(-1, -1, embeddings_BNC.shape[2])
            visible_BVC = embeddings_BNC.gather(1, index_BVC)
            return vision.tokens_of_embeddings(visible_BVC, mask_BV), patch_BV, mask_BV
        if self.mask_embedding is not None:
            hidden_NC = self.mask_embedding + vision.embeddings.position_embedding
            embeddings_BNC = torch.where(
                masked_BN[..., None], hidden_NC.to(embeddings_BNC.dtype), embeddings_BNC
            )
        tokens_BNC = vision.tokens_of_embeddings(embeddings_BNC, everything_BN)
        return tokens_BNC, all_patches_1N, everything_BN


def indices_of(selected_BN: Tensor) -> tuple[Tensor, Tensor]:
    """Where each row of a boolean matrix is true, ascending, padded to the most that a row has.

    Returns:
        Indices, long [B, K], and mask, long [B, K], 1 where the index is one; K is at least 1.
    """
    most = max(1, int(selected_BN.sum(1).max()))
    index_BK = (~selected_BN).long().argsort(dim=1, stable=True)[:, :most]
    return index_BK, selected_BN.gather(1, index_BK).long()


def _hide_text(mask_BT: Tensor, hidden_B: Tensor) -> Tensor:
    """Mask every token of a hidden caption except the last one, the end of the sequence."""
    is_last_BT = mask_BT - torch.cat([mask_BT[:, 1:], torch.zeros_like(mask_BT[:, :1])], dim=1)
    return torch.where(hidden_B[:, None], is_last_BT, mask_BT)


@contextmanager
def frozen_statistics(module: nn.Module) -> Iterator[None]:
    """Let no batch norm of `module` learn running statistics: those are of unmasked images."""
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
