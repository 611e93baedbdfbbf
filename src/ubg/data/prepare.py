"""The prepared table on disk, and the way to it from the files of a data set."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ubg.data.annotations import read_everything
from ubg.data.carve import carve_validation
from ubg.data.counts import Counts, compare, count_splits, nearest_version, plain
from ubg.data.formats.records import SPLITS
from ubg.data.noise import exchange_captions
from ubg.files import replace_folder, write_json
from ubg.params import Dataset, Params

if TYPE_CHECKING:
    import pandas as pd

FIGURE = "distributions.png"


def prepare(params: Params, output: Path, splits: Sequence[str] = SPLITS) -> None:
    """Read the annotations of the data set in use; write table and report to `output`.

    The counts are checked as the files have them; then a validation split is carved and captions
    are exchanged, if the params say so. No image is opened.

    Args:
        params: name the data set.
        output: folder to write, whole or not at all.
        splits: that the table must have.

    Raises:
        ValueError: see `read_annotations`, `carve_validation` and `exchange_captions`; or the
            counts fit no published version; or one of `splits` is missing.
    """
    from ubg.data.clip_tokens import count_tokens
    from ubg.data.report import describe, markdown
    from ubg.report.annotations import draw_annotations
    from ubg.report.style import dataset_label

    data, noise = params.data, params.noise
    annotations = read_everything(data.format, params.raw_root)
    table = annotations.table
    changes = _check_counts(params.dataset, data, count_splits(table))
    if data.carve_val is not None:
        table, raw_ids = carve_validation(table, data.carve_val.identities, data.carve_val.seed)
        changes["carved_val"] = {**data.carve_val.model_dump(), "raw_ids": raw_ids}
    for split in splits:
        _check_split(params.dataset, split, table[table["split"] == split])
    max_tokens = params.model.tokenizer.max_tokens
    tokens = count_tokens(table.loc[table["caption"] != "", "caption"].tolist())
    description, distributions = describe(table, annotations.table.attrs, tokens, max_tokens)
    if noise.rate > 0:
        table = exchange_captions(table, noise.rate, noise.seed)
        exchanged = int((table["caption_of"] != table["caption_id"]).sum())
        changes["noise"] = {**noise.model_dump(), "captions": exchanged}

    queries = annotations.queries
    kinds = {} if queries is None else queries["kind"].value_counts(sort=False).to_dict()
    report = description | changes | {"queries": kinds}
    label = dataset_label(data.title, data.synthetic)
    text = markdown(label, report, FIGURE)
    with replace_folder(output) as folder:
        write_table(table, folder / "annotations.csv")
        if queries is not None:
            write_table(_with_pids(queries, table), folder / "queries.csv")
        write_json(folder / "report.json", report)
        (folder / "report.md").write_text(text, encoding="utf-8")
        draw_annotations(folder / FIGURE, label, distributions, max_tokens)
    print(text)
    print(f"written to {output}")


def write_table(table: "pd.DataFrame", path: Path) -> None:
    """Write the table as CSV, captions exactly as they are, line breaks and surrogates included."""
    with path.open("w", encoding="utf-8", errors="surrogatepass", newline="") as file:
        writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(table.columns)
        writer.writerows(table.itertuples(index=False, name=None))


def load_prepared(folder: str | Path) -> "pd.DataFrame":
    """The table that `prepare` wrote to `folder`; its columns are those of `read_annotations`.

    Raises:
        ValueError: there is no such table.
    """
    import pandas as pd

    path = Path(folder) / "annotations.csv"
    try:
        with path.open(encoding="utf-8", errors="surrogatepass", newline="") as file:
            # Numbers alone are unquoted. Not pandas' reader, which takes a caption "NA" for none.
            header, first, *others = csv.reader(file, quoting=csv.QUOTE_NONNUMERIC)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path}: cannot be read ({error}); make it with `dvc repro prepare_annotations`"
        ) from None
    table = pd.DataFrame([first, *others], columns=header, dtype=object)
    numbers = [name for name, value in zip(header, first, strict=True) if isinstance(value, float)]
    return table.astype(dict.fromkeys(numbers, "int64"))


def _check_split(dataset: str, split: str, rows: "pd.DataFrame") -> None:
    """Refuse a table that cannot be trained or measured on, before days of training."""
    if not (rows["caption"] != "").any():
        remedy = f" or set carve_val in configs/datasets/{dataset}.yaml" if split == "val" else ""
        raise ValueError(f"{dataset}: no caption is of the split {split!r}; add some{remedy}")


def _check_counts(dataset: str, data: Dataset, counts: Counts) -> dict[str, Any]:
    """The published version that the counts fit, for the report."""
    facts: dict[str, Any] = {"version": None, "differences": [], "carved_val": None, "noise": None}
    nearest = nearest_version(counts, plain(data.counts))
    if nearest is None:
        return facts
    version, differing = nearest
    if differing and not data.accept_other_counts:
        raise ValueError(compare(dataset, version, differing))
    return facts | {"version": version, "differences": [d._asdict() for d in differing]}


def _with_pids(queries: "pd.DataFrame", table: "pd.DataFrame") -> "pd.DataFrame":
    """The queries with the numbers that their identities have in the table."""
    pid_of = dict(zip(table["raw_id"], table["pid"], strict=True))
    numbered = queries.copy()
    numbered.insert(1, "pid", [pid_of[raw_id] for raw_id in queries["raw_id"]])
    return numbered
