"""Stages that have nothing to do for the data set in use, and are passed over by a run of all."""

from pathlib import Path

from ubg.runtime.files import replace_folder, write_json
from ubg.runtime.opening import Kind, read_bytes
from ubg.runtime.pipeline import read_stages

NOTE = "passed_over.json"


def pass_over(name: str, reason: str) -> None:
    """Write the outputs of a stage that has nothing to do, so that DVC goes on with the others.

    A folder holds nothing but `passed_over.json`, with the reason; a JSON file of metrics is empty.

    Args:
        name: of the stage in `dvc.yaml`.
        reason: what the data set lacks, as a sentence.
    """
    for out in map(Path, read_stages()[name].outs):
        if out.suffix == ".json":
            out.parent.mkdir(parents=True, exist_ok=True)
            write_json(out, {})
        else:
            with replace_folder(out) as folder:
                write_json(folder / NOTE, {"stage": name, "reason": reason})
    print(f"{name}: passed over, {reason}")


def was_passed_over(metrics: Path) -> bool:
    """Whether a file of metrics is that of an evaluation that was passed over."""
    return metrics.is_file() and read_bytes(metrics, Kind.CONFIG).strip() == b"{}"
