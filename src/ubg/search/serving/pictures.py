"""Pictures in and out: an upload to pixels, an image of the gallery to a small or a large JPEG."""

import io

from PIL import Image

from ubg.data.images.decode import FORMATS, decode_image
from ubg.search.picture import upright_size

UPLOAD_BYTES = 10 * 2**20
UPLOAD_PIXELS = 50_000_000
UPLOAD_SIDE = 2048  # what is larger is reduced before it waits for the model
THUMBNAIL = (256, 384)  # width and height at most
PICTURE = (1600, 1600)
QUALITY = 88


def uploaded_picture(content: bytes) -> Image.Image:
    """An uploaded file as RGB, upright, `UPLOAD_SIDE` pixels wide and high at most.

    Raises:
        ValueError: it is no image, damaged, or too large.
    """
    if len(content) > UPLOAD_BYTES:
        raise ValueError(f"image: has {len(content):,} bytes; give {UPLOAD_BYTES:,} at most")
    try:
        with _opened(content) as image:
            size = _reduced(image)
        # Anew: what EXIF was looked for in, PIL takes for decoded, however far it came.
        with _opened(content) as image:
            return Image.fromarray(decode_image(image, *size))
    except Image.UnidentifiedImageError:
        reason = f"is no image of a known format ({', '.join(FORMATS)})"
    except Exception as error:  # what PIL raises on damaged files differs from format to format
        reason = " ".join(str(error).split())[:200] or type(error).__name__
    raise ValueError(f"image: {reason}; give another one")


def _opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content), formats=FORMATS)


def _reduced(image: Image.Image) -> tuple[int, int]:
    """Height and width, upright, of what waits for the model."""
    if image.width * image.height > UPLOAD_PIXELS:
        size = f"{image.width}x{image.height}"
        raise ValueError(f"has {size} pixels, more than {UPLOAD_PIXELS:,}")
    width, height = upright_size(image)
    scale = min(1.0, UPLOAD_SIDE / max(width, height))
    return max(1, round(height * scale)), max(1, round(width * scale))


def jpeg(image: Image.Image, size: tuple[int, int]) -> bytes:
    """The image within `size`, never enlarged, without what the file said of itself."""
    smaller = image.copy()
    smaller.thumbnail(size, Image.Resampling.LANCZOS)
    file = io.BytesIO()
    smaller.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
