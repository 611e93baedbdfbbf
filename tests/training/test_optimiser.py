"""Parameter groups: factors multiply, every parameter is in one group."""

import pytest
import sections
import torch
from torch import nn

from ubg.params import LrFactors
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


class ThreeParts(nn.Module):
    def __init__(self):
        super().__init__()
        self.loaded = nn.Linear(3, 3)
        self.new = nn.Linear(3, 2)
        self.own = nn.Linear(3, 2)
        self.frozen = nn.Parameter(torch.zeros(2), requires_grad=False)

    def pretrained_modules(self):
        return [self.loaded]

    def lr_factors(self):
        return [(self.own, LrFactors(weight=3.0, bias=0.5))]


def test_each_kind_has_its_rate_and_decay():
    model = ThreeParts()
    found = {
        id(parameter): (group["lr"], group["weight_decay"])
        for group in parameter_groups(model, PARAMS)
        for parameter in group["params"]
    }
    expected = {
        id(model.loaded.weight): (1e-5, 4e-5),
        id(model.loaded.bias): (2e-5, 0.0),
        id(model.new.weight): (5e-5, 4e-5),
        id(model.new.bias): (1e-4, 0.0),
        id(model.own.weight): (3e-5, 4e-5),
        id(model.own.bias): (5e-6, 0.0),
    }
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        assert found[key] == pytest.approx(values)


def test_schedule_scales_the_peak_however_often_it_is_set():
    optimiser = build_optimiser(ThreeParts(), PARAMS)
    peaks = [group["lr"] for group in optimiser.param_groups]
    for factor in (0.1, 0.5, 0.5):
        set_learning_rates(optimiser, factor)
    assert [group["lr"] for group in optimiser.param_groups] == [0.5 * peak for peak in peaks]


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_eps_is_that_of_the_params(name):
    params = PARAMS.model_copy(update={"name": name, "eps": 1e-3})
    assert {group["eps"] for group in build_optimiser(ThreeParts(), params).param_groups} == {1e-3}
