"""What a gallery was made with: `manifest.json`."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ubg.model_fingerprint import codes_fingerprint, model_fingerprint
from ubg.runtime.faults import first_fault
from ubg.runtime.files import write_json
from ubg.runtime.opening import Kind, read_bytes

if TYPE_CHECKING:
    from ubg.library import TrainedModel

MANIFEST = "manifest.json"
FORMAT: Literal[1] = 1
VectorType: TypeAlias = Literal["float32", "float16"]


class Codes(BaseModel):
    """The codes that a gallery keeps for a second score: one of `count` at each of `length` places.

    `fingerprint` is that of the files that the second score reads beside the model.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    length: int = Field(ge=1, le=2**16)
    count: int = Field(ge=1, le=2**16)
    fingerprint: str

    @property
    def dtype(self) -> str:
        """Of a code on disk."""
        return "uint8" if self.count <= 2**8 else "uint16"


class Manifest(BaseModel):
    """What the vectors of a gallery were made with.

    Attributes:
        format: of the gallery.
        model: folder of the model, absolute, when the gallery was made.
        fingerprint: of that model and of how images are read.
        dimension: of a vector.
        vectors: type of its numbers on disk.
        codes: None where the gallery serves the cosine alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal[1]
    model: str
    fingerprint: str
    dimension: int = Field(ge=1, le=2**16)
    codes: Codes | None
    vectors: VectorType = "float32"  # older galleries do not say

    def require(self, model: Path, both_scores: bool) -> None:
        """Check that a model is the one whose vectors, or vectors and codes, are kept.

        Raises:
            ValueError: it is another one, or the codes are missing.
        """
        order = f"ubg index FOLDER --gallery ANOTHER --model {model}"
        anew = "index the folders anew into another gallery with"
        if model_fingerprint(model) != self.fingerprint:
            raise ValueError(
                f"the gallery was made with another model than {model} ({self.model}, as it was "
                f"then); {anew} `{order}`, or name the model of then by --model"
            )
        if both_scores and self.codes is None:
            raise ValueError(f"the gallery keeps no codes; {anew} `{order} --both-scores`")
        if both_scores and self.codes and codes_fingerprint(model) != self.codes.fingerprint:
            raise ValueError(
                f"the codes were made with another second score; {anew} `{order} --both-scores`"
            )

    def require_sizes(self, trained: "TrainedModel", both_scores: bool) -> None:
        """Check that the vectors, or vectors and codes, have the sizes that a model gives them.

        Raises:
            ValueError: they are not, so `manifest.json` was changed.
        """
        if trained.network.embedding_dim != self.dimension:
            raise ValueError(
                f"{MANIFEST}: dimension: {self.dimension}, where the model has "
                f"{trained.network.embedding_dim}; index the folders anew into another gallery"
            )
        if not both_scores:
            return
        assert self.codes is not None
        _, length, count = trained.caption_evidence([]).shape
        if (self.codes.length, self.codes.count) != (length, count):
            raise ValueError(
                f"{MANIFEST}: codes: one of {self.codes.count} at {self.codes.length} places, "
                f"where the model has one of {count} at {length}; index the folders anew into "
                "another gallery"
            )


def read_manifest(gallery: Path) -> Manifest:
    """The manifest of the gallery in a folder.

    Raises:
        ValueError: there is none, or it is damaged or of another version.
    """
    path = gallery / MANIFEST
    try:
        return Manifest.model_validate_json(read_bytes(path, Kind.CONFIG))
    except OSError as error:
        raise ValueError(
            f"{gallery}: is no gallery ({MANIFEST}: {error.strerror}); make one with `ubg index "
            f"FOLDER --model MODEL --gallery {gallery}`"
        ) from None
    except ValidationError as error:
        raise ValueError(
            f"{path}: {first_fault(error)}; index the folders anew into another gallery"
        ) from None


def write_manifest(gallery: Path, manifest: Manifest) -> None:
    """Write it whole or not at all."""
    write_json(gallery / MANIFEST, manifest.model_dump())
