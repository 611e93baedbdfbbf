"""The pack holds what PIL decodes; broken images are all found and told with their reasons."""

import io
import json
import multiprocessing
import struct
import threading
import zlib
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pandas as pd
import pytest
import sections
from PIL import Image as PillowImage
from spoiled_images import SIGNATURE, chunk, header

from ubg.data.annotations.table import read_annotations
from ubg.data.images.decode import decode_image
from ubg.data.images.image_pack import ImagePack
from ubg.data.images.pack import pack_images
from ubg.data.prepared import NO_IMAGE
from ubg.dataset_report.image_sizes import read_sizes

SIZE = sections.image(height=32, width=16)
WHITE = (255, 255, 255)


def png_header(width, height):
    """The first bytes of a PNG that claims to be huge and holds next to nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", len(header))
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + struct.pack(">I", 10)
        + b"IDAT"
        + b"\0" * 14
    )


@pytest.fixture
def table(cuhk_root):
    return read_annotations("cuhk_pedes", cuhk_root)


def pack(table, root, output, size=SIZE, threads=None):
    pack_images(table, root / "imgs", size, output, threads)
    return ImagePack(output)


def test_every_image_is_what_pil_decodes(table, cuhk_root, tmp_path):
    packed = pack(table, cuhk_root, tmp_path / "images")
    assert len(packed) == 30
    assert packed.image_ids.tolist() == list(range(30))
    pixels = packed.read(packed.row_of(packed.image_ids))
    for image_id, path in table.drop_duplicates("image_id")[["image_id", "image_path"]].values:
        with PillowImage.open(cuhk_root / "imgs" / path) as image:
            expected = image.convert("RGB").resize((16, 32), PillowImage.Resampling.BICUBIC)
        assert np.array_equal(pixels[image_id], np.asarray(expected))


def test_bytes_do_not_depend_on_the_number_of_threads(table, cuhk_root, tmp_path):
    pack(table, cuhk_root, tmp_path / "one", threads=1)
    pack(table, cuhk_root, tmp_path / "four", threads=4)
    for name in ("images.u8", "image_ids.npy", "index.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "four" / name).read_bytes()


def test_fingerprint_follows_the_pixels(table, cuhk_root, tmp_path):
    before = pack(table, cuhk_root, tmp_path / "before").fingerprint
    path = cuhk_root / "imgs" / table.loc[0, "image_path"]
    PillowImage.new("RGB", (20, 48), "white").save(path)
    assert pack(table, cuhk_root, tmp_path / "after").fingerprint != before


def test_reading_into_a_reused_buffer_in_any_order(table, cuhk_root, tmp_path):
    packed = pack(table, cuhk_root, tmp_path / "images")
    everything = packed.read(np.arange(30))
    buffer = np.zeros((4, 32, 16, 3), np.uint8)
    for rows in ([3, 1, 29, 3], [0, 0, 7, 12]):
        assert packed.read(np.array(rows), buffer) is buffer
        assert np.array_equal(buffer, everything[rows])


def test_threads_and_processes_share_a_pack(table, cuhk_root, tmp_path):
    packed = pack(table, cuhk_root, tmp_path / "images")
    everything = packed.read(np.arange(30))
    wrong = []

    def read_all(shift):
        for number in range(60):
            row = (number + shift) % 30
            if not np.array_equal(packed.read(np.array([row]))[0], everything[row]):
                wrong.append(row)

    threads = [threading.Thread(target=read_all, args=(shift,)) for shift in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        elsewhere = pool.submit(packed.read, np.arange(30)).result()
    assert np.array_equal(elsewhere, everything)


def test_unknown_image_is_named(table, cuhk_root, tmp_path):
    packed = pack(table, cuhk_root, tmp_path / "images")
    for unknown in (-1, 30, 99):
        with pytest.raises(ValueError, match=f"has no image {unknown}"):
            packed.row_of(np.array([0, unknown]))


def break_three(table, root):
    paths = [root / "imgs" / path for path in table["image_path"].unique()[:3]]
    paths[0].write_bytes(b"")
    content = paths[1].read_bytes()
    paths[1].write_bytes(content[: len(content) // 2])
    paths[2].write_bytes(png_header(50_000, 50_000))
    return paths


def test_all_broken_images_are_told_and_nothing_is_left_behind(table, cuhk_root, tmp_path):
    paths = break_three(table, cuhk_root)
    with pytest.raises(ValueError, match=r"broken images.*\(3\)") as raised:
        pack(table, cuhk_root, tmp_path / "images")
    message = str(raised.value)
    for path, reason in zip(paths, ("has no bytes", "runcated", "too large"), strict=True):
        (line,) = (line for line in message.splitlines() if str(path) in line)
        assert reason in line
    assert {path.name for path in tmp_path.iterdir()} == {"cuhk"}


def test_many_broken_images_are_counted_and_the_first_listed(table, cuhk_root, tmp_path, capsys):
    paths = table["image_path"].unique()
    for path in paths[1:]:
        (cuhk_root / "imgs" / path).write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"broken images.*\(29\)") as raised:
        pack(table, cuhk_root, tmp_path / "images")
    told = str(raised.value).splitlines()
    for path, line in zip(paths[1:], told[1:21], strict=False):
        assert f"{cuhk_root / 'imgs' / path}: is no image of a known format" in line
    assert told[21:] == ["  ... and 9 more"]

    pack(table, cuhk_root, tmp_path / "images", SIZE.model_copy(update={"max_broken": 29}))
    told = capsys.readouterr().out.splitlines()
    assert told[20:] == [
        f"left out: 9 more, all in {tmp_path / 'images' / 'index.json'}",
        "1 images of 32x16, 29 left out",
    ]
    index = json.loads((tmp_path / "images" / "index.json").read_text())
    assert [image["image_path"] for image in index["dropped"]] == paths[1:].tolist()


def test_what_a_killed_run_left_does_not_change_the_result(table, cuhk_root, tmp_path):
    pack(table, cuhk_root, tmp_path / "clean")
    aside = tmp_path / ".images.0123456789abcdef.partial"
    aside.mkdir()
    (aside / "images.u8").write_bytes(b"half")
    (aside / "other").write_bytes(b"x")
    pack(table, cuhk_root, tmp_path / "images")
    assert not aside.exists()
    clean = {path.name: path.read_bytes() for path in (tmp_path / "clean").iterdir()}
    assert {p.name: p.read_bytes() for p in (tmp_path / "images").iterdir()} == clean


def test_image_too_large_for_us_but_not_for_pil_is_refused_unread(tmp_path):
    (tmp_path / "x.png").write_bytes(png_header(10_000, 6_500))
    with pytest.raises(ValueError, match=r"x\.png: has 10000x6500 pixels, more than 50,000,000"):
        decode_image(tmp_path / "x.png", 4, 4)


def test_some_may_be_left_out_and_are_reported(table, cuhk_root, tmp_path, capsys):
    break_three(table, cuhk_root)
    size = SIZE.model_copy(update={"max_broken": 3})
    packed = pack(table, cuhk_root, tmp_path / "images", size)
    assert packed.image_ids.tolist() == list(range(3, 30))
    assert capsys.readouterr().out.count("left out: ") == 3
    with pytest.raises(ValueError, match="has no image 1"):
        packed.row_of(np.array([1]))


def test_who_is_asked_for_keeps_an_image(table, cuhk_root, tmp_path):
    """Captions of no image in particular stay when images are left out."""
    asked = table["raw_id"] == table["raw_id"].max()
    of_nobody = table[asked].assign(image_id=NO_IMAGE, image_path="")
    first, second = (cuhk_root / "imgs" / path for path in table[asked]["image_path"].unique())
    size = SIZE.model_copy(update={"max_broken": 2})
    first.write_bytes(b"")
    table = pd.concat([table, of_nobody])
    assert len(pack(table, cuhk_root, tmp_path / "images", size)) == 29
    second.write_bytes(b"")
    with pytest.raises(ValueError, match=r"every image of identity 15 is broken, and captions ask"):
        pack(table, cuhk_root, tmp_path / "images", size)


def test_damaged_pack_says_which_file_and_what_to_do(table, cuhk_root, tmp_path):
    pack(table, cuhk_root, tmp_path / "images")
    pixels = tmp_path / "images" / "images.u8"
    pixels.write_bytes(pixels.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"images\.u8: has .* bytes .*dvc repro`"):
        ImagePack(tmp_path / "images")
    (tmp_path / "images" / "index.json").write_text("{}")
    with pytest.raises(ValueError, match="is no image pack"):
        ImagePack(tmp_path / "images")


def save(image, path):
    image.save(path)
    return path


def test_modes_of_real_files_become_rgb(tmp_path):
    grey = PillowImage.new("L", (4, 4), 100)
    deep = PillowImage.fromarray(np.full((4, 4), 100 * 256, np.uint16))
    palette = PillowImage.new("RGB", (4, 4), (200, 10, 30)).quantize(4)
    clear = PillowImage.new("RGBA", (4, 4), (1, 2, 3, 255))
    expected = [(100,) * 3, (100,) * 3, (200, 10, 30), (1, 2, 3)]
    for number, image in enumerate([grey, deep, palette, clear]):
        pixels = decode_image(save(image, tmp_path / f"{number}.png"), 4, 4)
        assert pixels.shape == (4, 4, 3)
        assert tuple(pixels[0, 0]) == expected[number]


def test_what_is_transparent_becomes_white(tmp_path):
    image = PillowImage.new("RGBA", (4, 4), (200, 0, 0, 0))
    palette = PillowImage.new("P", (4, 4), 0)
    palette.putpalette([200, 0, 0])
    palette.save(tmp_path / "palette.png", transparency=0)
    for path in (save(image, tmp_path / "clear.png"), tmp_path / "palette.png"):
        assert decode_image(path, 4, 4).min() == 255


def test_image_turned_by_exif_stands_upright(tmp_path):
    image = PillowImage.new("RGB", (40, 10), "black")
    image.paste("white", (0, 0, 20, 10))
    exif = PillowImage.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    image.save(tmp_path / "turned.png", exif=exif)
    upright = decode_image(tmp_path / "turned.png", 40, 10)
    assert upright[:15].min() == 255
    assert upright[25:].max() == 0


@pytest.mark.parametrize("depth", [8, 16])
def test_grey_of_any_depth_is_turned_and_cleared_alike(tmp_path, depth):
    """White, black, transparent, from left to right; EXIF turns it by 90 degrees clockwise."""
    levels = np.repeat([[255, 0, 60]], 4, axis=0)
    dtype = np.uint8 if depth == 8 else np.uint16
    image = PillowImage.fromarray((levels << depth - 8).astype(dtype))
    exif = PillowImage.Exif()
    exif[0x0112] = 6
    content = io.BytesIO()
    image.save(content, "PNG", exif=exif)
    colour = chunk(b"tRNS", struct.pack(">H", 60 << depth - 8))
    png = content.getvalue()
    (tmp_path / "x.png").write_bytes(png[:33] + colour + png[33:])
    pixels = decode_image(tmp_path / "x.png", 3, 4)
    assert pixels[:, :, 0].tolist() == [[255] * 4, [0] * 4, [255] * 4]


@pytest.mark.parametrize(
    ("depth", "colour_type", "row", "transparent", "expected"),
    [
        (2, 0, b"\x60", [2], [(85,) * 3, WHITE]),
        (4, 0, b"\x12", [1], [WHITE, (34,) * 3]),
        (16, 2, struct.pack(">6H", 1000, 2000, 3000, 9, 9, 512), [1000, 2000, 3000],
         [WHITE, (0, 0, 2)]),
    ],
)  # fmt: skip
def test_transparent_colour_is_in_the_depth_of_the_file(
    tmp_path, depth, colour_type, row, transparent, expected
):
    colour = chunk(b"tRNS", struct.pack(f">{len(transparent)}H", *transparent))
    pixels = chunk(b"IDAT", zlib.compress(b"\0" + row))
    parts = [SIGNATURE, header(2, 1, depth, colour_type), colour, pixels, chunk(b"IEND", b"")]
    (tmp_path / "x.png").write_bytes(b"".join(parts))
    assert [tuple(pixel) for pixel in decode_image(tmp_path / "x.png", 1, 2)[0]] == expected


@pytest.mark.parametrize(
    ("values", "expected"), [([0, 100, 255], [0, 100, 255]), ([-5, 25_600, 65_535], [0, 100, 255])]
)
def test_whole_numbers_of_32_bits_hold_8_or_16(values, expected):
    image = PillowImage.fromarray(np.array([values], np.int32))
    assert decode_image(image, 1, 3)[0, :, 1].tolist() == expected


def test_fractions_are_refused():
    for white in (1, 255):
        image = PillowImage.fromarray(np.full((4, 4), white, np.float32))
        with pytest.raises(ValueError, match="are fractions"):
            decode_image(image, 4, 4)


@pytest.mark.parametrize("content", [b"text", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"BM"])
def test_files_that_are_no_images(tmp_path, content):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"x\.png: ") as raised:
        decode_image(tmp_path / "x.png", 4, 4)
    assert "\n" not in str(raised.value)


def test_grey_is_the_luma_of_a_colour_and_a_grey_value_stays(tmp_path):
    paths = ["grey.png", "red.png"]
    for path, colour in zip(paths, ((77, 77, 77), (200, 0, 0)), strict=True):
        PillowImage.new("RGB", (8, 16), colour).save(tmp_path / path)
    rows = pd.DataFrame({"image_id": [3, 7], "image_path": paths, "pid": [0, 1]})
    pack_images(rows, tmp_path, SIZE, tmp_path / "pack", channels=1)
    packed = ImagePack(tmp_path / "pack")
    assert packed.channels == 1
    pixels = packed.read(packed.row_of(np.array([7, 3])))
    assert pixels.shape == (2, 32, 16, 1)
    assert (pixels[0] == round(200 * 0.299)).all()
    assert (pixels[1] == 77).all()


@pytest.mark.parametrize("link", ["file", "folder"])
def test_an_image_that_was_turned_into_a_link_outwards_is_not_packed(
    table, cuhk_root, tmp_path, link
):
    """After preparing; also where some images may be broken."""
    path = cuhk_root / "imgs" / table["image_path"].iloc[0]
    place = path if link == "file" else path.parent
    place.rename(tmp_path / "secret")
    place.symlink_to(tmp_path / "secret")
    size = SIZE.model_copy(update={"max_broken": 30})
    with pytest.raises(ValueError, match=r"leads out of .*imgs by a link, to '.*secret") as caught:
        pack(table, cuhk_root, tmp_path / "images", size)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "images").exists()
    with pytest.raises(ValueError, match=r"leads out of .*imgs by a link"):
        read_sizes(table["image_path"].tolist(), cuhk_root / "imgs")


def test_links_that_dvc_makes_are_packed(cuhk_root, tmp_path):
    from dvc.repo import Repo

    plain = pack(read_annotations("cuhk_pedes", cuhk_root), cuhk_root, tmp_path / "plain")
    with Repo.init(str(cuhk_root), no_scm=True) as repo, repo.config.edit() as config:
        config["cache"]["type"] = ["symlink"]
    with Repo(str(cuhk_root)) as repo:
        repo.add(str(cuhk_root / "imgs"))
    table = read_annotations("cuhk_pedes", cuhk_root)
    assert (cuhk_root / "imgs" / table["image_path"].iloc[0]).is_symlink()
    assert pack(table, cuhk_root, tmp_path / "linked").fingerprint == plain.fingerprint
