"""Every bad image is answered with its path, the reason and what to do, whatever is in it."""

import io
import os
import shutil

import numpy as np
import pytest
import sections
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from miniatures import write_cuhk_pedes
from PIL import Image
from spoiled_images import CONTENTS, bomb, picture
from told import Fault, assert_told, refusal

from ubg.data.annotations.table import read_annotations
from ubg.data.images.decode import decode_image
from ubg.data.images.image_pack import ImagePack
from ubg.data.images.pack import pack_images
from ubg.runtime.opening import Kind, open_file
from ubg.search.picture import read_picture

SIZE = sections.image(height=32, width=16)
REMEDY = "; replace it, or allow some with image.max_broken"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    root = write_cuhk_pedes(tmp_path_factory.mktemp("good"))
    return root, read_annotations("cuhk_pedes", root)


@pytest.fixture
def copied(good, tmp_path):
    """A folder of images of which one may be spoiled, and its table."""
    root, table = good
    for path in table["image_path"].unique():
        (tmp_path / "imgs" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / "imgs" / path, tmp_path / "imgs" / path)
    return tmp_path, table


def other_than_bytes(kind, path):
    """Put what is no plain file where an image was."""
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link to itself":
        path.symlink_to(path.name)
    elif kind == "too many bytes":
        with path.open("wb") as file:
            file.truncate(Kind.IMAGE + 1)
    else:
        assert kind == "nothing"


OTHERS = {
    "folder": "is not a file",
    "pipe": "is not a file",
    "link to itself": "Too many levels of symbolic links",
    "too many bytes": f"has {Kind.IMAGE + 1:,} bytes, more than {Kind.IMAGE.value:,}",
    "nothing": "No such file or directory",
}


def assert_refused_by_pack(copied, path, says):
    root, table = copied

    def pack():
        pack_images(table, root / "imgs", SIZE, root / "images", threads=2)

    where = str(root / "imgs" / path)
    assert_told(Fault(print, where, says, REMEDY), refusal(pack, root))


@pytest.mark.parametrize("name", CONTENTS)
def test_bad_content_is_told_and_nothing_is_packed(copied, name):
    content, says = CONTENTS[name]
    path = copied[1]["image_path"].iloc[-1]
    (copied[0] / "imgs" / path).unlink()
    (copied[0] / "imgs" / path).write_bytes(content)
    assert_refused_by_pack(copied, path, says)


@pytest.mark.parametrize("name", CONTENTS)
def test_bad_content_is_told_alike_of_a_path_a_content_and_a_file(tmp_path, name):
    path = tmp_path / "x"
    path.write_bytes(CONTENTS[name][0])
    pixels_or_one_line(path)


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_file_is_told_and_nothing_is_packed(copied, kind):
    path = copied[1]["image_path"].iloc[-1]
    (copied[0] / "imgs" / path).unlink()
    other_than_bytes(kind, copied[0] / "imgs" / path)
    assert_refused_by_pack(copied, path, OTHERS[kind])


def test_bad_images_are_told_each_on_its_line_or_left_out(copied):
    root, table = copied
    paths = table["image_path"].unique()[: len(CONTENTS)]
    for path, (content, _) in zip(paths, CONTENTS.values(), strict=True):
        (root / "imgs" / path).unlink()
        (root / "imgs" / path).write_bytes(content)

    def pack(size):
        pack_images(table, root / "imgs", size, root / "images", threads=2)

    heading, *lines, more = refusal(lambda: pack(SIZE), root).splitlines()
    assert f"({len(CONTENTS)})" in heading
    assert f"and {len(CONTENTS) - len(lines)} more" in more
    for path, line, (_, says) in zip(paths, lines, CONTENTS.values(), strict=False):
        assert str(root / "imgs" / path) in line
        assert says in line
    pack(SIZE.model_copy(update={"max_broken": len(CONTENTS)}))
    kept = set(table["image_id"]) - set(range(len(CONTENTS)))
    assert set(ImagePack(root / "images").image_ids) == kept


def exif(*entries):
    """A little-endian TIFF header with entries (tag, type, count, value)."""
    body = len(entries).to_bytes(2, "little")
    for tag, kind, count, value in entries:
        body += tag.to_bytes(2, "little") + kind.to_bytes(2, "little")
        body += count.to_bytes(4, "little") + value.to_bytes(4, "little")
    return b"II*\0\x08\0\0\0" + body + b"\0\0\0\0"


ODD_METADATA = {
    "orientation is text": exif((0x0112, 2, 4, 0x36363636)),
    "orientation of many": exif((0x0112, 3, 2, 0x00060006)),
    "orientation 99": exif((0x0112, 3, 1, 99)),
    "entry points out": exif((0x010E, 2, 2**31, 2**31), (0x0112, 3, 1, 6)),
    "unknown type": exif((0x0112, 99, 1, 6)),
    "entries without end": b"II*\0\x08\0\0\0\xff\xff" + b"\0" * 12,
    "points at itself": b"II*\0\x08\0\0\0\0\0\x08\0\0\0",
    "no header": b"nonsense",
    "cut": b"II*\0",
}


@pytest.mark.parametrize("name", ODD_METADATA)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.filterwarnings("ignore")
def test_odd_metadata_are_passed_over_or_told(tmp_path, name, kind):
    path = tmp_path / "x"
    path.write_bytes(picture(kind, exif=b"Exif\0\0" + ODD_METADATA[name]))
    pixels_or_one_line(path)


def pixels_or_refusal(source):
    try:
        return decode_image(source, 8, 4), None
    except ValueError as error:
        return None, error


def pixels_or_one_line(path):
    pixels, refused = pixels_or_refusal(path)
    if refused is None:
        assert pixels.shape == (8, 4, 3)
        assert pixels.dtype == np.uint8
    else:
        assert type(refused) is ValueError
        assert str(refused).startswith(f"{path}: ")
        assert str(refused).isprintable()
        assert len(str(refused)) < 1_000
    content, of_content = pixels_or_refusal(path.read_bytes())
    with open_file(path, Kind.IMAGE) as file:
        file.read(100)  # as one that hashes it has done
        opened, of_opened = pixels_or_refusal(file)
    np.testing.assert_equal([opened, content], [pixels, pixels])
    assert str(of_opened) == str(refused)
    assert str(of_content).removeprefix("image") == str(refused).removeprefix(str(path))


KINDS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
GOOD = {kind: picture(kind) for kind in KINDS} | {
    "PNG grey": bomb(20, 20, 16, 0),
    "PNG clear": bomb(20, 20, 8, 6),
    "JPEG turned": picture("JPEG", exif=b"Exif\0\0" + exif((0x0112, 3, 1, 6))),
    "PNG turned": picture("PNG", exif=b"Exif\0\0" + exif((0x0112, 3, 1, 6))),
}


LOW = io.BytesIO()
Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4) % 4 * 64).convert("L").save(
    LOW, "PNG", bits=2, transparency=2
)


@pytest.mark.parametrize("name", [*CONTENTS, *GOOD, "PNG of 2 bits"])
def test_indexing_reads_a_picture_as_all_others_do(tmp_path, name):
    path = tmp_path / "x.png"
    contents = {name: content for name, (content, _) in CONTENTS.items()} | GOOD
    path.write_bytes((contents | {"PNG of 2 bits": LOW.getvalue()})[name])
    pixels, refused = pixels_or_refusal(path)
    found = read_picture(path, 8, 4, None)
    np.testing.assert_equal(found.pixels_HWC, pixels)
    assert found.fault == (None if refused is None else str(refused).removeprefix(f"{path}: "))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.filterwarnings("ignore")
@given(
    kind=st.sampled_from(sorted(GOOD)),
    changes=st.lists(st.tuples(st.integers(0, 2**16), st.binary(max_size=4)), max_size=4),
    cut=st.none() | st.integers(0, 2**16),
)
def test_any_bytes_give_pixels_or_one_line(tmp_path, kind, changes, cut):
    content = bytearray(GOOD[kind])
    for at, new in changes:
        # Headers are short and matter most.
        at %= len(content) if at % 2 else min(len(content), 100)
        content[at : at + len(new)] = new
    path = tmp_path / "x.png"
    path.write_bytes(bytes(content if cut is None else content[: cut % len(content)]))
    pixels_or_one_line(path)
