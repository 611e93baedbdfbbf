"""The prepared folder of a data set: its table, and a report to read before a week of training."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ubg.data.annotations.clothing import read_clothing
from ubg.data.annotations.formats.records import SPLITS
from ubg.data.annotations.prepare import prepare_table
from ubg.data.batches.samplers import Share, make_sampler
from ubg.data.clothing import FILE, UNKNOWN, identity_ceiling
from ubg.data.prepared import write_table
from ubg.data.text.clip_tokens import count_tokens
from ubg.dataset_report.annotation_figure import draw_annotations
from ubg.dataset_report.describe import describe, markdown
from ubg.params import Params, Scale, Tokenizer, Tower
from ubg.runtime.files import replace_folder, write_json

if TYPE_CHECKING:
    import pandas as pd

FIGURE = "distributions.png"


def prepare(params: Params, output: Path, splits: Sequence[str] = SPLITS) -> None:
    """Read the annotations of the data set in use; write table and report to `output`.

    Args:
        params: name the data set.
        output: folder to write, atomically.
        splits: that the table must have.

    Raises:
        ValueError: see `prepare_table`; or training could not fill a batch.
    """
    data = params.data
    prepared = prepare_table(params, splits)
    table, queries = prepared.unchanged, prepared.queries
    if "train" in splits:
        _check_batches(params, table[table["split"] == "train"])
    clothing = read_clothing(data.format, params.raw_root, table)
    max_tokens = params.preset.tokenizer.max_tokens
    tokens = count_tokens(table.loc[table["caption"] != "", "caption"].tolist())
    description, distributions = describe(table, prepared.read, tokens, max_tokens)
    kinds = {} if queries is None else queries["kind"].value_counts(sort=False).to_dict()
    report = description | prepared.changes | {"queries": kinds}
    label = data.label
    text = markdown(label, report, FIGURE)
    with replace_folder(output) as folder:
        write_table(prepared.table, folder / "annotations.csv")
        if queries is not None:
            write_table(queries, folder / "queries.csv")
        if clothing is not None:
            write_table(clothing, folder / FILE)
        write_json(folder / "report.json", report)
        (folder / "report.md").write_text(text, encoding="utf-8")
        draw_annotations(folder / FIGURE, label, distributions, max_tokens)
    print(text)
    if clothing is not None:
        _tell_ceiling(clothing)
    print(f"written to {output}")
    if "train" in splits:
        _tell_missing_models(params.preset)


def _tell_ceiling(clothing: "pd.DataFrame") -> None:
    """How far identity captions alone can get, where it is known whose bodies are alike."""
    known = clothing[clothing["body"] != UNKNOWN]
    for split, of_split in known.groupby("split", sort=False):
        counts = of_split[["body", "person", "pid"]].nunique()
        print(
            f"{split}: identity captions tell apart {counts['body']:,} bodies of "
            f"{counts['person']:,} persons, {counts['pid']:,} identities: R@1 of at most "
            f"{identity_ceiling(known, str(split), 'person'):.1f} for the person, "
            f"{identity_ceiling(known, str(split)):.1f} for the identity"
        )


def _check_batches(params: Params, training_rows: "pd.DataFrame") -> None:
    """Training's own check, which it would come to after the VQGAN; images may still be left out.

    Raises:
        ValueError: see `make_sampler`.
    """
    share = Share(0, params.launcher.processes)
    make_sampler(training_rows, params.preset.training, seed=0, share=share)


def _tell_missing_models(preset: Scale) -> None:
    """What training would find out after the images were packed: models that are not here."""
    from ubg.runtime.hub import offline_recipe, unreachable_models

    of = preset.towers
    named: list[Tokenizer | Tower]
    named = [preset.tokenizer, of.clip, of.clip_text, of.siglip, of.t5, of.bert]
    missing = unreachable_models(one.pretrained for one in named if one.pretrained is not None)
    if missing:
        print(
            "warning: the Hugging Face hub cannot be reached, and not on this machine are "
            f"{', '.join(missing)}: stages that need them will fail; {offline_recipe('NAME')}"
        )
    vqgan = preset.vqgan.pretrained
    if vqgan is not None and not Path(vqgan).is_file():
        print(
            f"warning: {vqgan} is missing: fit_vqgan will fail; put the file there by hand "
            "(docs/pretrained.md)"
        )
