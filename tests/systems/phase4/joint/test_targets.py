"""What is asked for lies below what is masked, and comes from the row of the mirror image."""

import numpy as np
import pytest
import torch
from tiny_models import MemoryTokens, tiny_generation

from ubg.losses.generation import IGNORED
from ubg.systems.phase4.decoder import UNKNOWN
from ubg.systems.phase4.joint.masking import draw_masks
from ubg.systems.phase4.joint.targets import GenerationTargets

IMAGE_IDS = np.array([3, 0, 5, 3, 4, 1])
CAPTION_IDS = np.array([7, 1, 10, 6, 8, 2])
MIRRORED = np.array([True, False, False, False, True, True])


def fields_of(generation, patch_grid, code_grid, epoch=2, seed=9):
    tokens = MemoryTokens(6, code_grid)
    targets = GenerationTargets(tokens, patch_grid, generation, seed)
    masks = draw_masks(generation, patch_grid, seed, epoch, IMAGE_IDS, CAPTION_IDS)
    return tokens, masks, targets.fields(epoch, IMAGE_IDS, CAPTION_IDS, MIRRORED)


@pytest.mark.parametrize("target", ["masked", "whole"])
@pytest.mark.parametrize("decoder", ["parallel", "autoregressive"])
@pytest.mark.parametrize("code_grid", [(4, 2), (8, 4), (4, 6)])
def test_fields_by_a_loop(target, decoder, code_grid):
    generation = tiny_generation(target=target, decoder=decoder, reveal=0.7, text_dropout=0.5)
    tokens, masks, fields = fields_of(generation, (4, 2), code_grid)
    down, right = code_grid[0] // 4, code_grid[1] // 2
    for b, (image, mirrored) in enumerate(zip(IMAGE_IDS, MIRRORED, strict=True)):
        for place in range(code_grid[0] * code_grid[1]):
            row, column = divmod(place, code_grid[1])
            patch = row // down * 2 + column // right
            code = tokens.ids_N2L[image, int(mirrored), place]
            masked, revealed = masks.masked_BN[b, patch], masks.revealed_BN[b, patch]
            told = revealed and decoder == "parallel"
            asked = (masked or target == "whole") and not told
            assert fields["vq_target_ids"][b, place] == (code if asked else IGNORED)
            assert fields["vq_known_ids"][b, place] == (code if told else UNKNOWN)
            assert fields["vq_target_attn_mask"][b, place] == (masked or target == "whole")
    assert masks.revealed_BN.any()
    assert torch.equal(fields["masked_patches"], torch.from_numpy(masks.masked_BN))
    assert torch.equal(fields["text_hidden"], torch.from_numpy(masks.text_hidden_B))
    types = {name: values.dtype for name, values in fields.items()}
    assert types == {
        "masked_patches": torch.bool,
        "text_hidden": torch.bool,
        "vq_target_ids": torch.long,
        "vq_known_ids": torch.long,
        "vq_target_attn_mask": torch.bool,
    }


def test_every_sample_has_something_to_predict():
    generation = tiny_generation(reveal=1.0, mask_ratio=(0.01, 0.3))
    ids = np.arange(500)
    targets = GenerationTargets(MemoryTokens(500), (4, 2), generation, seed=0)
    asked = targets.fields(0, ids, ids, np.zeros(500, bool))["vq_target_ids"] != IGNORED
    assert asked.any(1).all()


@pytest.mark.parametrize("code_grid", [(6, 2), (2, 2), (4, 1), (2, 1)])
def test_grid_of_codes_that_does_not_fit_the_patches_is_refused(code_grid):
    expected = f"a grid of {code_grid[0]}x{code_grid[1]}, the patches .* one of 4x2"
    with pytest.raises(ValueError, match=expected):
        GenerationTargets(MemoryTokens(6, code_grid), (4, 2), tiny_generation(), seed=0)
