"""Write the data set: pictures, other modalities, captions and a contact sheet."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import pi
from pathlib import Path
from typing import Any

from PIL import Image

from ubg.params import SynthPedes
from ubg.runtime.files import replace_folder, require_space
from ubg.runtime.pool import mapper
from ubg.runtime.progress import progress_bar
from ubg.synthpedes.attributes import attribute_lists, visible_attributes
from ubg.synthpedes.canvas import HEIGHT
from ubg.synthpedes.contact_sheet import contact_sheet
from ubg.synthpedes.grammar import (
    tokenize,
    write_captions,
    write_cloth_caption,
    write_identity_caption,
)
from ubg.synthpedes.identities import Member, random_stream
from ubg.synthpedes.modalities import MODALITIES, picture
from ubg.synthpedes.orbench_files import gallery_and_queries, training_rows
from ubg.synthpedes.outfits import members_of
from ubg.synthpedes.scene import Scene, draw_scene, photograph, render
from ubg.synthpedes.visible import find_facts

JPEG_QUALITY = 92
SHEET_IDENTITIES = 12
BYTES_OF_IMAGE = 10_000  # of a picture and its captions in whole blocks, about
Record = dict[str, Any]


def generate(params: SynthPedes, output: str | Path, processes: int = 1) -> None:
    """Draw the whole data set and write it to `output`, which appears complete or not at all.

    The result depends on `params` alone: it is bit-identical whatever the number of processes.

    Writes:
        imgs/vis/<pid>/<pid>_<n>.jpg: RGB, 192 x 64; nir, cp and sk beside vis, in numbers of their
            own for each person, some of whom lack one of them.
        annotations/reid_raw.json: list of {split, captions, file_path, processed_tokens, id}.
        annotations/id_captions.json: list of {id, file_path, identity}.
        annotations/cloth_captions.json: list of {id, file_path, cloth}.
        annotations/train_annos.json, annotations/test_gallery_and_queries.json: the same captions
            and images in the layout of ORBench, with queries of one to four parts.
        annotations/attributes.json: who is whom, in what, and what shows; see `attribute_lists`.
        contact_sheet.png: some identities and their captions, to look at.

    Raises:
        ValueError: there is no room for it on the disk.
    """
    members = members_of(params)
    records: list[Record] = []
    drawn_per_member = [modality_counts(member, params) for member in members]
    images = len(members) * params.images_per_identity
    images += sum(sum(counts.values()) for counts in drawn_per_member)
    require_space(Path(output), images * BYTES_OF_IMAGE)
    with (
        replace_folder(output) as folder,
        mapper(processes) as mapped,
        progress_bar(f"drawing to {output}", total=images, unit="image") as progress,
    ):
        draw = partial(draw_member, folder=folder, params=params)
        for drawn, counts in zip(mapped(draw, members), drawn_per_member, strict=True):
            records += drawn
            progress.update(params.images_per_identity + sum(counts.values()))
        _write_annotations(folder / "annotations", records)
        _write_orbench(folder / "annotations", members, records, params)
        _write_lists(folder / "annotations/attributes.json", attribute_lists(members, records))
        shown = [r for r in records if r["split"] == "test"]
        contact_sheet(shown[: SHEET_IDENTITIES * params.images_per_identity], folder).save(
            folder / "contact_sheet.png"
        )


def draw_member(member: Member, folder: Path, params: SynthPedes) -> list[Record]:
    """Draw one identity to files below `folder / "imgs"`; one record for each RGB picture."""
    identity, name = member.identity, f"{member.pid:04d}"
    records = []
    for number in range(1, params.images_per_identity + 1):
        scene, rng = rgb_scene(member, params.seed, number)
        rendering = render(identity, scene, rng)
        path = f"vis/{name}/{name}_{number}.jpg"
        _save(photograph(rendering, scene, rng), folder / "imgs" / path)
        facts = find_facts(identity, scene, rendering.visibility)
        captions = write_captions(facts, rng)
        records.append(
            {
                "split": member.split,
                "captions": captions,
                "file_path": path,
                "processed_tokens": [tokenize(caption) for caption in captions],
                "id": member.pid,
                "identity": write_identity_caption(facts, rng),
                "cloth": write_cloth_caption(facts, rng),
                "visible": visible_attributes(facts),
            }
        )
    for modality, count in modality_counts(member, params).items():
        for number in range(1, count + 1):
            scene, rng = modality_scene(member, params.seed, modality, number)
            image = picture(
                modality, render(identity, scene, rng), scene, identity.outfit_look, rng
            )
            _save(image, folder / "imgs" / modality_path(member, modality, number))
    return records


def modality_counts(member: Member, params: SynthPedes) -> dict[str, int]:
    """How many pictures of each modality but RGB a person has; none of one that is missing."""
    drawn = params.modalities
    rng = random_stream(params.seed, member.split, member.number, "modalities")
    counts = {name: rng.randint(drawn.least_images, drawn.most_images) for name in MODALITIES}
    if rng.random() < drawn.missing:
        counts[rng.choice(MODALITIES)] = 0
    return counts


def modality_path(member: Member, modality: str, number: int) -> str:
    """Where a picture is, relative to the folder of images."""
    return f"{modality}/{member.pid:04d}/{member.pid:04d}_{number}.jpg"


def rgb_scene(member: Member, seed: int, number: int) -> tuple[Scene, random.Random]:
    """The scene of an RGB picture, and the generator of everything that follows."""
    rng = random_stream(seed, member.split, member.number, "vis", number)
    return draw_scene(rng, member.identity), rng


def modality_scene(
    member: Member, seed: int, modality: str, number: int
) -> tuple[Scene, random.Random]:
    """A scene of its own, so that a sketch is no filter of an RGB picture."""
    rng = random_stream(seed, member.split, member.number, modality, number)
    yaw = rng.choice((0.0, pi, pi / 2, -pi / 2)) + rng.uniform(-0.5, 0.5)
    scene = draw_scene(rng, member.identity, yaw)
    if modality != "nir":  # an artist draws the whole person
        scene = replace(scene, occluder=None, ground=HEIGHT - 6, height=HEIGHT * 0.92)
    return scene, rng


def _save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=JPEG_QUALITY)


def _write_annotations(folder: Path, records: list[Record]) -> None:
    folder.mkdir()
    keys = {
        "reid_raw.json": ("split", "captions", "file_path", "processed_tokens", "id"),
        "id_captions.json": ("id", "file_path", "identity"),
        "cloth_captions.json": ("id", "file_path", "cloth"),
    }
    for file, kept in keys.items():
        rows = [{key: r[key] for key in kept} for r in records]
        (folder / file).write_text(_lines(rows) + "\n", "utf-8")


def _write_orbench(
    folder: Path, members: list[Member], records: list[Record], params: SynthPedes
) -> None:
    paths = [
        {
            modality: [modality_path(member, modality, n + 1) for n in range(count)]
            for modality, count in modality_counts(member, params).items()
        }
        for member in members
    ]
    (folder / "train_annos.json").write_text(_lines(training_rows(records)) + "\n", "utf-8")
    per_kind = params.modalities.test_queries_per_kind
    lists = gallery_and_queries(members, records, paths, per_kind, params.seed)
    _write_lists(folder / "test_gallery_and_queries.json", lists)


def _write_lists(path: Path, lists: dict[str, list[Any]]) -> None:
    text = ",\n".join(f'"{name}": {_lines(rows)}' for name, rows in lists.items())
    path.write_text(f"{{\n{text}\n}}\n", "utf-8")


def _lines(rows: Sequence[Any]) -> str:
    """A JSON list with a line for each element."""
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]"
