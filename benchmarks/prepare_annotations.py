"""Time and memory of the stage `prepare_annotations` on annotations of the size of CUHK-PEDES.

40,206 records with 80,440 captions of as many words and words of as many kinds as the published
ones; the images are empty files, for the stage opens none. Beside it a plain reader alone:
`json.load`, a call of `exists` for each image, a table, `to_csv`; no check, no count, no report.

    python benchmarks/prepare_annotations.py
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).parents[1]
SPLITS = {"train": (34_054, 11_003), "val": (3_078, 1_000), "test": (3_074, 1_000)}
MORE_CAPTIONS = {"train": 18, "val": 2, "test": 8}  # beyond two for each image
WORDS = 9_408
PLAIN = """
import json, os, sys
import pandas as pd
root = sys.argv[1]
rows = []
for image_id, record in enumerate(json.load(open(root + "/annotations/reid_raw.json"))):
    assert os.path.exists(root + "/imgs/" + record["file_path"])
    for caption in record["captions"]:
        rows.append((record["split"], record["id"], image_id, record["file_path"], caption))
pd.DataFrame(rows).to_csv(sys.argv[2])
print(len(rows))
"""


def main():
    with tempfile.TemporaryDirectory(dir=".") as folder:
        root = Path(folder).resolve()
        write_project(root)
        raw = root / "data" / "raw" / "cuhk_pedes"
        # In a process of its own: what a command is measured by begins with what its parent takes.
        writer = get_context("spawn").Process(target=write_annotations, args=(raw,))
        writer.start()
        writer.join()
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "src")}
        stage = [sys.executable, str(REPOSITORY / "stages/prepare_annotations.py")]
        plain = [sys.executable, "-c", PLAIN, str(raw), str(root / "plain.csv")]
        measure(stage, root, environment)  # reads what is not in the page cache yet
        ours = measure(stage, root, environment)
        theirs = measure(plain, root, environment)
        for name, (seconds, busy, mebibytes) in {"stage": ours, "plain reader": theirs}.items():
            print(f"{name:>12}: {seconds:5.1f} s, {busy:.1f} s of one core, {mebibytes:,.0f} MiB")
        print(f"ratio: {ours[1] / theirs[1]:.1f} times the work")


def measure(command, folder, environment):
    """Wall-clock and CPU seconds and the largest resident memory in MiB of a command."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    seconds = time.perf_counter() - started
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def write_project(root):
    shutil.copytree(REPOSITORY / "configs", root / "configs")
    params = (REPOSITORY / "params.yaml").read_text()
    params = re.sub(r"^dataset: \w+", "dataset: cuhk_pedes", params, flags=re.MULTILINE)
    (root / "params.yaml").write_text(params)


def write_annotations(root):
    rng = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlu"))
    words = ["".join(rng.choice(letters, rng.integers(2, 9))) for _ in range(WORDS)]
    frequency = 1 / np.arange(1, WORDS + 1)
    frequency /= frequency.sum()
    records, first = [], 1
    for split, (images, identities) in SPLITS.items():
        counts = np.full(images, 2)
        counts[: MORE_CAPTIONS[split]] += 1
        lengths = rng.normal(23.5, 7, counts.sum()).clip(8, 96).astype(int)
        drawn = iter(rng.choice(WORDS, lengths.sum(), p=frequency))
        lengths = iter(lengths)
        for number, count in enumerate(counts):
            texts = [
                " ".join(words[next(drawn)] for _ in range(next(lengths))) for _ in range(count)
            ]
            path = f"{split}/{number // 1000}/{number}.jpg"
            records.append(
                {
                    "split": split,
                    "captions": [f"{text}." for text in texts],
                    "file_path": path,
                    "processed_tokens": [text.split() for text in texts],
                    "id": first + number % identities,
                }
            )
            (root / "imgs" / path).parent.mkdir(parents=True, exist_ok=True)
            (root / "imgs" / path).touch()
        first += identities
    (root / "annotations").mkdir()
    (root / "annotations" / "reid_raw.json").write_text(json.dumps(records))


if __name__ == "__main__":
    main()
