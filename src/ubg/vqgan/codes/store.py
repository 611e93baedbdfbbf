"""The VQ token ids of every packed image and of its mirror image: one HDF5 file, read at once.

Datasets are `ids`, uint16 [N, 2, L] (0 the image, 1 its mirror image; L codes row by row of the
grid), and `image_ids`, int64 [N], ascending. The attributes are the fields of `Origin`.
"""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ubg.runtime.files import replace_file
from ubg.runtime.opening import Kind, check_file

if TYPE_CHECKING:
    import h5py

VQ_TOKENS = Path("data/vq_tokens.h5")
FORMAT_VERSION = 1
# Raise it whenever a change of the encoding code changes ids.
ENCODING_VERSION = 1
MAX_BYTES = 2**32
ROWS_IN_CHUNK = 64
KINDS = {int: "i", float: "f", str: "S"}  # of NumPy's types, which attributes are stored as
ADVICE = "make it again with `dvc repro precompute_vq_tokens`"
LOCKED = "unable to lock file"  # HDF5's words
UNLOCK = "unset HDF5_USE_FILE_LOCKING, which makes HDF5 ask for a lock"


@dataclass(frozen=True)
class Origin:
    """What the ids were made from and by.

    Attributes:
        codes: size of the codebook; every id is below it.
        rows, columns: the grid of codes, L of them.
        height, width: of the images, in pixels.
        vqgan: fingerprint of the VQGAN's config and encoder.
        image_pack: fingerprint of the pack.
        precision: "fp32" or "bf16", of the encoder.
        changed_share: share of ids that differ from those of float32, 0 to 1, on a sample.
        encoding_version: of the code that encoded.
        format_version: of the file.
    """

    codes: int
    rows: int
    columns: int
    height: int
    width: int
    vqgan: str
    image_pack: str
    precision: str
    changed_share: float
    encoding_version: int = ENCODING_VERSION
    format_version: int = FORMAT_VERSION


class VqTokens:
    """Ids by image id, in memory: 15 MB for 40,000 images of 192 codes.

    Attributes:
        ids_N2L: uint16; see the module.
        image_ids: int64 [N], ascending.
        origin: what the ids were made from.
        codes: size of the codebook.
        grid: rows and columns of codes, L of them.
    """

    def __init__(self, path: str | Path) -> None:
        """Read the file at `path` whole.

        Raises:
            ValueError: the file is missing, damaged, or not what `write_vq_tokens` writes.
        """
        import h5py

        self.path = Path(path)
        try:
            size = check_file(self.path, Kind.CODES)
            # Without locks, which some network file systems refuse: no file is changed in place.
            with h5py.File(self.path, "r", locking=False) as file:
                self.origin = _read_origin(file)
                ids = _dataset(file, "ids", np.uint16, 3, size)
                image_ids = _dataset(file, "image_ids", np.int64, 1, size)
                expected = (len(image_ids), 2, self.origin.rows * self.origin.columns)
                if ids.shape != expected or not ids.size:
                    raise ValueError(
                        f"'ids' has shape {list(ids.shape)} where {len(image_ids):,} images and a "
                        f"grid of {self.origin.rows}x{self.origin.columns} need {list(expected)}"
                    )
                self.ids_N2L: NDArray[np.uint16] = ids[:]
                self.image_ids: NDArray[np.int64] = image_ids[:]
            _check_values(self.ids_N2L, self.image_ids, self.origin.codes)
        except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
            reason = _one_line(error)  # HDF5 reports damage by many kinds of errors
            advice = UNLOCK if LOCKED in reason else ADVICE
            raise ValueError(f"{self.path}: no usable VQ tokens: {reason}; {advice}") from None
        self.codes = self.origin.codes
        self.grid = self.origin.rows, self.origin.columns

    def __len__(self) -> int:
        return len(self.image_ids)

    def batch(
        self, image_ids_B: NDArray[np.int64], mirrored_B: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Ids, int64 [B, L], of images, or of their mirror images where `mirrored_B` says so.

        Raises:
            ValueError: an image is not in the file; the first such is named.
        """
        rows = np.searchsorted(self.image_ids, image_ids_B)
        found = self.image_ids[np.minimum(rows, len(self) - 1)] == image_ids_B
        if not found.all():
            raise ValueError(
                f"{self.path}: has no image {np.asarray(image_ids_B)[~found][0]}; it belongs to "
                f"another data set, or {ADVICE}"
            )
        flat = self.ids_N2L.reshape(2 * len(self), -1)
        return flat.take(2 * rows + np.asarray(mirrored_B), axis=0).astype(np.int64)

    def check_matches(
        self, vqgan_fingerprint: str, pack_fingerprint: str, height: int, width: int
    ) -> None:
        """Refuse ids that were made from or by something else than what is in use now.

        Args:
            vqgan_fingerprint: of the VQGAN in use.
            pack_fingerprint: `ImagePack.fingerprint`.
            height: of the images in use, in pixels.
            width: likewise.

        Raises:
            ValueError: naming all that differs, then and now.
        """
        origin = self.origin
        compared = [
            ("VQGAN", origin.vqgan, vqgan_fingerprint),
            ("image pack", origin.image_pack, pack_fingerprint),
            ("resolution", f"{origin.height}x{origin.width}", f"{height}x{width}"),
            ("encoding code version", origin.encoding_version, ENCODING_VERSION),
        ]
        differing = [
            f"another {name} ({made}, now {now})" for name, made, now in compared if made != now
        ]
        if differing:
            raise ValueError(f"{self.path}: was made from {' and '.join(differing)}; {ADVICE}")


def write_vq_tokens(
    path: str | Path, ids_N2L: NDArray[np.integer], image_ids: NDArray[np.int64], origin: Origin
) -> None:
    """Write what `VqTokens` reads, atomically; the same input gives the same bytes.

    Args:
        path: the HDF5 file.
        ids_N2L: [N, 2, L], each from 0 to `origin.codes` - 1.
        image_ids: [N], ascending.
        origin: becomes the attributes.

    Raises:
        ValueError: the file cannot be written.
    """
    import h5py

    assert ids_N2L.shape == (len(image_ids), 2, origin.rows * origin.columns)
    _check_values(ids_N2L, image_ids, origin.codes)
    chunks = (min(ROWS_IN_CHUNK, len(ids_N2L)), *ids_N2L.shape[1:])
    try:
        with (
            replace_file(path) as aside,
            h5py.File(aside, "w", libver=("v110", "v110"), locking=False) as file,
        ):
            file.create_dataset("ids", data=ids_N2L.astype("<u2"), chunks=chunks, track_times=False)
            file.create_dataset("image_ids", data=image_ids.astype("<i8"), track_times=False)
            for name, value in asdict(origin).items():
                file.attrs[name] = np.bytes_(value, "ascii") if isinstance(value, str) else value
    except OSError as error:
        reason = _one_line(error)
        advice = UNLOCK if LOCKED in reason else "make room for it, or make its folder writable"
        raise ValueError(
            f"{path}: cannot be written: {reason}; {advice}, and run the same command again: "
            "what has been encoded is kept"
        ) from None


def _read_origin(file: "h5py.File") -> Origin:
    version = _attribute(file, "format_version", int)
    if version != FORMAT_VERSION:
        raise ValueError(f"has format {version}, this program reads {FORMAT_VERSION}")
    values = {field.name: _attribute(file, field.name, field.type) for field in fields(Origin)}
    origin = Origin(**values)
    if min(origin.rows, origin.columns, origin.height, origin.width) < 1:
        raise ValueError("a side of the grid or of the images is less than 1")
    if not 1 <= origin.codes <= 65536:
        raise ValueError(f"attribute 'codes' is {origin.codes}, uint16 ids allow 1 to 65536")
    return origin


def _attribute(file: "h5py.File", name: str, expected: Any) -> Any:
    if name not in file.attrs:
        raise ValueError(f"attribute {name!r} is missing")
    # Text of variable length is not even read: damaged, it can keep the HDF5 library busy forever.
    stored = file.attrs.get_id(name)
    if stored.shape != () or stored.dtype.kind != KINDS[expected] or stored.dtype.itemsize > 64:
        raise ValueError(
            f"attribute {name!r} is {stored.dtype} of shape {stored.shape}, not one plain "
            f"{expected.__name__}"
        )
    value = file.attrs[name].item()
    return value.decode("ascii") if isinstance(value, bytes) else value


def _dataset(
    file: "h5py.File", name: str, dtype: type[np.integer], dimensions: int, file_bytes: int
) -> "h5py.Dataset":
    """The dataset `name`, if all its data lie in this very file and fit in memory."""
    import h5py

    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name!r} is missing or a link to elsewhere")
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"{name!r} is no dataset")
    if dataset.is_virtual or dataset.external:
        raise ValueError(f"{name!r} keeps its data in other files")
    if dataset.dtype != dtype:
        raise ValueError(f"{name!r} is {dataset.dtype}, not {np.dtype(dtype)}")
    if dataset.ndim != dimensions:
        raise ValueError(f"{name!r} has {dataset.ndim} dimensions, not {dimensions}")
    if dataset.nbytes > min(file_bytes, MAX_BYTES):
        raise ValueError(
            f"{name!r} declares {dataset.nbytes:,} bytes, more than the file has or is allowed"
        )
    return dataset


def _check_values(ids_N2L: NDArray[np.integer], image_ids: NDArray[np.int64], codes: int) -> None:
    if ids_N2L.min() < 0 or ids_N2L.max() >= codes:
        raise ValueError(f"id {ids_N2L.max()} lies beyond the {codes:,} codes of the codebook")
    wrong = np.flatnonzero(image_ids[1:] <= image_ids[:-1])
    if len(wrong):
        before, after = image_ids[wrong[0]], image_ids[wrong[0] + 1]
        raise ValueError(
            f"image {after} follows image {before}; 'image_ids' must ascend, each given once"
        )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
