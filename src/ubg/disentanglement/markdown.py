"""All that was measured, to read."""

from collections.abc import Mapping
from pathlib import Path

from ubg.disentanglement.cka import Alignment
from ubg.disentanglement.compare import Difference
from ubg.disentanglement.tables import MEASURES, Row
from ubg.figures.forest import difference_cell, why_missing
from ubg.retrieval.bootstrap import Interval

NOTE = (
    "Balanced accuracy of probes fitted on validation persons and asked about test persons, mean "
    "over attributes; and image-to-image retrieval of a person in another outfit, and of an outfit "
    "on another person. Percent, with 95 % intervals over persons; every model was trained once."
)


def write_markdown(
    path: Path,
    title: str,
    rows: list[Row],
    chance_of: Mapping[str, float],
    alignments: Mapping[str, Alignment],
    differences: list[Difference],
) -> None:
    """Write three tables: values, alignments, and the first model less each other one.

    Args:
        path: the file to write.
        title: above.
        rows: of each embedding of each model.
        chance_of: by measure, what is reached without looking.
        alignments: by model, those that have two branches.
        differences: of the first model.
    """
    shown = [measure for measure in MEASURES if any(measure in row.values for row in rows)]
    lines = [f"# {title}", "", NOTE, ""]
    lines += _header(["model", "embedding", *(MEASURES[measure] for measure in shown)])
    for row in rows:
        lines.append(
            _line(row.model, row.embedding, *(_cell(row.values.get(one)) for one in shown))
        )
    chances = (f"{chance_of[one]:.1f}" if one in chance_of else "–" for one in shown)
    lines += [_line("chance", "", *chances), ""]
    for model, found in alignments.items():
        lines += [
            f"Debiased CKA of the two branches of {model}: {found.cka:+z.3f}; 95 % of permutations "
            f"lie in [{found.low:+z.3f}, {found.high:+z.3f}].",
            "",
        ]
    if differences:
        lines += [f"## {rows[0].model} less the others, in points", ""]
        lines += _header(["embedding", "less", *(MEASURES[measure] for measure in shown)])
    compared: dict[tuple[str, str], dict[str, Interval]] = {}
    for one in differences:
        compared.setdefault((one.embedding, one.other), {})[one.measure] = one.interval
    for names, of in compared.items():
        lines.append(_line(*names, *(difference_cell(of[m]) if m in of else "–" for m in shown)))
    missing = why_missing(interval for row in rows for interval in row.values.values())
    path.write_text("\n".join([*lines, "", *missing]).rstrip() + "\n", encoding="utf-8")


def _cell(found: Interval | None) -> str:
    if found is None:
        return "–"
    if found.ends is None:
        return f"{found.mean:.1f}"
    return f"{found.mean:.1f} [{found.ends[0]:.1f}, {found.ends[1]:.1f}]"


def _header(cells: list[str]) -> list[str]:
    return [_line(*cells), _line(*["---"] * len(cells))]


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
