"""Image files that are none, are damaged, or would fill the memory."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(name: bytes, content: bytes, crc: int | None = None) -> bytes:
    crc = zlib.crc32(name + content) if crc is None else crc
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc)


def header(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))


def bomb(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    """A valid PNG of zeros: pixels without end in few bytes."""
    samples = {0: 1, 2: 3, 6: 4}[colour]
    row = b"\0" * (1 + (width * depth * samples + 7) // 8)
    squeeze = zlib.compressobj(9)
    pixels = b"".join(squeeze.compress(row) for _ in range(height)) + squeeze.flush()
    end = chunk(b"IEND", b"")
    return SIGNATURE + header(width, height, depth, colour) + chunk(b"IDAT", pixels) + end


def picture(kind: str, **options: object) -> bytes:
    """A noisy picture, good in itself."""
    pixels = np.random.default_rng(0).integers(0, 255, (60, 30, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def with_chunk(extra: bytes) -> bytes:
    """A good PNG with one more chunk behind its header."""
    png = picture("PNG")
    return png[:33] + extra + png[33:]


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def array_file() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros((4, 4)))
    return file.getvalue()


BMP_TOO_LARGE = (
    b"BM" + struct.pack("<IHHIIIIHH", 54, 0, 0, 54, 40, 60_000, 60_000, 1, 24) + b"\0" * 24
)
GIF_TOO_LARGE = (
    b"GIF89a"
    + struct.pack("<HHBBB", 65_535, 65_535, 0x80, 0, 0)
    + b"\0" * 6
    + b","
    + struct.pack("<HHHHB", 0, 0, 65_535, 65_535, 0)
    + b"\2\2\x4c\1\0;"
)
JPEG_TOO_LARGE = (
    b"\xff\xd8\xff\xc0"
    + struct.pack(">HBHHB", 17, 8, 65_500, 65_500, 3)
    + b"\1\x11\0\2\x11\0\3\x11\0"
    b"\xff\xda\0\x0c\3\1\0\2\0\3\0\0?\0"
)

NO_KNOWN_FORMAT = "is no image of a known format"
TOO_MANY_PIXELS = "pixels, more than 50,000,000"
TOO_LARGE = "is too large: Image size"

# Content of the file, and what is said of it.
CONTENTS: dict[str, tuple[bytes, str]] = {
    "no bytes": (b"", "has no bytes"),
    "text": (b"no image", NO_KNOWN_FORMAT),
    "page of a server that refused": (b"<!DOCTYPE html><title>404</title>", NO_KNOWN_FORMAT),
    "placeholder of large file storage": (b"version https://git-lfs.github.com/", NO_KNOWN_FORMAT),
    "drawing with scripts": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', NO_KNOWN_FORMAT),
    "PostScript, a program": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        NO_KNOWN_FORMAT,
    ),
    "array": (array_file(), NO_KNOWN_FORMAT),
    "TIFF": (picture("TIFF"), NO_KNOWN_FORMAT),
    "PNG signature alone": (SIGNATURE, NO_KNOWN_FORMAT),
    "PNG cut in its header": (picture("PNG")[:30], NO_KNOWN_FORMAT),
    "PNG cut in its pixels": (half(picture("PNG")), "runcated"),
    "PNG with damaged pixels": (flipped(picture("PNG"), 400), "broken"),
    "PNG without pixels": (SIGNATURE + header(30, 60) + chunk(b"IEND", b""), ""),
    "PNG of no width": (
        SIGNATURE + header(0, 60) + chunk(b"IDAT", zlib.compress(b"")),
        NO_KNOWN_FORMAT,
    ),
    "PNG header of 50,000 squared": (
        SIGNATURE + header(50_000, 50_000) + b"\0\0\0\nIDAT" + b"\0" * 14,
        TOO_LARGE,
    ),
    "PNG bomb of 20,000 squared": (bomb(20_000, 20_000, 1, 0), TOO_LARGE),
    "PNG bomb of 10,000 by 6,500": (bomb(10_000, 6_500, 1, 0), TOO_MANY_PIXELS),
    "PNG text that inflates": (
        with_chunk(chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"\0" * 100_000_000, 9))),
        "too large",
    ),
    "PNG profile that inflates": (
        with_chunk(chunk(b"iCCP", b"name\0\0" + zlib.compress(b"\0" * 50_000_000, 9))),
        "too large",
    ),
    "PNG with half an entry of metadata": (
        with_chunk(chunk(b"eXIf", b"II*\0")),
        "unpack requires a buffer",
    ),
    "JPEG cut": (half(picture("JPEG")), "runcated"),
    "JPEG signature alone": (b"\xff\xd8\xff\xe0", NO_KNOWN_FORMAT),
    "JPEG of 65,500 squared": (JPEG_TOO_LARGE, TOO_LARGE),
    "BMP cut": (half(picture("BMP")), "runcated"),
    "BMP signature alone": (b"BM", NO_KNOWN_FORMAT),
    "BMP of 60,000 squared": (BMP_TOO_LARGE, TOO_LARGE),
    "GIF cut": (half(picture("GIF")), "runcated"),
    "GIF of 65,535 squared": (GIF_TOO_LARGE, TOO_LARGE),
    "WEBP cut": (half(picture("WEBP")), "could not create decoder object"),
}
