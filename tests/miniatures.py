"""Miniatures of the data sets in the layouts that are handed around, with what is odd in those.

Each writes `annotations/` and `imgs/` below a folder, as a data set lies below `data/raw`, and has
`times` as many identities as the smallest miniature with all that is odd.
"""

import csv
import json
import zlib
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"red": (200, 30, 30), "green": (30, 160, 40), "blue": (40, 50, 190), "grey": (120,) * 3}
GARMENTS = ("coat", "shirt", "dress", "jacket")
SMALLEST, LARGEST, USUAL = (13, 34), (374, 800), (20, 48)

TEMPLATES = (
    "A person in a {colour} {garment} walks past camera {view}, number {identity}.",
    "The {garment} of this pedestrian is {colour}; view {view} of number {identity}.",
    "Somebody wears a {colour} {garment}.",
    "Number {identity} is dressed in {colour}.",
    "A {garment} that is {colour}, seen from behind.",
    "{colour} {garment}, dark shoes, no bag",
    "This is pedestrian {identity}, in view {view}.",
    "The pedestrian's {garment} has the colour {colour}.",
    "Someone with short hair and a {colour} {garment}.",
    "Seen by camera {view}: a {colour} {garment}.",
)
ODD_CAPTIONS = (
    "  The man has black hair and walks away.  ",
    "A woman in a red coat.\nShe carries\ta bag.\r\n",
    "一个穿着红色外套的女人。",
    'A man <br/> in {"colour": "blue"} jeans; print(x) &amp; "shoes"',
    "NA",
    " ".join(["The pedestrian wears a long grey coat and dark shoes."] * 10),
)
SHARED_CAPTION = "A pedestrian walks away from the camera."


def write_cuhk_pedes(root: Path, layout: str = "reid_raw.json", times: int = 1) -> Path:
    """CUHK-PEDES: identities from 1, jpg, png and bmp, some identities with one image.

    Args:
        root: where to write.
        layout: "reid_raw.json"; "caption_all.json", which has no splits; "train_reid.json", a file
            for each split; "train.json", the same with one record for each caption.
        times: how many times as many identities.
    """
    records = []
    for split, identity in people(first=1, train=8 * times, val=3 * times, test=4 * times):
        for view in range(1 if identity in (8, 15) else 3):
            suffix = ("png", "jpg", "bmp")[(identity + view) % 3]
            folder = ("CUHK01", "cam_a", "Market", "test_query", "train_query")[identity % 5]
            path = f"{folder}/{identity:04d}_{view}.{suffix}"
            size = {0: SMALLEST, 1: LARGEST}.get(len(records), USUAL)
            draw(root / "imgs" / path, identity, size)
            records.append(cuhk_record(split, identity, path, captions(identity, view, 2)))
    make_odd(records)
    first_of_val = next(record for record in records if record["split"] == "val")
    first_of_val["captions"] = captions(first_of_val["id"], 0, 4)
    first_of_test = next(record for record in records if record["split"] == "test")
    first_of_test["captions"] = captions(first_of_test["id"], 0, 10)
    again = records[2]
    records.insert(9, cuhk_record("train", again["id"], again["file_path"], ["The same image."]))
    write_layout(root / "annotations", layout, records)
    return root


def write_layout(folder: Path, layout: str, records: list[dict]) -> None:
    if layout == "reid_raw.json":
        write_json(folder / layout, records)
    elif layout == "caption_all.json":
        kept = ("id", "file_path", "captions")
        write_json(folder / layout, [{key: record[key] for key in kept} for record in records])
    elif layout == "train_reid.json":
        for split in ("train", "val", "test"):
            write_json(folder / f"{split}_reid.json", of_split(records, split))
    else:
        assert layout == "train.json"
        for split in ("train", "val", "test"):
            rows = [
                {
                    "image_id": number,
                    "id": record["id"] - 1,
                    "file_path": record["file_path"],
                    "sentence": caption,
                    "onehot": [1, 2, 3],
                }
                for number, record in enumerate(of_split(records, split), 1)
                for caption in record["captions"]
            ]
            ids = sorted({row["id"] for row in rows})
            write_json(folder / f"{split}.json", {"categories": ids, "annotations": rows})


def write_icfg_pedes(root: Path, name: str = "ICFG-PEDES.json", times: int = 1) -> Path:
    """ICFG-PEDES: identities from 0, a caption for each image, no validation split.

    The folder of an image is that of MSMT17: neither its split nor its identity.
    """
    records = []
    for split, identity in people(first=0, train=10 * times, test=4 * times):
        for view in range(1 if identity == 9 else 3):
            folder = "test" if identity % 4 == 3 else split
            person = 9000 - 7 * identity
            path = f"{folder}/{person:04d}/{person:04d}_{view:03d}_05_0303afternoon_1591_0.jpg"
            draw(root / "imgs" / path, identity)
            records.append(cuhk_record(split, identity, path, captions(identity, view, 1)))
    make_odd(records)
    records.insert(5, cuhk_record("train", 1, records[4]["file_path"], ["The same image."]))
    write_json(root / "annotations" / name, records)
    return root


def write_rstpreid(root: Path, times: int = 1) -> Path:
    """RSTPReid: identities from 0, five images each, all in one folder."""
    records = []
    for split, identity in people(first=0, train=6 * times, val=2 * times, test=3 * times):
        for view in range(5):
            path = f"{identity:04d}_c{view + 1}_{31 * view:04d}.jpg"
            draw(root / "imgs" / path, identity)
            texts = captions(identity, view, 2)
            records.append({"id": identity, "img_path": path, "captions": texts, "split": split})
    make_odd(records)
    write_json(root / "annotations" / "data_captions.json", records)
    return root


def write_orbench(root: Path, times: int = 1) -> Path:
    """ORBench: four modalities, identities named by folder, queries of every combination.

    The `id` of a training record and the number of a test identity are labels of their own.
    """
    train, gallery, pools = [], [], {}
    first_tested, count = 8 * times, 12 * times
    for split, identity in people(first=0, train=first_tested, test=count - first_tested):
        folder = f"{10 * (count + 78 - identity):04d}"
        for modality in ("vis", "nir", "cp", "sk"):
            for view in range(3):
                path = f"{modality}/{folder}/{folder}_{modality}_{view}.jpg"
                draw(root / "imgs" / path, identity)
                pools.setdefault((identity, modality), []).append(path)
        texts = captions(identity, 0, 3)
        for path, text in zip(pools[identity, "vis"], texts, strict=True):
            if split == "train":
                train.append({"id": identity + 1, "file_path": path, "caption": text})
            else:
                gallery.append([identity, path])
        pools[identity, "text"] = texts
    for record, odd in zip(train[3:], ODD_CAPTIONS, strict=False):
        record["caption"] = odd
    train[0]["caption"] = train[9]["caption"] = SHARED_CAPTION
    pools[first_tested, "text"][0] = "A pedestrian who looks as in vis/photo.jpg."
    test = {"RGB_GALLERY": gallery}
    for kind in query_kinds():
        test[kind] = [
            [identity, *(pools[identity, part.lower()][view] for part in kind.split("+"))]
            for identity in range(first_tested, count)
            for view in range(2)
        ]
    write_json(root / "annotations" / "train_annos.json", train)
    write_json(root / "annotations" / "test_gallery_and_queries.json", test)
    return root


def query_kinds() -> list[str]:
    """The 32 combinations of modalities: the leading one, then the others in a fixed order."""
    modalities = ("NIR", "CP", "SK", "TEXT")
    return [
        "+".join([leading, *(other for other in chosen if other != leading)])
        for size in range(1, 5)
        for chosen in combinations(modalities, size)
        for leading in chosen
    ]


def write_identity_clothing(root: Path, strings: bool = False, times: int = 1) -> Path:
    """CUHK-PEDES with identity and clothing captions, some of which are missing or empty.

    Args:
        root: where to write.
        strings: a text for each image, under a name of its own, instead of a list of texts.
        times: how many times as many identities.
    """
    write_cuhk_pedes(root, times=times)
    records = json.loads((root / "annotations" / "reid_raw.json").read_text(encoding="utf-8"))
    images = {record["file_path"]: record for record in records}.values()
    identity, clothing = [], []
    for number, record in enumerate(images):
        start = {"id": record["id"], "file_path": record["file_path"]}
        person = ["A young person, slim", f"pedestrian {record['id']}"]
        garment = [f"Wears a {look(record['id'])[0]} {look(record['id'])[1]}"]
        if number in (3, 20):
            person = [] if number == 3 else [""]
        if number == 4:
            garment = []
        if strings:
            identity.append(start | {"identity": ", ".join(person)})
            clothing.append(start | {"cloth": ", ".join(garment)})
        else:
            identity.append(start | {"captions": person, "split": record["split"]})
            clothing.append(start | {"captions": garment, "split": record["split"]})
    del clothing[6]
    names = ("id_captions.json", "cloth_captions.json")
    names = names if strings else ("caption_id.json", "caption_cloth.json")
    write_json(root / "annotations" / names[0], identity)
    write_json(root / "annotations" / names[1], clothing)
    return root


def write_custom(root: Path, name: str = "annotations.csv", times: int = 1) -> Path:
    """Somebody's own files: a row for each caption, identities that are names, a further column."""
    rows = []
    for split, identity in people(first=0, train=6 * times, val=2 * times, test=3 * times):
        for view in range(2):
            path = f"{split}/person {identity}-{view}.png"
            draw(root / "imgs" / path, identity)
            rows += [
                {
                    "image_path": path,
                    "caption": caption,
                    "pid": f"person-{identity:02d}",
                    "split": split,
                    "camera": f"c{view}",
                }
                for caption in captions(identity, view, 2)
            ]
    for row, odd in zip(rows[3:], ODD_CAPTIONS, strict=False):
        row["caption"] = odd
    folder = root / "annotations"
    folder.mkdir(parents=True, exist_ok=True)
    if name.endswith(".csv"):
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    else:
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


MINIATURES = {
    "cuhk_pedes": write_cuhk_pedes,
    "icfg_pedes": write_icfg_pedes,
    "rstpreid": write_rstpreid,
    "orbench": write_orbench,
    "identity_clothing": write_identity_clothing,
    "custom": write_custom,
}


def people(first: int, **identities: int) -> Iterator[tuple[str, int]]:
    """Split and number of each identity, counted over the splits."""
    for split, count in identities.items():
        for identity in range(first, first + count):
            yield split, identity
        first += count


def look(identity: int) -> tuple[str, str]:
    return list(COLOURS)[identity % 4], GARMENTS[identity // 4 % 4]


def captions(identity: int, view: int, count: int) -> list[str]:
    colour, garment = look(identity)
    fields = {"colour": colour, "garment": garment, "view": view, "identity": identity}
    return [template.format(**fields) for template in TEMPLATES[:count]]


def cuhk_record(split: str, identity: int, path: str, texts: list[str]) -> dict:
    return {
        "split": split,
        "captions": texts,
        "file_path": path,
        "processed_tokens": [text.lower().split() for text in texts],
        "id": identity,
    }


def make_odd(records: list[dict]) -> None:
    """Give training records the captions that are found in the files."""
    for record, odd in zip(records[3:], ODD_CAPTIONS, strict=False):
        record["captions"][-1] = odd
    records[0]["captions"][-1] = records[12]["captions"][-1] = SHARED_CAPTION


def of_split(records: list[dict], split: str) -> list[dict]:
    return [record for record in records if record["split"] == split]


def draw(path: Path, identity: int, size: tuple[int, int] = USUAL) -> None:
    """An image of `size` (width, height) in the colour of the identity, no two the same."""
    rng = np.random.default_rng(zlib.crc32(path.name.encode()))
    width, height = size
    noise = rng.integers(0, 60, (height, width, 3))
    pixels = noise + np.array(COLOURS[look(identity)[0]]) // 2
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
