"""The few figures that DVC shows of an evaluation."""

import json

from ubg.evaluation.headline import headline, write_headline

ROW = {"r1": 60.812, "r5": 87.0, "r10": 92.0, "map": 58.749, "minp": 43.0}
OTHER = ROW | {"r1": 70.625, "map": 67.728}


def test_one_score():
    metrics = {"test": {"t2i": ROW, "i2t": OTHER}, "foils": {"binding": 23.2, "attribute": 34.0}}
    assert headline(metrics) == {"r1": 60.812, "map": 58.749, "binding": 23.2}


def test_two_scores_and_what_the_system_shows_of_its_own():
    metrics = {
        "test": {"t2i": ROW, "i2t": ROW, "t2i_generative": OTHER, "i2t_generative": ROW},
        "foils": {"binding": 23.2},
        "foils_generative": {"binding": 85.2},
        "kinds": {"score": 65.072},
    }
    assert headline(metrics, ("kinds.score", "absent.value")) == {
        "r1": 60.812,
        "map": 58.749,
        "r1_both": 70.625,
        "map_both": 67.728,
        "binding": 85.2,
        "score": 65.072,
    }


def test_two_digits_are_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_headline("toy", {"r1": 60.8127})
    assert json.loads((tmp_path / "metrics/short/toy.json").read_text()) == {"r1": 60.81}
