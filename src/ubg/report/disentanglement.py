"""Who somebody is, and what they wear: what was read off embeddings and found by them."""

import csv
from pathlib import Path
from typing import Any

from ubg.report.pictures import sheet_uri
from ubg.report.section import Section, plain
from ubg.report.sources import Sources
from ubg.runtime.opening import Kind, read_text

FOLDER = Path("plots/disentanglement")
COLUMNS = {  # measures, and what their columns are called
    "linear body": "body",
    "linear clothing": "clothing",
    "person r1": "same person, other outfit: R@1",
    "outfit r1": "same outfit, other person: R@1",
}


def disentanglement_section(sources: Sources) -> Section | None:
    """The table of all embeddings; None where the data set does not allow it or it was not run."""
    path = FOLDER / "measures.csv"
    if not path.exists():
        return None
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    chance: dict[str, float] = {}
    try:
        for line in csv.DictReader(read_text(path, Kind.TABLE).splitlines(), strict=True):
            if line["measure"] not in COLUMNS:
                continue
            values = {name: _number(line[name]) for name in ("value", "low", "high")}
            rows.setdefault((line["model"], line["embedding"]), {})[line["measure"]] = values
            if (by_chance := _number(line["chance"])) is not None:
                chance[line["measure"]] = by_chance
    except (OSError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: cannot be read: {str(error)[:300]}; run `dvc repro evaluate_disentanglement`"
        ) from None
    data = {
        "columns": {key: title for key, title in COLUMNS.items() if key in chance},
        "rows": [
            {"embedding": plain(_name(model, embedding)), "values": values}
            for (model, embedding), values in rows.items()
        ],
        "chance": chance,
    }
    picture = {"sheet": sheet_uri(FOLDER / "disentanglement.png")}
    return Section("disentanglement", "Who somebody is, and what they wear", data, {}, picture)


def _name(model: str, embedding: str) -> str:
    """The only embedding of a model is called after it."""
    return model if embedding == "embedding" else f"{model}, {embedding}"


def _number(text: str) -> float | None:
    return float(text) if text else None
