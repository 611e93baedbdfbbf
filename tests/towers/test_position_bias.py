"""The local start of T5's relative position bias, by hand and beside the library's buckets."""

import pytest
import sections
import torch
from transformers.models.t5.modeling_t5 import T5Attention

from ubg.towers.position_bias import bucket_distances, local_position_bias
from ubg.towers.text import t5_encoder

SIZES = {"width": 32, "layers": 2, "heads": 4, "mlp_width": 48}


def test_bias_of_the_near_buckets_by_hand():
    bias = local_position_bias(4)
    assert bias.shape == (32, 4)
    # Rows: the token itself, one and two before it, one and two behind it.
    expected = {
        0: [-1.5, -1.5, 0.0, 0.0],
        1: [0.0, -3.0, -0.5, 0.0],
        2: [-1.5, -4.5, -1.0, 0.0],
        17: [-3.0, 0.0, -0.5, 0.0],
        18: [-4.5, -1.5, -1.0, 0.0],
    }
    for bucket, values in expected.items():
        assert bias[bucket].tolist() == pytest.approx(values)
    assert bias.min() == -8


def test_heads_repeat_the_four_kinds():
    bias = local_position_bias(6)
    torch.testing.assert_close(bias[:, 4:], bias[:, :2])


def test_distances_are_the_least_of_the_librarys_buckets():
    distance = torch.arange(-200, 201)
    bucket = T5Attention._relative_position_bucket(distance, True, 32, 128)
    nearest = bucket_distances()
    for index in bucket.unique().tolist():
        least = distance[bucket == index].abs().min().item()
        assert nearest[index].abs().item() == pytest.approx(least, abs=1)
        assert nearest[index] * distance[bucket == index][0] >= 0


def test_a_tower_from_sizes_starts_as_the_params_say():
    def bias_of(kind):
        torch.manual_seed(0)
        tower = t5_encoder(sections.text_tower(**SIZES, position_bias=kind), 50, "sdpa")
        return tower.transformer.encoder.block[0].layer[0].SelfAttention.relative_attention_bias

    torch.testing.assert_close(bias_of("local").weight, local_position_bias(4))
    assert bias_of("random").weight.std().item() == pytest.approx(2.0, rel=0.2)
