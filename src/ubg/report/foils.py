"""Foils by kind of fact, and pairs of pictures whose captions have the same words."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from ubg.comparison.foils_figure import (
    ATTRIBUTE,
    PARAPHRASE,
    Series,
    cases_of,
    intervals_by_kind,
    require_same_cases,
    series_of,
    steps_by_kind,
)
from ubg.comparison.ladder import rung
from ubg.figures.style import FAINT
from ubg.foils.cases import BINDING, FOILS, TESTS, image_path, read_cases
from ubg.foils.measuring.judge import CHANCE
from ubg.report.drawing import draw
from ubg.report.pictures import crop_uri, read_picture
from ubg.report.section import Section, plain, ready
from ubg.report.sources import Sources
from ubg.retrieval.bootstrap import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAIRS = 3
LEADING = (ATTRIBUTE, BINDING, PARAPHRASE)  # of the steps


def foils_section(sources: Sources) -> Section | None:
    """What every row of the ladder gets right; None where there is no case."""
    results = sources.foils
    require_same_cases(results)
    any_results = next(iter(results.values()))
    if not any_results.right:
        return None
    measure = "caption" if "caption" in any_results.right else "group"
    series = series_of(results, measure)
    intervals = intervals_by_kind(any_results, series)
    if not intervals:
        return None
    steps = steps_by_kind(any_results, series)
    kinds = any_results.kinds
    pairs, pictures = _pairs(series)
    data = {
        "tests": TESTS[measure == "group"],
        "measure": measure,
        "chance": CHANCE,
        "rows": [one.row for one in series],
        "kinds": [
            {
                "kind": kind,
                "cases": int(cases_of(kind, kinds).sum()),
                "right": {row: ready(found) for row, found in by_row.items()},
            }
            for kind, by_row in intervals.items()
        ],
        "steps": [
            {
                "step": step,
                "differences": {
                    kind: {**(ready(by_kind[kind]) or {}), "differs": by_kind[kind].excludes_zero}
                    for kind in LEADING
                    if kind in by_kind
                },
            }
            for step, by_kind in steps.items()
        ],
        "pairs": pairs,
    }
    shown = [kind for kind in intervals if kind != PARAPHRASE]
    half = (len(shown) + 1) // 2
    drawings = {}
    for name, some in (("first", shown[:half]), ("second", shown[half:])):
        if some:
            drawings[name] = _kinds({kind: intervals[kind] for kind in some}, name, CHANCE[measure])
    title = "Foils: one fact differs"
    return Section("foils", title, data, drawings, pictures)


def _pairs(series: list[Series]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Cases of binding that tell most rows apart, with what each row makes of them."""
    cases, _ = read_cases(FOILS)
    right_RC = np.array([one.leading for one in series])
    chosen = [place for place, case in enumerate(cases) if case.foil_image is not None]
    chosen = [place for place in chosen if cases[place].kind == BINDING]
    # Half right, half wrong tells most; of equals the first.
    chosen.sort(key=lambda place: abs(2 * int(right_RC[:, place].sum()) - len(series)))
    pairs, pictures = [], {}
    for place in chosen[:PAIRS]:
        case = cases[place]
        assert case.foil_image is not None
        for number in (case.image, case.foil_image):
            pictures[str(number)] = crop_uri(np.asarray(read_picture(image_path(FOILS, number))))
        pairs.append(
            {
                "captions": [plain(case.caption), plain(case.foil_caption)],
                "images": [case.image, case.foil_image],
                "right": {one.row: bool(one.leading[place]) for one in series},
            }
        )
    return pairs, pictures


def _kinds(intervals: Mapping[str, Mapping[str, Interval]], name: str, chance: float) -> Markup:
    rows = len(next(iter(intervals.values())))
    return draw(
        f"foils_{name}",
        f"Share of foils matched correctly by each row of the ladder: {', '.join(intervals)}",
        (4.4, 1.1 + len(intervals) * (0.1 + 0.055 * rows)),
        partial(_draw_kinds, intervals=intervals, chance=chance),
    )


def _draw_kinds(
    axes: "Axes", intervals: Mapping[str, Mapping[str, Interval]], chance: float
) -> None:
    axes.axvline(chance, color=FAINT, linestyle=":", label="chance", linewidth=1.2)
    rows = list(next(iter(intervals.values())))
    for place, row in enumerate(rows):
        offset = ((place + 0.5) / len(rows) - 0.5) * 0.8
        for height, by_row in enumerate(intervals.values()):
            found, colour = by_row[row], rung(row).colour
            if found.ends is not None:
                axes.plot(found.ends, [height + offset] * 2, color=colour, linewidth=1)
            label = row if height == 0 else None
            axes.plot(found.mean, height + offset, "o", color=colour, markersize=3, label=label)
    axes.set_yticks(range(len(intervals)), [kind.replace("_", " ") for kind in intervals])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(intervals) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.set_xlabel("matched correctly, %")
    axes.legend(loc="lower left", bbox_to_anchor=(-0.3, 1), ncols=3, borderpad=0, fontsize=8)
