"""The files of a gallery that nobody needs any more."""

from pathlib import Path

import numpy as np

from ubg.search.database import reading, writing
from ubg.search.manifest import Manifest
from ubg.search.rows import code_file, copy_rows, vector_file

SPARE_ROWS = 1000  # that are gone and may stay, however few are left


def tidy(gallery: Path, manifest: Manifest) -> None:
    """Write the rows anew where more than half of them are gone.

    The new files are complete before the transaction that tells of them. A reader keeps the maps of
    the old ones, which may then be removed; what is known of images that are gone stays until the
    next time, as one who searches the old maps asks for it.
    """
    with reading(gallery) as database:
        (generation,) = database.execute("SELECT generation FROM state").fetchone()
        rows, left = database.execute(
            "SELECT coalesce(max(row) + 1, 0), count(row) FILTER (WHERE NOT gone) FROM images"
        ).fetchone()
        if rows - left <= max(SPARE_ROWS, left):
            return
        alive = database.execute(
            "SELECT row, id FROM images WHERE row IS NOT NULL AND NOT gone ORDER BY row"
        ).fetchall()
    kept = np.array([row for row, _ in alive], np.int64)
    copy_rows(
        vector_file(gallery, manifest, generation),
        vector_file(gallery, manifest, generation + 1),
        kept,
    )
    if manifest.codes is not None:
        copy_rows(
            code_file(gallery, manifest.codes, generation),
            code_file(gallery, manifest.codes, generation + 1),
            kept,
        )
    with writing(gallery) as database:
        database.execute("DELETE FROM images WHERE gone AND row IS NULL")
        database.execute("UPDATE images SET row = NULL WHERE gone")
        database.executemany(
            "UPDATE images SET row = ? WHERE id = ?",
            [(row, id) for row, (_, id) in enumerate(alive)],
        )
        database.execute("UPDATE state SET generation = generation + 1")
    remove_strays(gallery)


def remove_strays(gallery: Path) -> None:
    """Remove files of another generation than the database's, as a killed process leaves them."""
    with reading(gallery) as database:
        (generation,) = database.execute("SELECT generation FROM state").fetchone()
    for kind in ("vectors", "codes", "index"):
        for path in gallery.glob(f"{kind}.*.*"):
            if path.name.split(".")[1] != str(generation):
                path.unlink()
