"""`compile`: the same training, weights under their own names, and a run that resumes.

The backend here is handed what the default one would be, and runs it as it is.
"""

from functools import partial

import pytest
import sections
import torch
from safetensors.torch import load_file
from tiny_clip_mer import build_clip_mer, clip_mer_batch, clip_mer_scale, query_parts
from tiny_models import build_phase4, full_batch, tiny_generation, tiny_scale
from torch import nn
from torch.nn import functional as F
from transformers.modeling_layers import GradientCheckpointingLayer

from ubg.training.compile import compile_layers
from ubg.training.loop import Hooks, Recipe, train
from ubg.training.recompute import recompute_activations

OPTIMISER = sections.optimiser(
    name="adam",
    lr=1e-2,
    new_module_lr_factor=1,
    bias_lr_factor=1,
    weight_decay=0.0,
    warmup_epochs=0,
    warmup_factor=0.1,
)


@pytest.fixture
def compiled_calls(monkeypatch):
    """How often a compiled graph was called."""
    calls = []

    def backend(graph, inputs):
        def run(*arguments):
            calls.append(graph)
            return graph(*arguments)

        return run

    torch._dynamo.reset()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    yield calls
    torch._dynamo.reset()


class Layer(GradientCheckpointingLayer):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x):
        return x + torch.relu(self.linear(x))


class Regression(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(Layer(), Layer(), Layer(), nn.Linear(4, 2))

    def forward(self, batch):
        return {"fit_loss": F.mse_loss(self.layers(batch["x"]), batch["y"])}

    def pretrained_modules(self):
        return []

    def lr_factors(self):
        return []

    def saved_parts(self):
        return {"model": self}


class Batches:
    """Stands in for the loader: batches of different size."""

    def __init__(self, stop_at=None):
        self.stop_at = stop_at

    def __len__(self):
        return 3

    def epoch(self, epoch, start_step=0):
        for step in range(start_step, 3):
            if (epoch, step) == self.stop_at:
                raise KeyboardInterrupt
            generator = torch.Generator().manual_seed(100 * epoch + step)
            x = torch.randn(4 + step, 4, generator=generator)
            yield {"x": x, "y": x[:, :2].abs()}


def run(folder, compiled, stop_at=None):
    folder.mkdir(exist_ok=True)
    torch.manual_seed(0)
    training = sections.training(
        epochs=2, batch_size=4, precision="bf16", compile=compiled, checkpoint_seconds=0
    )
    train(
        Regression(),
        Batches(stop_at),
        Hooks(lambda epochs: {"fit_loss": 1.0}, lambda model: {"r1": 1.0}, lambda history: None),
        Recipe(training, OPTIMISER, seed=0),
        folder,
    )
    return load_file(folder / "last" / "model.safetensors")


def test_compiled_stopped_and_resumed_training_learns_the_same_weights(tmp_path, compiled_calls):
    expected = run(tmp_path / "plain", compiled=False)
    assert not compiled_calls
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "compiled", compiled=True, stop_at=(1, 1))
    # The layers share them: for the first size and for any other, the input with and without
    # a gradient.
    assert len({id(graph) for graph in compiled_calls}) == 4
    found = run(tmp_path / "compiled", compiled=True)
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, rtol=1e-4, atol=1e-5, msg=name)


def test_compiled_step_of_phase4_with_checkpointing_has_the_same_gradients(compiled_calls):
    scale, generation = tiny_scale(), tiny_generation(decoder_layers=1)
    towers = scale.towers
    one_layer = {
        name: getattr(towers, name).model_copy(update={"layers": 1}) for name in ("siglip", "t5")
    }
    scale = scale.model_copy(update={"towers": towers.model_copy(update=one_layer)})
    model, batch = build_phase4(scale, generation), full_batch(generation)
    gradients = []
    for compiled in (False, True):
        if compiled:
            recompute_activations(model)
            compile_layers(model)
        losses = model.train()(batch)
        torch.stack(list(losses.values())).sum().backward()
        gradients.append({name: p.grad.clone() for name, p in model.named_parameters()})
        model.zero_grad()
    assert compiled_calls
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-4, atol=1e-5, msg=name)


def test_layers_are_compiled_for_every_modality_size_and_mode(monkeypatch):
    """Dynamo would leave what goes beyond its limit as it is, in silence but for a warning."""
    torch._dynamo.reset()
    monkeypatch.setattr(torch._dynamo.config, "fail_on_recompile_limit_hit", True)
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    model = build_clip_mer(clip_mer_scale(attention="sdpa"))
    expected = model.train()(clip_mer_batch(5))
    compile_layers(model)
    for size in (6, 5):
        losses = model.train()(clip_mer_batch(size))
        torch.stack(list(losses.values())).sum().backward()
        if size == 5:
            torch.testing.assert_close(losses, expected, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        model.eval().encode_query(query_parts(clip_mer_batch(3)))
    torch._dynamo.reset()
