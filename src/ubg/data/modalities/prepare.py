"""From the files of a data set in the layout of ORBench to the prepared folder of modalities."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ubg.data.annotations.formats.orbench import person, read_queries
from ubg.data.annotations.formats.records import Query
from ubg.data.annotations.image_folder import ImageFolder
from ubg.data.images.image_pack import ImagePack
from ubg.data.images.pack import pack_images
from ubg.data.modalities.list_images import list_images
from ubg.data.modalities.modalities import CHANNELS
from ubg.data.modalities.queries import query_table, validation_queries
from ubg.data.prepared import write_table
from ubg.params import Params
from ubg.runtime.faults import Faults
from ubg.runtime.files import replace_folder

if TYPE_CHECKING:
    import pandas as pd

Places = Mapping[Any, tuple[str, int]]  # split and `pid` of every person, by `raw_id`
NOWHERE = ("", -1)


def prepare_modalities(params: Params, table: "pd.DataFrame", output: Path) -> None:
    """List and pack the images of each modality; take the test queries and draw those of val.

    Of persons of train and val all images are listed, of test those that the queries name. Broken
    images may be left out, `image.max_broken` of each modality, and queries made of them go too.

    Args:
        params: name the data set, one that has modalities, and the size of its images.
        table: its prepared table, which tells split and number of each person.
        output: folder to write, whole or not at all; see `ubg.data.modalities.modalities`.

    Raises:
        ValueError: a file, record or image is faulty, see `read_queries`, `list_images` and
            `pack_images`; a query is for somebody who is not of the test split; or a modality is
            left with nothing.
    """
    drawn = params.data.modalities
    assert drawn is not None
    root = params.raw_root
    persons = table[["raw_id", "split", "pid"]].drop_duplicates()
    places = {raw_id: (split, pid) for raw_id, split, pid in persons.itertuples(index=False)}
    disk = ImageFolder(root / "imgs")
    faults = Faults(f"{root / 'imgs'}: faulty names")
    listed = {name: list_images(root / "imgs", name, disk, faults) for name in CHANNELS}
    faults.raise_if_any()
    queries = _read_test(root / "annotations", disk, places)
    images = _image_table(listed, places, queries)
    with replace_folder(output) as folder:
        for modality, channels in CHANNELS.items():
            of_modality = images[images["modality"] == modality]
            pack_images(
                of_modality,
                root / "imgs",
                params.preset.image,
                folder / modality,
                channels=channels,
            )
            left = ImagePack(folder / modality).rows_present(of_modality)
            images = images.drop(of_modality.index.difference(left.index))
        queries += validation_queries(table, images, drawn)
        kept = query_table(queries, places, images)
        write_table(images, folder / "images.csv")
        write_table(kept, folder / "queries.csv")
    _tell(images, kept, len(queries) - len(kept))


def _read_test(folder: Path, disk: ImageFolder, places: Places) -> list[Query]:
    """The queries of the test file, their paths as the disk spells them."""
    faults = Faults(f"{folder}: faulty records")
    spelled = {"": ""}
    queries = read_queries(folder)
    for query in queries:
        if places.get(query.raw_id, NOWHERE)[0] != "test":
            faults.add(
                f"{query.where}: person {query.raw_id} is not of the test split that the "
                "annotations have; remove the query"
            )
        for path in (query.nir, query.cp, query.sk):
            if path not in spelled:
                try:
                    spelled[path] = disk.spelled(path)
                except ValueError as fault:
                    spelled[path] = path
                    faults.add(f"{query.where}: {fault}")
    faults.raise_if_any()
    return [
        replace(query, nir=spelled[query.nir], cp=spelled[query.cp], sk=spelled[query.sk])
        for query in queries
    ]


def _image_table(
    listed: Mapping[str, Mapping[int, list[str]]], places: Places, queries: Sequence[Query]
) -> "pd.DataFrame":
    """`images.csv` before any image was opened."""
    import pandas as pd

    rows: list[tuple[Any, ...]] = []
    for modality, of_modality in listed.items():
        paths = sorted({getattr(query, modality) for query in queries} - {""})
        for raw_id, of_person in of_modality.items():
            if places.get(raw_id, NOWHERE)[0] in ("train", "val"):
                paths += of_person
        rows += [(*places[person(path)], modality, path) for path in paths]
    unknown = {raw_id for of_modality in listed.values() for raw_id in of_modality} - set(places)
    if unknown:
        print(f"left out: images of {len(unknown):,} persons whom the annotations do not name")
    table = pd.DataFrame(rows, columns=["split", "pid", "modality", "image_path"])
    table.insert(2, "image_id", range(len(table)))
    return table


def _tell(images: "pd.DataFrame", queries: "pd.DataFrame", left_out: int) -> None:
    if left_out:
        print(f"left out: {left_out:,} queries made of broken images")
    print(images.groupby(["split", "modality"], sort=False).size().unstack().to_string())
    for split, of_split in queries.groupby("split", sort=False):
        kinds = of_split["kind"].nunique()
        print(f"{len(of_split):,} queries of {kinds} kinds in {split}")
