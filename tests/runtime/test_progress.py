import io

import pytest

from ubg.runtime.progress import progress_bar


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def log(monkeypatch, capsys):
    """What is written to a standard error output that is no terminal."""
    monkeypatch.delenv("DVC_STAGE", raising=False)
    return lambda: capsys.readouterr().err


def test_a_log_has_a_line_at_the_begin_and_one_at_the_end_of_a_short_bar(log):
    for _ in progress_bar("encoding", iterable=range(20_000), unit="image"):
        pass
    first, last = written = log().split("\n")[:-1]
    assert first.startswith("encoding:   0%")
    assert "20000/20000" in last
    assert not any("\r" in line for line in written)


def test_bars_beside_each_other_move_no_cursor_in_a_log(log):
    with progress_bar("left", total=1, position=0), progress_bar("right", total=1, position=1):
        pass
    lines = log().splitlines()
    assert [line.split(":")[0] for line in lines] == ["left", "right", "right", "left"]


def test_a_long_bar_writes_a_line_a_minute(log, monkeypatch):
    seconds = 0.0
    bar = progress_bar("encoding", total=300)
    monkeypatch.setattr(bar, "_time", lambda: bar.start_t + seconds)
    for _ in range(299):
        seconds += 1.0
        bar.update()
    assert len(log().splitlines()) == 1 + 4  # at 0, 60, 120, 180 and 240 seconds


def test_a_terminal_has_a_bar_that_is_redrawn(monkeypatch):
    screen = Screen()
    monkeypatch.setattr("sys.stderr", screen)
    with progress_bar("encoding", total=1) as bar:
        bar.update()
    assert screen.getvalue().count("\r") >= 2


def test_a_bar_is_named_after_the_stage_that_dvc_runs(log, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "evaluate_phase4")
    progress_bar("second score", total=1).close()
    assert log().startswith("evaluate_phase4, second score:")


def test_a_bar_that_is_off_writes_nothing(log):
    with progress_bar("encoding", total=1, disable=True) as bar:
        bar.update()
    assert log() == ""
