"""What evaluation says of masked images."""

import numpy as np

from ubg.systems.phase4.joint.evaluation import _by_mask_ratio


def test_by_mask_ratio_by_hand():
    values = {
        "ce": np.array([1.0, 2.0, 3.0, 4.0]),
        "accuracy": np.array([1.0, 0.0, 0.0, 1.0]),
        "shuffled_caption_ce": np.array([2.0, 3.0, 3.0, 4.0]),
    }
    assert _by_mask_ratio(values, np.array([0.55, 0.55, 0.6, 1.0])) == {
        "up to 60 %": {"ce": 2.0, "accuracy": 33.3333, "shuffled_caption_gap": 0.6667},
        "up to 100 %": {"ce": 4.0, "accuracy": 100.0, "shuffled_caption_gap": 0.0},
    }
