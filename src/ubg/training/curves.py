"""Learning curves as DVC shows them."""

import shutil
from pathlib import Path

from dvclive import Live


def write_curves(history: list[dict[str, float]], folder: Path) -> None:
    """Write the whole history of a run anew, so that a resumed run has each epoch once.

    Args:
        history: a record per finished epoch, `epoch` from 1 and the values to plot.
        folder: gets `metrics/<name>.tsv`, one file per curve.
    """
    shutil.rmtree(folder, ignore_errors=True)
    with Live(str(folder), dvcyaml=False, save_dvc_exp=False, monitor_system=False) as live:
        for record in history:
            live.step = int(record["epoch"])
            for name, value in record.items():
                if name != "epoch":
                    live.log_metric(name, value, timestamp=False)
