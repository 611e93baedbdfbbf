"""The report of a data set's annotations, to read before a week of training."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ubg.data.annotations.counts import COUNTED, Difference, count_splits
from ubg.data.annotations.noise import TEXTS
from ubg.dataset_report.distributions import Distributions, distributions, histogram, summary
from ubg.dataset_report.oddities import (
    CHARACTERS_SHOWN,
    caption_oddities,
    image_oddities,
    odd_characters,
)
from ubg.dataset_report.percent import percent

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

LISTED = 12
NOTES_SHOWN = 50
CHECKED = (
    "Checked, or there would be no report: every image is a file below the folder of images, no "
    "identity is in two splits, no image has two identities, no caption is blank, every record of "
    "the training split has an image and a caption."
)


def describe(
    table: "pd.DataFrame",
    read: Mapping[Any, Any],
    tokens: "NDArray[np.int64]",
    max_tokens: int,
) -> tuple[dict[str, Any], Distributions]:
    """What the table holds and what is odd in it, ready for JSON, and what the figure shows.

    Args:
        table: as `read_annotations` returns it, perhaps with a validation split carved.
        read: the `attrs` that it returned with it.
        tokens: of the Q rows that have a caption, [Q], see `count_tokens`.
        max_tokens: longer captions are cut.
    """
    queries = table[table["caption"] != ""]
    found = distributions(table, queries, tokens)
    oddities = [
        *caption_oddities(queries, tokens, max_tokens),
        *image_oddities(table, read["repeated"]),
    ]
    report = {
        "layout": read["layout"],
        "records": read["records"],
        "splits": count_splits(table),
        "raw_ids": {
            split: _range_of_ids(list(rows["raw_id"].unique()))
            for split, rows in table.groupby("split", sort=False)
        },
        "max_tokens": max_tokens,
        "captions_per_image": histogram(found.captions_per_image),
        "images_per_identity": histogram(found.images_per_identity),
        "distributions": {
            name: {split: summary(values) for split, values in by_split.items()}
            for name, by_split in vars(found).items()
        },
        "oddities": [asdict(oddity) for oddity in oddities],
        "odd_characters": odd_characters(queries["caption"].tolist()),
        "texts": {
            name: {"rows": len(table), "with": int((table[name] != "").sum())}
            for name in TEXTS[1:]
            if name in table
        },
        "modalities": _modalities(table),
        "notes": read["notes"],
    }
    return report, found


def markdown(title: str, report: dict[str, Any], figure: str) -> str:
    """The report as text, with the figure in the file `figure` beside it."""
    sections = (
        _counts(report),
        _to_look_at(report),
        _notes(report),
        _oddities(report),
        _characters(report),
        _distributions(report, figure),
    )
    lines = [f"# {title}: annotations", ""]
    for section in sections:
        written = [*section]
        lines += [*written, ""] if written else []
    return "\n".join(lines[:-1]) + "\n"


def _counts(report: dict[str, Any]) -> Iterator[str]:
    differing = [Difference(**difference) for difference in report["differences"]]
    yield f"{report['records']:,} records of the layout `{report['layout']}`."
    if report["version"] is None:
        yield "No published counts are known to check them against."
    elif not differing:
        yield f"The counts are those of the version {report['version']!r}."
    else:
        yield f"**The counts are not those of the version {report['version']!r}**, and accepted:"
        yield from ("", *(f"- {difference.words()}" for difference in differing))
    yield from ("", f"| split | {' | '.join(COUNTED)} | identities in the files |")
    yield f"|---|{'---:|' * len(COUNTED)}---|"
    for split, counts in report["splits"].items():
        cells = [f"{counts[what]:,}" for what in COUNTED]
        yield f"| {split} | {' | '.join(cells)} | {report['raw_ids'][split]} |"
    if report["modalities"]:
        listed = ", ".join(f"{name} {count:,}" for name, count in report["modalities"].items())
        yield from ("", f"Images by modality: {listed}.")
    if queries := report["queries"]:
        yield (
            f"Queries of one or several modalities, in `queries.csv`: {sum(queries.values()):,} of "
            f"{len(queries)} kinds."
        )
    yield from ("", CHECKED)


def _to_look_at(report: dict[str, Any]) -> Iterator[str]:
    yield from ("## To look at before training", "")
    remarks = [*_remarks(report)]
    yield from (f"- {remark}" for remark in remarks)
    if not remarks and not report["notes"]:
        yield "Nothing stands out."
    elif not remarks:
        yield "Only what the reader says."


def _remarks(report: dict[str, Any]) -> Iterator[str]:
    odd = {oddity["name"]: oddity["counts"] for oddity in report["oddities"]}
    limit = report["max_tokens"]
    if cut := sum(odd[f"captions cut at {limit} tokens"].values()):
        share = 100 * cut / sum(counts["captions"] for counts in report["splits"].values())
        yield (
            f"Captions longer than the {limit} tokens that the text encoder takes, by CLIP's "
            f"encoding: {cut:,} ({percent(share)}). Their end is not read."
        )
    if shared := odd["captions shared by several identities"]["train"]:
        yield (
            f"Training captions that are written for several identities: {shared:,}. In one batch "
            "they count as negatives of images that they describe."
        )
    if shared := odd["captions shared by several splits"]["test"]:
        yield f"Test captions that are also written in another split: {shared:,}."
    if single := odd["identities with one image"]["train"]:
        yield (
            f"Training identities with one image: {single:,}. `sampler: identity` repeats it "
            "within a batch."
        )
    if broken := sum(odd["captions with lone surrogates"].values()):
        yield f"Captions that were decoded wrongly and hold halves of characters: {broken:,}."
    if lacking := odd["identities without an image"]["test"]:
        yield f"Test identities without an image: {lacking:,}. Their captions find nobody."
    for split in ("val", "test"):
        if silent := odd["identities without a caption"][split]:
            yield (
                f"{split.capitalize()} identities that no caption describes: {silent:,}. Their "
                "images are distractors: searched among, and no queries from image to text."
            )
    for name, texts in report["texts"].items():
        if missing := texts["rows"] - texts["with"]:
            yield f"Rows without {name.replace('_', ' ')}: {missing:,} of {texts['rows']:,}."
    if carved := report["carved_val"]:
        yield (
            "The files have no validation split. Training identities that were set apart for it: "
            f"{carved['identities']:,}, seed {carved['seed']}; `report.json` names them. Papers "
            "that train on all have more to learn from."
        )
    if noise := report["noise"]:
        drawn = f"seed {noise['seed']}" if noise["index"] is None else _code(noise["index"])
        yield (
            f"**Training captions at images of other people: {noise['captions']:,}** (noise.rate "
            f"{noise['rate']:g}, {drawn}). The column `caption_of` says which."
        )


def _oddities(report: dict[str, Any]) -> Iterator[str]:
    splits = [*report["splits"]]
    found = [oddity for oddity in report["oddities"] if any(oddity["counts"].values())]
    yield from ("## What is odd", "")
    if found:
        yield f"| what | {' | '.join(splits)} | the first |"
        yield f"|---|{'---:|' * len(splits)}---|"
        for oddity in found:
            cells = [f"{oddity['counts'][split]:,}" for split in splits]
            yield f"| {oddity['name']} | {' | '.join(cells)} | {_code(oddity['example'])} |"
        yield ""
    none = [oddity["name"] for oddity in report["oddities"] if oddity not in found]
    yield f"Looked for and not found: {', '.join(none)}."


def _characters(report: dict[str, Any]) -> Iterator[str]:
    characters = report["odd_characters"]
    if not characters:
        return
    yield from ("## Characters other than printable ASCII", "", "| character | captions |")
    yield "|---|---:|"
    for name, count in list(characters.items())[:CHARACTERS_SHOWN]:
        yield f"| {name} | {count:,} |"
    if (more := len(characters) - CHARACTERS_SHOWN) > 0:
        yield f"| {more:,} others, in `report.json` | |"


def _distributions(report: dict[str, Any], figure: str) -> Iterator[str]:
    yield from ("## How much of each", "", f"![the distributions]({figure})", "")
    splits = [*report["splits"]]
    yield f"| least, median, most | {' | '.join(splits)} |"
    yield f"|---|{'---|' * len(splits)}"
    for name, by_split in report["distributions"].items():
        cells = [
            f"{n['min']:,}, {n['median']:g}, {n['max']:,}" if (n := by_split.get(split)) else "–"
            for split in splits
        ]
        yield f"| {name.replace('_', ' ')} | {' | '.join(cells)} |"
    listed = _listed(report["captions_per_image"])
    yield from ("", f"Captions per image, and how many images: {listed}.")
    listed = _listed(report["images_per_identity"])
    yield f"Images per identity, and how many identities: {listed}."


def _notes(report: dict[str, Any]) -> Iterator[str]:
    if not report["notes"]:
        return
    yield from (f"## What the reader says ({len(report['notes']):,})", "")
    yield from (f"- {_code(note)}" for note in report["notes"][:NOTES_SHOWN])
    if (more := len(report["notes"]) - NOTES_SHOWN) > 0:
        yield f"- {more:,} others, in `report.json`"


def _range_of_ids(raw_ids: list[Any]) -> str:
    low, high = min(raw_ids), max(raw_ids)
    if isinstance(low, str):
        return _code(f"{low!r} to {high!r}")
    gaps = high - low + 1 - len(raw_ids)
    return f"{low} to {high}, {f'{gaps:,} unused' if gaps else 'all used'}"


def _modalities(table: "pd.DataFrame") -> dict[str, int]:
    if "modality" not in table:
        return {}
    images = table.drop_duplicates("image_id")
    return {str(name): int(n) for name, n in images["modality"].value_counts().items() if name}


def _listed(counts: dict[str, int]) -> str:
    listed = [f"{value} ({number:,})" for value, number in list(counts.items())[:LISTED]]
    more = len(counts) - len(listed)
    rest = [f"{more:,} other values up to {list(counts)[-1]}"] if more > 0 else []
    return ", ".join(listed + rest)


def _code(text: str) -> str:
    """Any text as code in a cell of a table; what would end either is replaced."""
    safe = text.replace("`", "'").replace("|", "\\|")
    return f"`{safe}`" if safe else ""
