"""Pictures in and out: an upload to pixels, an image of the gallery to a small or a large JPEG."""

import io

from PIL import Image

from ubg.data.images.decode import decode_image, open_image
from ubg.search.picture import upright_size

UPLOAD_BYTES = 10 * 2**20
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
        with open_image(content) as image:
            size = _reduced(image)
        return Image.fromarray(decode_image(content, *size))
    except ValueError as error:
        raise ValueError(f"{' '.join(str(error).split())}; give another one") from None


def _reduced(image: Image.Image) -> tuple[int, int]:
    """Height and width, upright, of what waits for the model."""
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
