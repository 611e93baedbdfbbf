"""The data: how much there is, what is odd in it, and a few people of it."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ubg.data.prepared import NO_IMAGE, PREPARED
from ubg.report.pictures import crop_uri
from ubg.report.section import Section, plain
from ubg.report.sources import Sources
from ubg.runtime.faults import first_fault
from ubg.runtime.opening import Kind, read_json, read_text

SHOWN = 6
LINES = 30  # of remarks and of oddities, at most
TO_LOOK_AT = "## To look at before training"
PACKED = Path("plots/images/report.md")
AGAIN = "run its stage again"


class _Part(BaseModel):
    model_config = ConfigDict(strict=True)


class _Counts(_Part):
    images: int
    identities: int
    captions: int


class _Spread(_Part):
    min: int
    median: float
    max: int


class _Oddity(_Part):
    name: str
    counts: dict[str, int]
    example: str


class _Report(_Part):
    """What the report of the preparation is asked for."""

    layout: str
    records: int
    splits: dict[str, _Counts]
    distributions: dict[str, dict[str, _Spread | None]]
    notes: list[str]
    oddities: list[_Oddity]


def dataset_section(sources: Sources) -> Section:
    """What the reports of the first stages say, in short.

    Raises:
        ValueError: one of them is missing or holds something else.
    """
    report = read_report(PREPARED / "report.json")
    odd = [one for one in report["oddities"] if any(one["counts"].values())]
    examples, pictures = _examples(sources)
    data = {
        "layout": plain(report["layout"]),
        "records": report["records"],
        "splits": report["splits"],
        "distributions": report["distributions"],
        "remarks": _remarks(read_markdown(PREPARED / "report.md")),
        "notes": [plain(note) for note in report["notes"][:LINES]],
        "oddities": [
            {"what": plain(one["name"]), "counts": one["counts"], "first": plain(one["example"])}
            for one in odd[:LINES]
        ],
        "images": _table(read_markdown(PACKED)),
        "size": [sources.pack.height, sources.pack.width],
        "examples": examples,
    }
    return Section("dataset", "The data", data, pictures=pictures)


def _examples(sources: Sources) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """People of the test split at even distances."""
    rows = sources.test[(sources.test["image_id"] != NO_IMAGE) & (sources.test["caption"] != "")]
    rows = rows.drop_duplicates("pid").sort_values("pid")
    rows = rows.iloc[:: max(1, len(rows) // SHOWN)].head(SHOWN)
    examples, pictures = [], {}
    for image, caption in zip(rows["image_id"].tolist(), rows["caption"], strict=True):
        examples.append({"image": image, "caption": plain(caption)})
        pixels = sources.picture(image)
        assert pixels is not None
        pictures[str(image)] = crop_uri(pixels)
    return examples, pictures


def _remarks(report: str) -> list[str]:
    """The lines of what is to be looked at before training."""
    _, _, behind = report.partition(TO_LOOK_AT)
    lines = behind.partition("\n## ")[0].splitlines()
    return [
        plain(line[2:].replace("**", "").replace("`", "")) for line in lines if line[:2] == "- "
    ]


def _table(report: str) -> list[list[str]]:
    """The rows of two cells of the only table of a report."""
    lines = [line for line in report.splitlines() if line.startswith("| ") and line[2:3] != "|"]
    cells = [
        [plain(cell.replace("`", "")) for cell in line.strip("| ").split(" | ")] for line in lines
    ]
    return [row for row in cells if len(row) == 2]


def read_report(path: Path) -> dict[str, Any]:
    """The report of the preparation.

    Raises:
        ValueError: it is missing or holds something else; one line.
    """
    try:
        report = read_json(path)
        _Report.model_validate(report)
    except ValidationError as error:
        raise ValueError(f"{path}: {first_fault(error)}; {AGAIN}") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read ({error}); {AGAIN}") from None
    return report


def read_markdown(path: Path) -> str:
    """A report that an earlier stage wrote; raises as `read_report`."""
    try:
        return read_text(path, Kind.CONFIG)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read ({error}); {AGAIN}") from None
