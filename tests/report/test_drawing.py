from ubg.report.drawing import draw


def test_black_follows_the_ink_of_the_page():
    def content(axes):
        axes.plot([0, 1], [0, 1], color="#000000")
        axes.barh([0], [1], color="#ff0000")

    drawn = draw("lines", "a line", (3, 2), content)
    assert "#000000" not in drawn
    assert "stroke: var(--ink)" in drawn
    assert "fill: #ff0000" in drawn
