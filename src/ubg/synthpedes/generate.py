"""Write the data set: pictures, other modalities, captions and a contact sheet."""

import json
import random
from dataclasses import replace
from functools import partial
from math import pi
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from ubg.params import SynthPedes
from ubg.runtime.files import replace_folder
from ubg.runtime.pool import mapper
from ubg.synthpedes.canvas import HEIGHT
from ubg.synthpedes.contact_sheet import contact_sheet
from ubg.synthpedes.grammar import (
    tokenize,
    write_captions,
    write_cloth_caption,
    write_identity_caption,
)
from ubg.synthpedes.identities import SPLITS, Member, make_members, random_stream
from ubg.synthpedes.modalities import MODALITIES, picture
from ubg.synthpedes.scene import Scene, draw_scene, photograph, render
from ubg.synthpedes.visible import find_facts

JPEG_QUALITY = 92
SHEET_IDENTITIES = 12
Record = dict[str, Any]


def generate(params: SynthPedes, output: str | Path, processes: int = 1) -> None:
    """Draw the whole data set and write it to `output`, which appears complete or not at all.

    The result depends on `params` alone: it is bit-identical whatever the number of processes.

    Writes:
        imgs/vis/<pid>/<pid>_<n>.jpg: RGB, 192 x 64; nir, cp and sk beside vis.
        annotations/reid_raw.json: list of {split, captions, file_path, processed_tokens, id}.
        annotations/id_captions.json: list of {id, file_path, identity}.
        annotations/cloth_captions.json: list of {id, file_path, cloth}.
        contact_sheet.png: some identities and their captions, to look at.
    """
    sizes = dict(
        zip(
            SPLITS,
            (params.train_identities, params.val_identities, params.test_identities),
            strict=True,
        )
    )
    members = make_members(params.seed, sizes)
    records: list[Record] = []
    images = len(members) * (params.images_per_identity + len(MODALITIES))
    with (
        replace_folder(output) as folder,
        mapper(processes) as mapped,
        tqdm(total=images, unit="image", desc=f"drawing to {output}") as progress,
    ):
        draw = partial(
            draw_member, folder=folder, seed=params.seed, images=params.images_per_identity
        )
        for drawn in mapped(draw, members):
            records += drawn
            progress.update(params.images_per_identity + len(MODALITIES))
        _write_annotations(folder / "annotations", records)
        shown = [r for r in records if r["split"] == "test"]
        contact_sheet(shown[: SHEET_IDENTITIES * params.images_per_identity], folder).save(
            folder / "contact_sheet.png"
        )


def draw_member(member: Member, folder: Path, seed: int, images: int) -> list[Record]:
    """Draw one identity to files below `folder / "imgs"`; one record for each RGB picture."""
    identity, name = member.identity, f"{member.pid:04d}"
    records = []
    for number in range(1, images + 1):
        scene, rng = rgb_scene(member, seed, number)
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
            }
        )
    for modality in MODALITIES:
        scene, rng = modality_scene(member, seed, modality)
        image = picture(modality, render(identity, scene, rng), scene, identity.look, rng)
        _save(image, folder / "imgs" / modality / name / f"{name}_1.jpg")
    return records


def rgb_scene(member: Member, seed: int, number: int) -> tuple[Scene, random.Random]:
    """The scene of an RGB picture, and the generator of everything that follows."""
    rng = random_stream(seed, member.split, member.number, "vis", number)
    return draw_scene(rng, member.identity), rng


def modality_scene(member: Member, seed: int, modality: str) -> tuple[Scene, random.Random]:
    """A scene of its own, so that a sketch is no filter of an RGB picture."""
    rng = random_stream(seed, member.split, member.number, modality)
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
        rows = [json.dumps({key: r[key] for key in kept}, ensure_ascii=False) for r in records]
        (folder / file).write_text("[\n" + ",\n".join(rows) + "\n]\n", encoding="utf-8")
