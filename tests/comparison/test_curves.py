import pytest

from ubg.comparison.curves import draw_learning, read_curves, selected_epoch
from ubg.comparison.ladder import rung


def test_the_first_of_the_best_epochs_is_the_selected_one():
    assert selected_epoch({1: 20.0, 2: 50.0, 3: 50.0}) == 2


def test_curves_are_read_by_epoch_and_a_damaged_one_is_named(tmp_path):
    (tmp_path / "val_r1.tsv").write_text("step\tval_r1\n1\t20.0\n2\t50.5\n")
    assert read_curves(tmp_path) == {"val_r1": {1: 20.0, 2: 50.5}}
    (tmp_path / "val_r1.tsv").write_text("step\tval_r1\none\t20.0\n")
    with pytest.raises(ValueError, match=r"val_r1\.tsv: is no curve"):
        read_curves(tmp_path)


def test_each_system_is_drawn_in_its_colour_over_its_epochs(tmp_path, monkeypatch):
    drawn = {}

    def spy(self, *arguments, **options):
        for line in self.axes[0].get_lines()[::2]:
            drawn[line.get_label()] = (line.get_color(), list(line.get_xdata()))

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", spy)
    r1 = {"phase1": {1: 20.0, 2: 50.0}, "irra": {1: 30.0, 2: 10.0}}
    draw_learning(tmp_path / "learning.png", r1, "drawn data")
    assert drawn == {name: (rung(name).colour, [1, 2]) for name in r1}
