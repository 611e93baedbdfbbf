"""A run's own folder of checkpoints, and what a kill leaves of it."""

import shutil

import pytest

from ubg.runtime.checkpoint import checkpoint_folder


class Killed(BaseException):
    """Stands in for SIGKILL."""


def test_a_kill_while_checkpoints_are_removed_leaves_none_to_go_on_from(tmp_path, monkeypatch):
    """With `best/` gone and `state.pt` there, a rerun would believe itself finished."""
    monkeypatch.setenv("UBG_CHECKPOINTS", str(tmp_path))
    delete = shutil.rmtree

    def delete_best_alone(path, **options):
        delete(path / "best")
        raise Killed

    def run():
        with checkpoint_folder("phase1", "0" * 16) as folder:
            found = sorted(path.name for path in folder.iterdir())
            (folder / "best").mkdir()
            (folder / "state.pt").write_text("finished")
        return found

    monkeypatch.setattr(shutil, "rmtree", delete_best_alone)
    with pytest.raises(Killed):
        run()
    assert len(list(tmp_path.glob(".*.partial"))) == 1
    monkeypatch.setattr(shutil, "rmtree", delete)
    assert run() == []
    assert list(tmp_path.iterdir()) == []
