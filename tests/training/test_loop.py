"""The loop: what it learns, keeps and refuses; and that a stopped run goes on bit for bit."""

import shutil
from itertools import product
from pathlib import Path

import pytest
import sections
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from ubg.training.loop import Hooks, Recipe, train, weighted_sum

OPTIMISER = sections.optimiser(
    name="adamw",
    lr=0.01,
    new_module_lr_factor=5,
    bias_lr_factor=2,
    weight_decay=0.01,
    clip_norm=1.0,
    warmup_epochs=1,
    warmup_factor=0.1,
)


class Regression(nn.Module):
    """Small, with dropout, so that a random stream that is not restored shows."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2))

    def forward(self, batch):
        return {"fit_loss": F.mse_loss(self.layers(batch["x"]), batch["y"])}

    def pretrained_modules(self):
        return []

    def lr_factors(self):
        return []

    def saved_parts(self):
        return {"model": self, "head": self.layers[3]}


def constant_weights(epochs):
    return {"fit_loss": 1.0}


class Batches:
    """Stands in for the loader: seven batches an epoch, each a function of its position."""

    def __init__(self, stop_at=None):
        self.stop_at = stop_at

    def __len__(self):
        return 7

    def epoch(self, epoch, start_step=0):
        for step in range(start_step, 7):
            if (epoch, step) == self.stop_at:
                raise KeyboardInterrupt
            generator = torch.Generator().manual_seed(100 * epoch + step)
            x = torch.randn(8, 4, generator=generator)
            yield {"x": x, "y": x[:, :2].abs()}


def hooks(validate, loss_weights=constant_weights, selected_by="r1"):
    return Hooks(loss_weights, validate, lambda history: None, selected_by)


def run(folder, stop_at=None, validate=None, accumulate=1, weights=None, epochs=3):
    torch.manual_seed(0)
    scores = iter([{"r1": 10.0}, {"r1": 30.0}, {"r1": 30.0}, {"r1": 20.0}])
    training = sections.training(
        epochs=epochs, batch_size=8, accumulate=accumulate, precision="fp32", checkpoint_seconds=0
    )
    return train(
        Regression(),
        Batches(stop_at),
        hooks(validate or (lambda model: next(scores)), weights or constant_weights),
        Recipe(training, OPTIMISER, seed=3),
        folder,
    )


def weights_of(folder: Path, name: str, part: str = "model") -> dict:
    return load_file(folder / name / f"{part}.safetensors")


def score(model):
    """A validation that depends on the weights, as the real one does."""
    total = float(model.layers[0].weight.detach().sum())
    return {"r1": total % 50, "other": total}


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("stop_at", [(0, 1), (0, 6), (1, 0), (1, 4), (2, 6)])
def test_stopped_and_resumed_run_equals_an_uninterrupted_one(tmp_path, stop_at, accumulate):
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    whole = run(tmp_path / "whole", validate=score, accumulate=accumulate)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", stop_at, validate=score, accumulate=accumulate)
    resumed = run(tmp_path / "stopped", validate=score, accumulate=accumulate)
    assert resumed.history == whole.history
    for name, part in product(("best", "last"), ("model", "head")):
        expected = weights_of(tmp_path / "whole", name, part)
        found = weights_of(tmp_path / "stopped", name, part)
        assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_run_stopped_while_validating_goes_on_from_there(tmp_path):
    def interrupted(model):
        raise KeyboardInterrupt

    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
    whole = run(tmp_path / "whole", validate=score)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "stopped", validate=interrupted)
    assert run(tmp_path / "stopped", validate=score).history == whole.history


def test_finished_run_called_again_trains_no_further(tmp_path):
    run(tmp_path)
    before = weights_of(tmp_path, "last")
    shutil.rmtree(tmp_path / "last")
    again = run(tmp_path)
    assert again.epoch == 3
    assert all(torch.equal(before[key], weights_of(tmp_path, "last")[key]) for key in before)


def test_best_weights_are_those_of_the_first_best_epoch(tmp_path):
    kept = []
    scores = iter([10.0, 30.0, 30.0])

    def validate(model):
        kept.append({name: value.clone() for name, value in model.state_dict().items()})
        return {"r1": next(scores), "gen_ce": 7.0 - len(kept)}

    progress = run(tmp_path, validate=validate)
    assert (progress.best_epoch, progress.best_value) == (2, 30.0)
    best = weights_of(tmp_path, "best")
    assert all(torch.equal(best[key], kept[1][key]) for key in best)
    assert [record["val_r1"] for record in progress.history] == [10.0, 30.0, 30.0]
    assert [record["val_gen_ce"] for record in progress.history] == [6.0, 5.0, 4.0]


def test_another_metric_may_select(tmp_path):
    values = iter([(9.0, 10.0), (7.0, 30.0), (8.0, 20.0)])

    def validate(model):
        return dict(zip(("r1", "score"), next(values), strict=True))

    training = sections.training(epochs=3, batch_size=8, precision="fp32")
    chosen = hooks(validate, selected_by="score")
    progress = train(Regression(), Batches(), chosen, Recipe(training, OPTIMISER, 3), tmp_path)
    assert (progress.best_epoch, progress.best_value) == (2, 30.0)


def test_every_saved_part_is_a_file_of_its_own(tmp_path):
    run(tmp_path)
    for name in ("best", "last"):
        assert {path.name for path in (tmp_path / name).iterdir()} == {
            "model.safetensors",
            "head.safetensors",
        }
        model, head = weights_of(tmp_path, name), weights_of(tmp_path, name, "head")
        assert head.keys() == {"weight", "bias"}
        assert all(torch.equal(head[key], model[f"layers.3.{key}"]) for key in head)


def test_weights_of_the_losses_are_asked_for_at_every_step_by_the_time_in_epochs(tmp_path):
    asked = []

    def loss_weights(epochs):
        asked.append(epochs)
        return {"fit_loss": 1.0}

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, stop_at=(1, 3), validate=score, weights=loss_weights)
    run(tmp_path, validate=score, weights=loss_weights)
    assert asked == pytest.approx([step / 7 for step in range(21)])


def test_a_loss_without_weight_so_far_teaches_nothing(tmp_path):
    def late(epochs):
        return {"fit_loss": 1.0 if epochs >= 1 else 0.0}

    undecayed = OPTIMISER.model_copy(update={"weight_decay": 0.0})
    torch.manual_seed(0)
    model = Regression()
    seen = [model.layers[0].weight.detach().clone()]

    def validate(model):
        seen.append(model.layers[0].weight.detach().clone())
        return {"r1": 0.0}

    training = sections.training(epochs=2, batch_size=8, precision="fp32")
    train(model, Batches(), hooks(validate, late), Recipe(training, undecayed, 3), tmp_path)
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[1], seen[2])


def test_loss_falls(tmp_path):
    history = run(tmp_path, validate=lambda model: {"r1": 0.0}, epochs=10).history
    assert history[-1]["fit_loss"] < 0.5 * history[0]["fit_loss"]


def test_accumulated_gradients_are_those_of_the_mean(tmp_path):
    """Two batches added up are one step with the mean gradient of both."""

    class NoDropout(Regression):
        def __init__(self):
            super().__init__()
            self.layers[2] = nn.Identity()

    class TwoBatches(Batches):
        def __len__(self):
            return 2

        def epoch(self, epoch, start_step=0):
            batches = list(super().epoch(epoch))[:2]
            yield from batches[start_step:]

    optimisation = OPTIMISER.model_copy(update={"warmup_epochs": 0.0, "clip_norm": None})
    training = sections.training(epochs=1, batch_size=8, accumulate=2, precision="fp32")
    torch.manual_seed(0)
    model = NoDropout()
    by_hand = NoDropout()
    by_hand.load_state_dict(model.state_dict())
    train(
        model,
        TwoBatches(),
        hooks(lambda model: {"r1": 0.0}),
        Recipe(training, optimisation, 3),
        tmp_path,
    )

    from ubg.training.optimiser import build_optimiser

    optimiser = build_optimiser(by_hand, optimisation)
    sum(by_hand(batch)["fit_loss"] for batch in TwoBatches().epoch(0)).div(2).backward()
    optimiser.step()
    for expected, found in zip(by_hand.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(found, expected)


def test_loss_without_weight_and_weight_without_loss_are_refused():
    one = torch.tensor(1.0)
    with pytest.raises(ValueError, match="they must be the same"):
        weighted_sum({"sdm_loss": one, "itc_loss": one}, {"sdm_loss": 1.0})
    with pytest.raises(ValueError, match="they must be the same"):
        weighted_sum({"sdm_loss": one}, {"sdm_loss": 1.0, "itc_loss": 1.0})


def test_weighted_sum_by_hand():
    losses = {"sdm_loss": torch.tensor(2.0), "itc_loss": torch.tensor(3.0)}
    assert weighted_sum(losses, {"sdm_loss": 1.0, "itc_loss": 0.5}).item() == 3.5


def test_diverged_run_stops_with_a_reason(tmp_path):
    class Diverging(Batches):
        def epoch(self, epoch, start_step=0):
            for batch in super().epoch(epoch, start_step):
                yield {"x": batch["x"] * float("inf"), "y": batch["y"]}

    training = sections.training(epochs=1, batch_size=8, precision="fp32")
    with pytest.raises(ValueError, match="loss is not finite"):
        train(
            Regression(),
            Diverging(),
            hooks(lambda model: {"r1": 0.0}),
            Recipe(training, OPTIMISER, 3),
            tmp_path,
        )


def test_damaged_checkpoint_is_named(tmp_path):
    (tmp_path / "state.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match=r"state\.pt: is no readable checkpoint"):
        run(tmp_path)
