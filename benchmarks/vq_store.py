"""The VQ token file beside one `.npy` file per image: writing, and random batches for training.

40,000 images and their mirror images, 192 ids each, on the disk of the working directory. The store
is flushed to the disk, the files are not. The encoding stage, which can be killed and resumed,
first writes the ids batch by batch to a file of progress; with that it is timed too. Checked: both
give the same ids. Opening the store, which reads it whole, is timed apart.

    python benchmarks/vq_store.py
"""

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from ubg.vqgan.codes.encode import Progress
from ubg.vqgan.codes.store import Origin, VqTokens, write_vq_tokens

IMAGES, ROWS, COLUMNS, CODES, BATCH_SIZE = 40_000, 24, 8, 16_384, 64
BATCHES, REPEATS = 200, 5


def main():
    rng = np.random.default_rng(0)
    ids = rng.integers(0, CODES, (IMAGES, 2, ROWS * COLUMNS), np.int32)
    image_ids = np.arange(IMAGES)
    origin = Origin(CODES, ROWS, COLUMNS, 384, 128, "0" * 16, "0" * 16, "fp32", 0.0)

    with tempfile.TemporaryDirectory(dir=".") as folder:
        root = Path(folder)

        def write_files(number):
            files = root / f"files{number}"
            files.mkdir()
            for image_id, pair in zip(image_ids, ids, strict=True):
                np.save(files / f"{image_id}.npy", pair.astype(np.uint16))

        def write_store(number):
            write_vq_tokens(root / f"store{number}.h5", ids, image_ids, origin)

        def write_resumably(number):
            progress = Progress(root / f"progress{number}", IMAGES, ROWS * COLUMNS, BATCH_SIZE)
            for batch in range(progress.batches):
                progress.store(batch, ids[progress.rows(batch)])
            write_vq_tokens(root / f"again{number}.h5", progress.ids(), image_ids, origin)

        seconds = {write_files: [], write_store: [], write_resumably: []}
        for number in range(REPEATS):
            for write, times in seconds.items():
                started = time.perf_counter()
                write(number)
                times.append(time.perf_counter() - started)
        report("writing", seconds[write_files], seconds[write_store])
        report("writing, file of progress too", seconds[write_files], seconds[write_resumably])

        started = time.perf_counter()
        tokens = VqTokens(root / "store0.h5")
        opening = time.perf_counter() - started
        print(f"opening the store: {opening * 1e3:.0f} ms, {tokens.ids_N2L.nbytes / 1e6:.1f} MB")
        files = root / "files0"

        def read_files(batch, mirrored):
            rows = [
                np.load(files / f"{image_id}.npy")[int(mirror)]
                for image_id, mirror in zip(batch.tolist(), mirrored.tolist(), strict=True)
            ]
            return np.stack(rows).astype(np.int64)

        for mirror in (0, 1):
            everything = tokens.batch(image_ids, np.full(IMAGES, bool(mirror)))
            assert np.array_equal(everything, ids[:, mirror])
        drawn = [
            (rng.integers(0, IMAGES, BATCH_SIZE), rng.integers(0, 2, BATCH_SIZE).astype(bool))
            for _ in range(BATCHES)
        ]
        for batch in drawn:
            assert np.array_equal(read_files(*batch), tokens.batch(*batch))
        seconds = {read_files: [], tokens.batch: []}
        for _ in range(REPEATS):
            for read, times in seconds.items():
                started = time.perf_counter()
                for batch in drawn:
                    read(*batch)
                times.append((time.perf_counter() - started) / BATCHES)
        report("a batch of 64 from warm files", seconds[read_files], seconds[tokens.batch])


def report(title, plain, ours):
    for name, of in (("fastest", min), ("median", statistics.median)):
        print(
            f"{title}, {name} of {REPEATS}: files {of(plain) * 1e3:,.2f} ms, "
            f"store {of(ours) * 1e3:,.3f} ms, ratio {of(plain) / of(ours):.1f}"
        )


if __name__ == "__main__":
    main()
