"""One T5 encoder for the tokens of both modalities."""

import torch
from torch import Tensor, nn
from transformers import T5EncoderModel

from ubg.params import SharedEncoder
from ubg.towers.attention_mask import additive_mask
from ubg.towers.relative_bias import GridBias, Positions, sequence_bias
from ubg.towers.text import TextEncoder, masked_mean

TEXT, IMAGE = 0, 1


class SharedTextImageEncoder(nn.Module):
    """Word tokens and linearly mapped image tokens, each with a modality embedding, through T5.

    Legend: B batch, T text tokens, N image tokens, L either or both, C width of the encoder.

    Args:
        text: the T5 encoder.
        image_width: of the image tokens.
        grid: rows and columns of image patches.
        params: class token, pooling, positions of image tokens.

    Raises:
        ValueError: positions over the grid are asked of an encoder without relative bias.
    """

    def __init__(
        self, text: TextEncoder, image_width: int, grid: tuple[int, int], params: SharedEncoder
    ):
        super().__init__()
        self.text = text
        self.width = text.width
        self.pooling = params.pooling
        embeddings = text.transformer.get_input_embeddings().weight
        # Image tokens enter at the scale of word tokens, which differs widely between checkpoints.
        # On the meta device, where a model has sizes alone, there is no number to ask for.
        scale = 1.0 if embeddings.is_meta else embeddings.detach().square().mean().sqrt().item()
        self.image_to_token = nn.Linear(image_width, self.width)
        nn.init.normal_(self.image_to_token.weight, std=scale * image_width**-0.5)
        nn.init.zeros_(self.image_to_token.bias)
        self.modality_embedding = nn.Parameter(torch.randn(2, self.width) * 0.1 * scale)
        self.class_token = (
            nn.Parameter(torch.randn(self.width) * scale) if params.cls_token else None
        )
        self.grid_bias = None
        if params.image_positions == "2d":
            if not isinstance(text.transformer, T5EncoderModel):
                raise ValueError(
                    "shared_encoder.image_positions: 2d needs the relative position bias of T5, "
                    f"which {type(text.transformer).__name__} has not; use 1d"
                )
            heads = text.transformer.config.num_heads
            self.grid_bias = GridBias(grid, heads, params.position_bias_std)

    def embed_text(self, caption_ids_BT: Tensor) -> Tensor:
        """Token ids to the encoder's input, [B, T, C]."""
        embeddings = self.text.transformer.get_input_embeddings()(caption_ids_BT)
        return embeddings + self.modality_embedding[TEXT]

    def embed_image(self, tokens_BNV: Tensor) -> Tensor:
        """Tokens of the vision tower to the encoder's input, [B, N, C]."""
        return self.image_to_token(tokens_BNV) + self.modality_embedding[IMAGE]

    def encode(self, tokens_BLC: Tensor, mask_BL: Tensor, positions: Positions) -> Tensor:
        """Features [B, L, C] of tokens at `positions`, of which `mask_BL` says which are real."""
        transformer = self.text.transformer
        if not isinstance(transformer, T5EncoderModel):
            return transformer(
                inputs_embeds=tokens_BLC,
                attention_mask=mask_BL,
                position_ids=positions.sequence_BL,
            ).last_hidden_state
        stack = transformer.encoder
        attention = stack.block[0].layer[0].SelfAttention
        if self.grid_bias is None:
            bias_BhLL = sequence_bias(attention, positions.sequence_BL)
        else:
            bias_BhLL = self.grid_bias(attention, positions)
        # Added to the scores of every layer: put together once.
        bias_BhLL = bias_BhLL + additive_mask(mask_BL)
        hidden_BLC = stack.dropout(tokens_BLC)
        for block in stack.block:
            hidden_BLC = block(hidden_BLC, position_bias=bias_BhLL)[0]
        return stack.dropout(stack.final_layer_norm(hidden_BLC))

    def pool_image(self, tokens_BNV: Tensor) -> Tensor:
        """All patch tokens of images to one feature each, [B, C]."""
        batch, length = tokens_BNV.shape[:2]
        mask_BN = torch.ones(batch, length, dtype=torch.long, device=tokens_BNV.device)
        patches = torch.arange(length, device=tokens_BNV.device)[None]
        tokens_BNC, positions = self.embed_image(tokens_BNV), Positions.of_patches(patches)
        return self.pool(*self._features(tokens_BNC, mask_BN, positions))

    def text_features(self, caption_ids_BT: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Captions to features [B, L, C] and their mask [B, L], behind the class token's if any."""
        positions = Positions.of_text(caption_ids_BT.shape[1], caption_ids_BT.device)
        return self._features(self.embed_text(caption_ids_BT), mask_BT, positions)

    def pool(self, features_BLC: Tensor, mask_BL: Tensor) -> Tensor:
        """Features of one modality, as of `text_features`, to one feature each, [B, C]."""
        if self.pooling == "cls":
            return features_BLC[:, 0]
        if self.pooling == "last":
            last_B = mask_BL.shape[1] - 1 - mask_BL.flip(1).argmax(dim=1)
            return features_BLC[torch.arange(len(features_BLC), device=last_B.device), last_B]
        return masked_mean(features_BLC, mask_BL)

    def _features(
        self, tokens_BLC: Tensor, mask_BL: Tensor, positions: Positions
    ) -> tuple[Tensor, Tensor]:
        """Features of one modality and their mask, both with the class token where there is one."""
        if self.class_token is not None:
            batch = len(tokens_BLC)
            tokens_BLC = torch.cat(
                [self.class_token.expand(batch, 1, -1).to(tokens_BLC.dtype), tokens_BLC], dim=1
            )
            mask_BL = torch.cat([mask_BL.new_ones(batch, 1), mask_BL], dim=1)
            positions = positions.behind_class_token()
        return self.encode(tokens_BLC, mask_BL, positions), mask_BL
