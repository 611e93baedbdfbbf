"""The fields of a batch that the generative branch needs."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from ubg.data.batches.fields import Batch, Samples
from ubg.losses.generation import IGNORED
from ubg.params import Generation
from ubg.systems.phase4.codes import Codes
from ubg.systems.phase4.decoder import UNKNOWN
from ubg.systems.phase4.joint.hiding import flip_alone, hide_patches
from ubg.systems.phase4.joint.masking import draw_masks

Flags = TypeVar("Flags", NDArray[np.bool_], torch.Tensor)


class GenerationTargets:
    """Masks of patches and the VQ codes below them.

    Legend: B batch, N patches, L positions of the code grid, both in raster order.

    Args:
        tokens: the codes of all images and of their mirror images.
        patch_grid: rows and columns of the patches of the vision tower.
        generation: how to mask, what to predict.
        seed: of the masks.

    Raises:
        ValueError: the grid of codes is no whole multiple of the grid of patches.
    """

    images: Sequence[str] = ("masked_images",)

    def __init__(
        self, tokens: Codes, patch_grid: tuple[int, int], generation: Generation, seed: int
    ):
        self.tokens = tokens
        self.patch_grid = patch_grid
        self.generation = generation
        self.seed = seed
        down, right = tokens.grid[0] // patch_grid[0], tokens.grid[1] // patch_grid[1]
        if (down * patch_grid[0], right * patch_grid[1]) != tuple(tokens.grid) or not down * right:
            raise ValueError(
                f"the VQ codes form a grid of {tokens.grid[0]}x{tokens.grid[1]}, the patches of "
                f"the vision tower one of {patch_grid[0]}x{patch_grid[1]}; the first must be a "
                "whole multiple of the second: change patch_size or stride, or the VQGAN's factor"
            )
        index_N = np.arange(patch_grid[0] * patch_grid[1]).reshape(patch_grid)
        self._patch_of_L = index_N.repeat(down, axis=0).repeat(right, axis=1).ravel()

    def fields(
        self,
        epoch: int,
        image_ids: NDArray[np.int64],
        caption_ids: NDArray[np.int64],
        mirrored_B: NDArray[np.bool_],
    ) -> dict[str, torch.Tensor]:
        """What the batch shows and asks for, the same whatever else is in the batch.

        Returns:
            `masked_patches` bool [B, N]; `text_hidden` bool [B]; `vq_target_ids` long [B, L],
            IGNORED where nothing is to be predicted; `vq_known_ids` long [B, L], the codes that the
            decoder is told and UNKNOWN elsewhere; `vq_target_attn_mask` bool [B, L], the positions
            that the decoder deals with.
        """
        masks = draw_masks(
            self.generation, self.patch_grid, self.seed, epoch, image_ids, caption_ids
        )
        ids_BL = self.tokens.batch(image_ids, mirrored_B)
        queried_BL = self.codes_of_patches(masks.masked_BN)
        revealed_BL = self.codes_of_patches(masks.revealed_BN)
        if self.generation.decoder == "autoregressive":
            revealed_BL[:] = False  # it is told all codes before the one it predicts
        if self.generation.target == "whole":
            queried_BL = np.ones_like(queried_BL)
        fields = {
            "masked_patches": masks.masked_BN,
            "text_hidden": masks.text_hidden_B,
            "vq_target_ids": np.where(queried_BL & ~revealed_BL, ids_BL, IGNORED),
            "vq_known_ids": np.where(revealed_BL, ids_BL, UNKNOWN),
            "vq_target_attn_mask": queried_BL,
        }
        return {name: torch.from_numpy(values) for name, values in fields.items()}

    def add_to(self, batch: Batch, samples: Samples) -> Batch:
        """`masked_images` float32 [B, 3, H, W] and `fields`, for a batch of training.

        Images are mirrored as the batch's are, but neither cropped nor erased: the codes are of the
        whole image.
        """
        mirrored_B = samples.draws.geometry_B7[:, 0] == 1
        fields = self.fields(samples.epoch, samples.image_ids, samples.caption_ids, mirrored_B)
        images = samples.room["masked_images"]
        samples.write(flip_alone(samples.draws), images)
        hide_patches(images.numpy(), fields["masked_patches"].numpy(), *self.patch_grid)
        return {"masked_images": images, **fields}

    def codes_of_patches(self, patches_BN: Flags) -> Flags:
        """Per patch [B, N] to per code [B, L]: a code has the value of the patch around it."""
        return patches_BN[:, self._patch_of_L]
