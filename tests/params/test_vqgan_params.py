"""The params of the VQGAN: either fitted or published, and nothing in between."""

from pathlib import Path

import pytest

from ubg.params import Vqgan, load_params

FIT = load_params(Path(__file__).parents[2]).preset.vqgan.fit
NONE = {"pretrained": None, "config": None, "fit": None}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "either 'fit' or 'pretrained'"),
        ({"fit": FIT, "pretrained": "a.ckpt", "config": "a.yaml"}, "either 'fit' or 'pretrained'"),
        ({"pretrained": "a.ckpt"}, "belong together"),
        ({"fit": FIT, "config": "a.yaml"}, "belong together"),
        ({"fit": FIT.model_dump() | {"warmup_steps": FIT.steps}}, "smaller than steps"),
        ({"fit": FIT.model_dump() | {"channels": 40}}, "multiple of 32"),
        ({"fit": FIT.model_dump() | {"codes": 65537}}, "less than or equal to 65536"),
        ({"fit": FIT.model_dump() | {"patch": 3}}, "1, 2, 4, 8 or 16"),
    ],
)
def test_refused(values, expected):
    with pytest.raises(ValueError, match=expected):
        Vqgan.model_validate(NONE | values)


def test_lists_of_yaml_are_taken():
    values = FIT.model_dump() | {"multipliers": [1, 2]}
    assert Vqgan.model_validate(NONE | {"fit": values}).fit.multipliers == (1, 2)
