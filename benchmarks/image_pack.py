"""Images per second of random batches: the pack beside PIL per sample, and a memory map.

Files are JPEG and PNG of the size that the pack has, so that PIL need not even resize. Checked
first: all three give the same pixels. Cold means that the kernel was told to forget the files.

    python benchmarks/image_pack.py
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

import ubg.params
from ubg.data.images.image_pack import ImagePack
from ubg.data.images.pack import pack_images
from ubg.runtime.cpus import usable_cpus

HEIGHT, WIDTH, BATCH_SIZE = 384, 128, 64
IMAGES, BATCHES, ROUNDS = 2048, 16, 5


def main():
    with tempfile.TemporaryDirectory(dir=".") as folder:
        root = Path(folder)
        paths = write_images(root)
        table = pd.DataFrame({"image_id": range(IMAGES), "image_path": [p.name for p in paths]})
        size = ubg.params.Image(height=HEIGHT, width=WIDTH, max_broken=0)
        started = time.perf_counter()
        pack_images(table, root, size, root / "pack")
        seconds = time.perf_counter() - started
        print(f"packing: {IMAGES / seconds:,.0f} images/s with {usable_cpus()} threads")
        pack = ImagePack(root / "pack")
        pixels = root / "pack" / "images.u8"
        buffer = np.empty((BATCH_SIZE, HEIGHT, WIDTH, 3), np.uint8)

        def from_files(rows):
            for position, row in enumerate(rows):
                with Image.open(paths[row]) as image:
                    buffer[position] = np.asarray(image.convert("RGB"))
            return buffer

        def from_map(rows):
            # Mapped anew each time: the kernel forgets no page that is mapped.
            mapped = np.memmap(pixels, np.uint8, "r", shape=(IMAGES, HEIGHT, WIDTH, 3))
            return np.take(mapped, rows, axis=0, out=buffer, mode="clip")

        def from_pack(rows):
            return pack.read(rows, buffer)

        readers = {"PIL per sample": from_files, "memory map": from_map, "pack": from_pack}
        rng = np.random.default_rng(0)
        rows = rng.integers(0, IMAGES, BATCH_SIZE)
        expected = from_files(rows).copy()
        for name, read in readers.items():
            buffer[:] = 0
            assert np.array_equal(read(rows), expected), name

        batches = rng.permutation(IMAGES)[: BATCHES * BATCH_SIZE].reshape(BATCHES, BATCH_SIZE)
        report("warm", readers, batches, lambda: None)
        if hasattr(os, "posix_fadvise"):
            os.sync()
            report("cold", readers, batches, lambda: forget([*paths, pixels]))


def write_images(root):
    """Smooth noise, half JPEG and half PNG; their paths."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(IMAGES):
        coarse = rng.integers(0, 256, (HEIGHT // 16, WIDTH // 16, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        paths.append(root / f"{number}.{('jpg', 'png')[number % 2]}")
        image.save(paths[-1])
    return paths


def forget(paths):
    """Let the kernel drop its copy of the files."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def report(title, readers, batches, before):
    """Median over rounds that alternate between the readers, so that they share any disturbance."""
    seconds = {name: [] for name in readers}
    for _ in range(ROUNDS):
        for name, read in readers.items():
            before()
            started = time.perf_counter()
            for rows in batches:
                read(rows)
            seconds[name].append(time.perf_counter() - started)
    plain = statistics.median(seconds["PIL per sample"])
    for name, times in seconds.items():
        median = statistics.median(times)
        print(f"{title}, {name}: {batches.size / median:,.0f} images/s, ratio {plain / median:.1f}")


if __name__ == "__main__":
    main()
