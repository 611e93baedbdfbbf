"""Parameter groups: factors multiply, every parameter is in one group."""

import pytest
import sections
import torch
from torch import nn

from ubg.training.optimiser import build_optimiser, parameter_groups, set_learning_rates

PARAMS = sections.optimiser(
    name="adam",
    lr=1e-5,
    new_module_lr_factor=5,
    bias_lr_factor=2,
    weight_decay=4e-5,
    warmup_epochs=5,
    warmup_factor=0.1,
)


class TwoParts(nn.Module):
    def __init__(self):
        super().__init__()
        self.loaded = nn.Linear(3, 3)
        self.new = nn.Linear(3, 2)
        self.frozen = nn.Parameter(torch.zeros(2), requires_grad=False)

    def pretrained_modules(self):
        return [self.loaded]


def test_each_kind_has_its_rate_and_decay():
    model = TwoParts()
    found = {
        id(parameter): (group["lr"], group["weight_decay"])
        for group in parameter_groups(model, model.pretrained_modules(), PARAMS)
        for parameter in group["params"]
    }
    expected = {
        id(model.loaded.weight): (1e-5, 4e-5),
        id(model.loaded.bias): (2e-5, 0.0),
        id(model.new.weight): (5e-5, 4e-5),
        id(model.new.bias): (1e-4, 0.0),
    }
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        assert found[key] == pytest.approx(values)


def test_schedule_scales_the_peak_however_often_it_is_set():
    optimiser = build_optimiser(TwoParts(), PARAMS)
    peaks = [group["lr"] for group in optimiser.param_groups]
    for factor in (0.1, 0.5, 0.5):
        set_learning_rates(optimiser, factor)
    assert [group["lr"] for group in optimiser.param_groups] == [0.5 * peak for peak in peaks]
