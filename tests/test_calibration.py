"""How high the best score is without the person: measured in blocks, kept in a file."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ubg import calibration as module
from ubg.calibration import (
    Calibration,
    calibrate,
    calibration_of,
    open_set_best,
    read_calibration,
    write_calibration,
)
from ubg.model_fingerprint import codes_fingerprint, model_fingerprint


@pytest.fixture
def model(tmp_path):
    for name in ("model", "model_generator"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(name)
    return tmp_path / "model"


def test_by_hand():
    scores_TI = np.array([[0.9, 0.2, 0.1], [0.3, 0.8, 0.4], [0.5, 0.6, 0.7]])
    best = open_set_best(scores_TI, np.eye(3), np.array([0, 1, 5]), np.array([0, 1, 1]))
    assert best.tolist() == [0.2, 0.3, 0.7]
    measured = Calibration(fingerprint="x", images=2, cosine=best.tolist(), both=[])
    shares = [measured.share(score, False) for score in (0.1, 0.2, 0.25, 0.7, 0.71)]
    assert shares == pytest.approx([1, 1, 2 / 3, 1 / 3, 0])


def drawn(captions, images, persons):
    generator = np.random.default_rng(captions)
    split = SimpleNamespace(
        text_pids=generator.integers(0, persons, captions),
        image_pids=generator.integers(0, persons, images),
    )
    text_QD, image_GD = (
        torch.from_numpy(generator.standard_normal((rows, 6), np.float32))
        for rows in (captions, images)
    )
    features = SimpleNamespace(text_QD=text_QD, image_GD=image_GD)
    return split, features, generator.standard_normal((captions, images), np.float32)


def naive(split, features, added_TI):
    """A loop over captions and over the images of others."""
    best = []
    for t, pid in enumerate(split.text_pids):
        scores = [
            float(features.text_QD[t] @ image_D) + added_TI[t, i]
            for i, image_D in enumerate(features.image_GD)
            if split.image_pids[i] != pid
        ]
        best += [max(scores)] if scores else []
    return sorted(best)


@pytest.mark.parametrize("persons", [5, 1])
@pytest.mark.parametrize("pairs", [1, 70, 10**6])
def test_blocks_find_what_a_loop_finds(model, monkeypatch, persons, pairs):
    monkeypatch.setattr(module, "BLOCK_PAIRS", pairs)
    split, features, added_TI = drawn(captions=23, images=17, persons=persons)
    before = added_TI.copy()
    found = calibrate(split, features, added_TI, model)
    assert found.cosine == pytest.approx(naive(split, features, 0 * added_TI), abs=1e-5)
    assert found.both == pytest.approx(naive(split, features, added_TI), abs=1e-5)
    others = (split.text_pids[:, None] != split.image_pids).sum(axis=1)
    assert found.images == round(others.mean())
    np.testing.assert_array_equal(added_TI, before)


def test_it_says_of_which_model_and_second_score_it_is(model):
    split, features, added_TI = drawn(captions=3, images=4, persons=3)
    alone, both = (calibrate(split, features, added, model) for added in (None, added_TI))
    assert alone.fingerprint == both.fingerprint == model_fingerprint(model)
    assert (alone.codes, alone.both) == (None, [])
    assert both.codes == codes_fingerprint(model)


def test_it_lies_beside_the_folder_of_its_model_however_that_is_named(model, monkeypatch):
    path = model.parent / "model_calibration.json"
    monkeypatch.chdir(model)
    for name in (model, model / "../model", Path(), Path("../model")):
        assert calibration_of(name).resolve() == path
    (model.parent / "link").symlink_to(model)  # as evaluation finds what its stage declares
    assert calibration_of(model.parent / "link").name == "link_calibration.json"
    assert read_calibration(path) is None
    written = calibrate(*drawn(captions=9, images=8, persons=4), model)
    write_calibration(path, written)
    assert read_calibration(path) == written


def test_one_from_before_second_scores_were_named_is_read(tmp_path):
    path = tmp_path / "calibration.json"
    path.write_text('{"fingerprint": "x", "images": 3, "cosine": [0.5], "both": [0.7]}')
    assert read_calibration(path).codes is None


@pytest.mark.parametrize("text", ["", "{}", '{"cosine": [', "[" * 10**5, "\xff", '{"images": "a"}'])
def test_a_damaged_one_is_a_line_that_names_the_file(tmp_path, text):
    path = tmp_path / "model_calibration.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"model_calibration\.json: cannot be read") as caught:
        read_calibration(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
