"""Which codes the branch is given, and what is refused."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from tiny_models import CODES, PATCHES, MemoryTokens

from ubg.systems.phase4 import codes as module
from ubg.systems.phase4.codes import training_ids


def test_training_ids_are_those_of_both_sides_of_training_images():
    tokens = MemoryTokens(5)
    table = pd.DataFrame({"split": ["train", "train", "val", "train"], "image_id": [3, 3, 1, 0]})
    expected = np.concatenate([tokens.ids_N2L[[0, 3], 0], tokens.ids_N2L[[0, 3], 1]])
    np.testing.assert_array_equal(training_ids(tokens, table), expected)
    assert expected.shape == (4, PATCHES)


def test_codes_of_another_vqgan_are_refused(tmp_path, monkeypatch):
    from ubg.vqgan.codes.store import Origin, write_vq_tokens

    path = tmp_path / "vq_tokens.h5"
    origin = Origin(
        codes=CODES,
        rows=4,
        columns=2,
        height=64,
        width=32,
        vqgan="then",
        image_pack="pack",
        precision="fp32",
        changed_share=0.0,
    )
    write_vq_tokens(path, MemoryTokens(3).ids_N2L, np.arange(3), origin)
    monkeypatch.setattr(module, "VQ_TOKENS", path)
    monkeypatch.setattr(module, "vqgan_fingerprint", lambda folder: "now")
    pack = SimpleNamespace(fingerprint="pack", height=64, width=32)
    with pytest.raises(ValueError, match=r"another VQGAN \(then, now now\)"):
        module.open_tokens(pack)
    monkeypatch.setattr(module, "vqgan_fingerprint", lambda folder: "then")
    assert len(module.open_tokens(pack)) == 3
