"""The stages of `dvc.yaml` and what passes between them, as a picture for the README.

`python -m ubg.comparison.pipeline_graph docs/pipeline.png`, in the root of the project.
"""

import argparse
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ubg.comparison.ladder import rung
from ubg.figures.style import FAINT, INK, figure
from ubg.runtime.pipeline import read_stages
from ubg.systems import system_names

if TYPE_CHECKING:
    from networkx import DiGraph

COLUMN, ROW = 2.05, 0.85
BOX = (1.8, 0.52)


def read_graph(root: str | Path) -> "DiGraph[str]":
    """Stages as nodes, with their outputs under `outs`; an edge where one reads another's output.

    Edges that a longer path implies are left out, and so are stages that are repeated for every
    value of a list, and those of data that no stage reads, such as of a data set not in use.

    Args:
        root: the folder of `dvc.yaml` and `params.yaml`.

    Raises:
        ValueError: see `read_stages`.
    """
    import networkx

    stages = {name: stage for name, stage in read_stages(root).items() if not stage.repeated}
    graph = networkx.DiGraph()
    graph.add_nodes_from(stages)
    for name, stage in stages.items():
        for dependency in map(PurePosixPath, stage.deps):
            makers = (
                maker
                for maker in stages
                if any(dependency.is_relative_to(out) for out in stages[maker].outs)
            )
            graph.add_edges_from((maker, name) for maker in makers)
    reduced = networkx.transitive_reduction(graph)
    reduced.remove_nodes_from(list(networkx.isolates(reduced)))
    for name in reduced:
        reduced.nodes[name]["outs"] = stages[name].outs
    return reduced


def draw_graph(path: str | Path, graph: "DiGraph[str]") -> None:
    """Draw the stages from left to right, each as far right as its readers allow."""
    columns = _columns(graph)
    routed = _with_waypoints(graph, columns)
    rows = _rows(routed, columns)
    top, bottom, right = min(rows.values()), max(rows.values()), max(columns.values())
    with figure(path, (right + 1) * COLUMN, (bottom - top + 1) * ROW) as drawing:
        axes = drawing.add_subplot()
        axes.set_axis_off()
        axes.set_xlim(-0.5 * COLUMN, (right + 0.5) * COLUMN)
        axes.set_ylim((bottom + 0.5) * ROW, (top - 0.5) * ROW)
        for start, end in routed.edges:
            place_of_start, place_of_end = (columns[start], rows[start]), (columns[end], rows[end])
            _line(axes, place_of_start, place_of_end, arrow=end in graph)
        for name in routed:
            if name in graph:
                _box(axes, (columns[name], rows[name]), name, graph.nodes[name]["outs"][0])
            else:
                _through(axes, (columns[name], rows[name]))


def _columns(graph: "DiGraph[str]") -> dict[str, int]:
    """Column of every stage from the left."""
    import networkx

    layers = list(networkx.topological_generations(graph.reverse()))
    return {
        name: len(layers) - 1 - steps_to_end
        for steps_to_end, layer in enumerate(layers)
        for name in layer
    }


def _with_waypoints(graph: "DiGraph[str]", columns: dict[str, int]) -> "DiGraph[str]":
    """The graph with edges between neighbouring columns only; `columns` gets the waypoints too.

    A stage has one waypoint in each column that its edges cross, however many stages further right
    read its outputs, so that no line runs behind a box.
    """
    import networkx

    routed = networkx.DiGraph()
    routed.add_nodes_from(graph)
    for maker, reader in graph.edges:
        start = maker
        for column in range(columns[maker] + 1, columns[reader]):
            waypoint = f"{maker} through {column}"
            columns[waypoint] = column
            routed.add_edge(start, waypoint)
            start = waypoint
        routed.add_edge(start, reader)
    return routed


def _rows(routed: "DiGraph[str]", columns: dict[str, int]) -> dict[str, float]:
    """Row of every node from the top: level with the mean of its readers, one below the other."""
    rows: dict[str, float] = {}
    for column in sorted(set(columns.values()), reverse=True):
        wanted = {
            name: sum(rows[reader] for reader in routed[name]) / max(1, routed.out_degree(name))
            for name in routed
            if columns[name] == column
        }
        top = sum(wanted.values()) / len(wanted) - (len(wanted) - 1) / 2
        for place, name in enumerate(sorted(wanted, key=lambda name: wanted[name])):
            rows[name] = top + place
    return rows


def _line(axes: Any, start: tuple[int, float], end: tuple[int, float], arrow: bool) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Curve

    x0, y0 = start[0] * COLUMN + BOX[0] / 2, start[1] * ROW
    x1, y1 = end[0] * COLUMN - BOX[0] / 2, end[1] * ROW
    bend = (x1 - x0) / 2
    points = [(x0, y0), (x0 + bend, y0), (x1 - bend, y1), (x1, y1)]
    curve = Curve(points, [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4])
    style = "-|>" if arrow else "-"
    axes.add_patch(
        FancyArrowPatch(path=curve, arrowstyle=style, mutation_scale=10, color=FAINT, linewidth=1.2)
    )


def _through(axes: Any, place: tuple[int, float]) -> None:
    x, y = place[0] * COLUMN, place[1] * ROW
    axes.plot([x - BOX[0] / 2, x + BOX[0] / 2], [y, y], color=FAINT, linewidth=1.2)


def _box(axes: Any, place: tuple[int, float], name: str, output: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y = place[0] * COLUMN, place[1] * ROW
    _, _, system = name.partition("_")
    axes.add_patch(
        FancyBboxPatch(
            (x - BOX[0] / 2, y - BOX[1] / 2),
            *BOX,
            boxstyle="round,pad=0,rounding_size=0.08",
            facecolor="white",
            edgecolor=rung(system).colour if system in system_names() else INK,
            linewidth=1.8,
        )
    )
    size = min(9.5, 190 / len(name))  # so that a long one stays in its box
    axes.text(x, y - 0.09, name, ha="center", va="center", fontsize=size, weight="bold")
    axes.text(x, y + 0.12, output, ha="center", va="center", fontsize=8, color="#555555")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="the PNG to write")
    draw_graph(parser.parse_args().output, read_graph("."))
