"""The benchmarks of steps, at sizes that take a moment: they run, and their sides agree."""

from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.mark.parametrize("form", ["clean", "masked"])
def test_losses_and_gradients_of_irra_equal_the_plain_ones(benchmarks, form):
    import irra_step

    sides = {
        name: irra_step.Side(name, form, batch_size=6, tiny=True)
        for name in ("plain", "plain, captions trimmed", "plain, masked scores only", "ours")
    }
    irra_step.check_losses(sides, form)
    squares = []
    for side in sides.values():
        sum(side.step.model(side.batch).values()).backward()
        gradients = (p.grad for p in side.step.model.parameters() if p.grad is not None)
        squares.append(sum(gradient.square().sum() for gradient in gradients))
    torch.testing.assert_close(torch.stack(squares), squares[0].expand(4), rtol=1e-3, atol=0)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("system", ["irra", "phase4", "clip_mer", "t2i_reid"])
def test_gpu_step_runs_anywhere(benchmarks, system, fused):
    import gpu_step

    params = gpu_step.base_params(4, "bf16", checkpointing=True, tiny=True)
    beginning, seconds, tflops, gib = gpu_step.measure(
        system, params, torch.device("cpu"), compiled="off", fused=fused, steps=1
    )
    assert beginning > 0
    assert seconds > 0
    assert tflops > 0
    assert gib == 0


def test_trimmed_captions_have_the_embeddings_of_padded_ones(benchmarks, monkeypatch, capsys):
    import text_encoding

    published = text_encoding.published
    clip = published("clip text", "openai/clip-vit-base-patch16")
    clip.update({"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2})
    t5 = published("t5 text", "google-t5/t5-base")
    t5.update({"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2})
    small = {"clip text": clip, "t5 text": t5}
    monkeypatch.setattr(text_encoding, "published", lambda kind, name: small[kind])
    text_encoding.main(count=20, batch_size=6, rounds=1)
    assert capsys.readouterr().out.count("embeddings equal") == 2 * 2 * 3


def test_huge_pages_leave_the_losses_as_they_are(benchmarks, monkeypatch, capsys):
    import huge_pages

    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    huge_pages.main(rounds=1, steps=1)
    assert capsys.readouterr().out.count("losses equal") == len(huge_pages.SYSTEMS)
