"""Writing of the image pack: every image once, broken ones told together."""

import hashlib
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ubg.data.annotations.image_folder import check_below, check_links
from ubg.data.images.decode import decode_image
from ubg.data.prepared import NO_IMAGE
from ubg.params import Image
from ubg.runtime.cpus import usable_cpus
from ubg.runtime.faults import SHOWN, Faults
from ubg.runtime.files import replace_folder, require_space, write_json
from ubg.runtime.progress import progress_bar

if TYPE_CHECKING:
    import pandas as pd

AT_ONCE = 512


def pack_images(
    table: "pd.DataFrame",
    images: Path,
    size: Image,
    output: Path,
    threads: int | None = None,
    channels: int = 3,
) -> None:
    """Decode and resize every image of the table into `output`; see `ubg.data.images.image_pack`.

    The result is the same whatever the number of threads.

    Args:
        table: with `image_id` and `image_path`; rows of `NO_IMAGE` are passed over.
        images: the folder that the paths are relative to.
        size: height and width, and how many broken images may be left out.
        output: folder to write, whole or not at all.
        threads: as many as there are CPUs to use by default; decoding needs no interpreter lock.
        channels: 3, or 1 for grey.

    Raises:
        ValueError: a path leaves `images`, by its text or by a link; more than `size.max_broken`
            images are broken, of the first of which path and reason are told; or somebody whom a
            caption describes would have no image left.
    """
    pictured = table[table["image_id"] != NO_IMAGE]
    wanted = pictured.drop_duplicates("image_id").sort_values("image_id")
    ids = wanted["image_id"].tolist()
    paths = wanted["image_path"].tolist()
    for path in paths:
        check_below(path, images)  # the table may be from elsewhere than the preparation
    kept, dropped = [], []
    require_space(output, len(ids) * size.height * size.width * channels)
    digest = hashlib.sha256()

    def decode(path: str) -> NDArray[np.uint8] | str:
        check_links(path, images)
        try:
            return decode_image(images / path, size.height, size.width, channels)
        except ValueError as error:
            return str(error)

    with (
        replace_folder(output) as folder,
        (folder / "images.u8").open("wb") as pixels,
        ThreadPoolExecutor(threads or usable_cpus()) as pool,
        progress_bar(f"packing into {output}", total=len(ids), unit="image") as bar,
        warnings.catch_warnings(),
    ):
        # PIL warns of damage that it reads past, and of sizes that are refused here.
        warnings.simplefilter("ignore")
        for start in range(0, len(ids), AT_ONCE):
            for number, result in enumerate(
                pool.map(decode, paths[start : start + AT_ONCE]), start
            ):
                if isinstance(result, str):
                    dropped.append(
                        {"image_id": ids[number], "image_path": paths[number], "reason": result}
                    )
                else:
                    kept.append(ids[number])
                    digest.update(result.data)
                    pixels.write(result.data)
                bar.update()
        if len(dropped) > size.max_broken:
            faults = Faults(f"{images}: broken images")
            for image in dropped:
                faults.add(f"{image['reason']}; replace it, or allow some with image.max_broken")
            faults.raise_if_any()
        if not kept:
            raise ValueError(f"{images}: no image is left")
        _check_queries(table, dropped, images)
        ids_kept = np.array(kept, np.int64)
        digest.update(np.array([size.height, size.width], np.int64).data)
        digest.update(ids_kept.data)
        np.save(folder / "image_ids.npy", ids_kept)
        write_json(
            folder / "index.json",
            {
                "count": len(kept),
                "height": size.height,
                "width": size.width,
                "channels": channels,
                "fingerprint": digest.hexdigest()[:16],
                "dropped": dropped,
            },
        )
    for image in dropped[:SHOWN]:
        print(f"left out: {image['reason']}")
    if (more := len(dropped) - SHOWN) > 0:
        print(f"left out: {more:,} more, all in {output / 'index.json'}")
    print(f"{len(kept):,} images of {size.height}x{size.width}, {len(dropped)} left out")


def _check_queries(table: "pd.DataFrame", dropped: list[dict[str, Any]], images: Path) -> None:
    """Refuse to leave out all images of somebody whom captions of no image in particular describe.

    Captions of an image go with it.
    """
    present = table[~table["image_id"].isin([image["image_id"] for image in dropped])]
    pictured = present.loc[present["image_id"] != NO_IMAGE, "pid"]
    lost = present[~present["pid"].isin(pictured)]
    if len(lost):
        first = lost["raw_id"].tolist()[0]
        raise ValueError(
            f"{images}: every image of identity {first!r} is broken, and captions "
            f"ask for them; replace one ({lost['pid'].nunique():,} such identities)"
        )
