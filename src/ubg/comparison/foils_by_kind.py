"""Every measure of the foils by kind of fact and row of the ladder: a CSV, and tables to read."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ubg.comparison.foils_figure import ATTRIBUTE, GENERATIVE, RESAMPLES, cases_of
from ubg.comparison.ladder import both_scores
from ubg.foils.cases import BINDING
from ubg.foils.measuring.judge import CHANCE
from ubg.foils.measuring.results import FoilResults
from ubg.retrieval.bootstrap import Interval, paired_bootstraps

Right: TypeAlias = NDArray[np.bool_]

ALL, TWIN_ERRORS = "all", "twin_errors"
HEADINGS = {
    "image_to_text": "Image to text: each of the two pictures prefers its own caption",
    "text_to_image": "Text to image: each of the two captions prefers its own picture",
    "paraphrase": "Paraphrase: the picture prefers its caption in other words to the foil caption",
    "twin_r1": "Twin R@1: the caption prefers its picture to the twin",
    TWIN_ERRORS: "Twin errors: where a wrong picture is at rank 1 among all, it is the twin",
}


@dataclass(frozen=True)
class Share:
    """The percent of some cases that a measure holds for, with its interval over persons."""

    kind: str
    system: str
    measure: str
    cases: int
    percent: Interval

    @property
    def above_chance(self) -> bool:
        """Whether the whole interval is above what a score at random gets."""
        ends = self.percent.ends
        return ends is not None and ends[0] > CHANCE.get(self.measure, np.inf)


def write_foils_by_kind(folder: Path, results: Mapping[str, FoilResults]) -> None:
    """Write `foils_by_kind.csv`, and its tables below what `write_foils` wrote to `foils.md`.

    Where there is no case, neither; where captions alone are changed, no table: theirs is there.

    Args:
        folder: of the comparison.
        results: by system, in the order of the ladder, all on the same cases.
    """
    shares = shares_by_kind(results)
    if not shares:
        return
    with (folder / "foils_by_kind.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        names = ["kind", "system", "measure", "cases", "chance", "percent", "low", "high"]
        table.writerow(names)
        for share in shares:
            chance = f"{CHANCE[share.measure]:.3f}" if share.measure in CHANCE else ""
            mean, ends = f"{share.percent.mean:.3f}", share.percent.ends
            low, high = ("", "") if ends is None else (f"{end:.3f}" for end in ends)
            place = [share.kind, share.system, share.measure]
            table.writerow([*place, share.cases, chance, mean, low, high])
    with (folder / "foils.md").open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in _tables(shares))


def shares_by_kind(results: Mapping[str, FoilResults]) -> list[Share]:
    """All shares that there is a case of, by kind."""
    rows = _measures_by_row(results)
    if not rows:
        return []
    cases = next(iter(results.values()))
    shares = []
    for kind in (ALL, ATTRIBUTE, BINDING, *sorted(set(cases.kinds.tolist()) - {BINDING})):
        every = kind == ALL
        chosen_C = np.ones(len(cases.kinds), np.bool_) if every else cases_of(kind, cases.kinds)
        right = {
            (row, name): known[name]
            for row, known in rows.items()
            for name in CHANCE
            if name in known
        }
        shares += _over(chosen_C, kind, right, cases.persons)
        for row, known in rows.items():
            if "twin_first" in known:
                errors = {(row, TWIN_ERRORS): known["twin_first"]}
                shares += _over(chosen_C & ~known["r1"], kind, errors, cases.persons)
    return shares


def _measures_by_row(results: Mapping[str, FoilResults]) -> dict[str, dict[str, Right]]:
    """What each row of the ladder got right, bool [C] by measure; no row without a measure."""
    rows = {
        row: {
            name: found.right[f"{name}{suffix}"]
            for name in (*CHANCE, "r1", "twin_first")
            if f"{name}{suffix}" in found.right
        }
        for system, found in results.items()
        for row, suffix in ((system, ""), (both_scores(system), GENERATIVE))
    }
    return {row: known for row, known in rows.items() if known}


def _over(
    chosen_C: Right, kind: str, right: Mapping[tuple[str, str], Right], person_C: NDArray[np.int64]
) -> list[Share]:
    """The shares of the chosen cases, by row and measure; none where none is chosen."""
    if not chosen_C.any():
        return []
    # One call for all: what takes time is drawing the persons, which they share.
    percent = {f"{row}: {name}": 100 * right_C[chosen_C] for (row, name), right_C in right.items()}
    intervals = paired_bootstraps(percent, person_C[chosen_C], RESAMPLES).values()
    count = int(chosen_C.sum())
    return [
        Share(kind, row, name, count, interval)
        for (row, name), interval in zip(right, intervals, strict=True)
    ]


def _tables(shares: list[Share]) -> list[str]:
    """A table per measure but those that `write_foils` has: a line per kind, a column per row."""
    systems = list(dict.fromkeys(share.system for share in shares))
    found = {(share.measure, share.kind, share.system): share for share in shares}
    if not any(measure in HEADINGS for measure, *_ in found):
        return []
    lines = [
        "",
        "## The other measures by kind",
        "",
        "Percent, bold where the whole interval is above chance; `foils_by_kind.csv` has the "
        "intervals and the numbers of cases.",
    ]
    for measure, heading in HEADINGS.items():
        kinds = list(dict.fromkeys(share.kind for share in shares if share.measure == measure))
        if not kinds:
            continue
        chance = f", chance {CHANCE[measure]:.0f}" if measure in CHANCE else ""
        lines += ["", f"{heading}{chance}.", ""]
        lines += [_line(["kind", *systems]), _line(["---", *["---:"] * len(systems)])]
        for kind in kinds:
            cells = [_cell(found.get((measure, kind, system))) for system in systems]
            lines.append(_line([kind.replace("_", " "), *cells]))
    return lines


def _cell(share: Share | None) -> str:
    if share is None:
        return "–"
    value = f"{share.percent.mean:.1f}"
    return f"**{value}**" if share.above_chance else value


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
