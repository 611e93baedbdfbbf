"""What a run makes of its params before it trains."""

import pandas as pd
import pytest
import sections

from ubg.training import run

ROWS = pd.DataFrame({"pid": [0, 0, 1, 1, 2, 2, 3, 3], "image_id": range(8)})


def sampler(monkeypatch, processes, rank=0, **settings):
    monkeypatch.setattr(run, "world_size", lambda: processes)
    monkeypatch.setattr(run, "rank", lambda: rank)
    return run.make_sampler(ROWS, sections.training(epochs=1, precision="fp32", **settings), seed=3)


@pytest.mark.parametrize(
    "settings", [{}, {"sampler": "identity", "images_per_identity": 2}], ids=["random", "identity"]
)
def test_processes_share_every_batch_in_order(monkeypatch, settings):
    whole = sampler(monkeypatch, 1, batch_size=4, **settings)
    shares = [sampler(monkeypatch, 2, rank, batch_size=4, **settings) for rank in range(2)]
    together = zip(*(share.epoch(0) for share in shares), strict=True)
    assert [[*first, *second] for first, second in together] == [list(b) for b in whole.epoch(0)]


@pytest.mark.parametrize(
    ("settings", "multiple"),
    [
        ({"batch_size": 4}, 3),
        ({"batch_size": 6, "sampler": "identity", "images_per_identity": 3}, 9),
    ],
)
def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch, settings, multiple):
    expected = (
        f"batch_size: {settings['batch_size']} cannot be shared by 3 .* multiple of {multiple}"
    )
    with pytest.raises(ValueError, match=expected):
        sampler(monkeypatch, 3, **settings)
