"""What a file says of itself is cited in short, whatever its length."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from ubg.comparison.curves import read_curves
from ubg.comparison.system_metrics import SystemMetrics, read_metrics_file
from ubg.data.prepared import load_prepared
from ubg.report.kinds import kinds_section
from ubg.runtime.faults import key_of
from ubg.runtime.weights import misfit, read_shapes
from ubg.search.manifest import read_manifest
from ubg.systems.phase4.folder import read_size
from ubg.towers.pretrained import _three
from ubg.vqgan.model.folder import mismatch

LONG = "x\n" * 500_000


def linear(**more):
    return {"weight": torch.ones(2, 2), "bias": torch.ones(2)} | more


@pytest.mark.parametrize(
    "weights",
    [
        linear(**{LONG: torch.ones(1)}),
        linear(weight=torch.ones([1] * 5_000)),
        linear(weight=torch.ones(2, 2, dtype=torch.float16)),
        linear(bias=torch.ones(2, dtype=torch.int64)),
    ],
)
def test_weights_that_do_not_fit(tmp_path, weights):
    save_file(weights, tmp_path / "model.safetensors")
    told = misfit(torch.nn.Linear(2, 2), read_shapes(tmp_path / "model.safetensors", "advice"))
    assert told is not None
    assert len(told) < 300
    assert "\n" not in told


def test_weights_that_fit(tmp_path):
    save_file(linear(), tmp_path / "model.safetensors")
    shapes = read_shapes(tmp_path / "model.safetensors", "advice")
    assert misfit(torch.nn.Linear(2, 2), shapes) is None


@pytest.mark.parametrize("more", [LONG, "weight"])
def test_weights_of_a_vqgan(more):
    weights = linear(**{more: torch.ones([1] * 60)})
    told = mismatch(torch.nn.Linear(2, 2), weights)
    assert told is not None
    assert len(told) < 400


@pytest.mark.parametrize("size", [LONG, [1] * 100_000, 10**4000, None, True, 1.5, 0])
def test_a_size_of_a_branch(tmp_path, size):
    with pytest.raises(ValueError, match=r"codes: .* is no size") as caught:
        read_size({"codes": size}, "codes", tmp_path)
    assert len(str(caught.value).replace(str(tmp_path), "")) < 300


def test_a_mean_of_pixels():
    with pytest.raises(ValueError, match=r"names \[1, .* as mean") as caught:
        _three([1] * 100_000, "source")
    assert len(str(caught.value)) < 300


def test_a_key_is_cited_as_it_is_or_printable_and_in_short():
    assert key_of(["network", "image", 0, "größe"]) == "network.image.0.größe"
    assert key_of([]) == ""
    assert key_of(["a", "\x1b[2J\n"]) == r"a.'\x1b[2J\n'"
    assert len(key_of(["a", LONG, "b"])) < 200


@pytest.mark.parametrize("key", [LONG, "\x1b[2J", "a\nb"])
def test_a_key_that_nobody_knows(tmp_path, key):
    manifest = {"format": 1, "model": "", "fingerprint": "", "dimension": 1, "codes": None}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {key: 1}))
    direction = dict.fromkeys(("r1", "r5", "r10", "map", "minp"), 1.0)
    part = {"t2i": direction, "i2t": direction}
    metrics = {"test": part, "val": part, "last": {"test": part}, "controls": {key: {key: "x"}}}
    (tmp_path / "irra.json").write_text(json.dumps(metrics))
    for read in (
        lambda: read_manifest(tmp_path),
        lambda: read_metrics_file(SystemMetrics, tmp_path / "irra.json", "again"),
    ):
        with pytest.raises(ValueError, match=r"json: ") as caught:
            read()
        assert str(caught.value).isprintable()
        assert len(str(caught.value).replace(str(tmp_path), "")) < 400


@pytest.mark.parametrize(
    ("file", "content", "read"),
    [
        ("annotations.csv", f'"split","pid"\n"val",{"9x" * 10**4}\n', load_prepared),
        ("val_r1.tsv", f"step\tval_r1\n1\t{'9x' * 10**4}\n", read_curves),
    ],
)
def test_a_cell_that_is_no_number(tmp_path, file, content, read):
    (tmp_path / file).write_text(content)
    with pytest.raises(ValueError, match=r"could not convert") as caught:
        read(tmp_path)
    assert len(str(caught.value).replace(str(tmp_path), "")) < 500


@pytest.mark.parametrize("cells", ["", f"TEXT,{'9x' * 10**4},1,1,1,1,1\n"])
def test_a_table_of_kinds_that_has_none_or_no_numbers(tmp_path, monkeypatch, cells):
    monkeypatch.chdir(tmp_path)
    path = Path("plots/clip_mer/kinds/kinds.csv")
    path.parent.mkdir(parents=True)
    path.write_text(f"kind,queries,r1,r5,r10,map,minp\n{cells}")
    found = SimpleNamespace(kinds={"score": 1.0})
    with pytest.raises(ValueError, match=rf"^{path}: cannot be read: (it has|invalid)") as caught:
        kinds_section(SimpleNamespace(metrics={"clip_mer": found}))
    assert len(str(caught.value)) < 500
