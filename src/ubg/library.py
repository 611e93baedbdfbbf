"""`ubg.load`: a trained model that takes texts and images."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from ubg.data.batches.samplers import batches_by_length
from ubg.data.images.decode import decode_image
from ubg.data.images.normalisation import Normalisation
from ubg.data.text.captions import TokenisedCaptions
from ubg.retrieval.code_score import CodeScore, score_captions
from ubg.retrieval.pixels import normalised
from ubg.runtime.cpu_products import fast_products
from ubg.trained import load_code_score, load_trained

Picture: TypeAlias = str | Path | Image.Image | NDArray[np.uint8]  # arrays are [H, W, 3]


Images: TypeAlias = Picture | Iterable[Picture]


Captions: TypeAlias = str | Iterable[str]


BATCH_SIZE = 64


@contextmanager
def _inference() -> Iterator[None]:
    """Without gradients, and on CPU by the faster products where no autocast is on."""
    precision = "bf16" if torch.is_autocast_enabled("cpu") else "fp32"
    with torch.inference_mode(), fast_products(precision):
        yield


class TrainedModel:
    """A trained model for library use: text and images in, unit vectors [N, D] out.

    Captions are one string or an iterable of strings. Images are one path, PIL image or NumPy array
    [H, W, 3] of uint8, or an iterable of them, which is read batch by batch. One item counts as a
    list of one, and an empty list gives no rows. `batch_size` is a number of images, or of captions
    of average length; captions of about the same length share a batch. `progress` shows a bar.

    Loaded with `both_scores`, also what its second score takes. Legend: D shared dimension, L
    places of an image, V codes or classes of codes at each.
    """

    def __init__(
        self,
        folder: str | Path,
        device: str | torch.device | None = None,
        both_scores: bool = False,
    ):
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        if not isinstance(folder, (str, os.PathLike)):
            raise ValueError(f"folder: {_shown(folder)} is no path; name that of a trained model")
        trained = load_trained(folder)
        self.model = trained.model.to(self.device)
        self.tokenizer = trained.tokenizer
        self.network = trained.network
        self._code_score = load_code_score(trained, folder) if both_scores else None

    @_inference()
    def encode_query(
        self,
        parts: Mapping[str, Captions | Images],
        batch_size: int = BATCH_SIZE,
        progress: bool = False,
    ) -> Tensor:
        """Queries of one part or several to unit vectors [N, D], float32.

        Args:
            parts: "text" to captions; other parts that the model is asked by, its `normalisations`,
                to images. Query n is made of item n of each.
            batch_size: a number of queries; of text alone, of captions of average length.
            progress: shows a bar.

        Raises:
            ValueError: there is no part or one that the model is not asked by, the parts differ in
                number, or an item is no text or no image; its part and position are named.
        """
        self._refuse_parts(parts)
        text = self._tokenised(parts["text"]) if "text" in parts else None
        images = {name: _pictures(name, parts[name]) for name in parts if name != "text"}
        counts = {name: len(pictures) for name, pictures in images.items()}
        if text is not None:
            counts["text"] = len(text)
        if len(set(counts.values())) > 1:
            told = ", ".join(f"{count:,} of {name}" for name, count in sorted(counts.items()))
            raise ValueError(f"each query needs all of its parts, and there are {told}")
        lengths_N = np.ones(max(counts.values()), np.int64)
        if text is not None and not images:
            lengths_N = text.lengths
        encoded_ND = torch.empty(len(lengths_N), self.network.embedding_dim, device=self.device)
        for rows in self._by_length(lengths_N, batch_size, progress):
            batch = {name: self._read_part(name, some, rows) for name, some in images.items()}
            if text is not None:
                batch["text"] = self._batch(text, rows)
            encoded_ND[torch.from_numpy(rows)] = self.model.encode_query(batch)
        return encoded_ND

    def encode_text(
        self, captions: Captions, batch_size: int = BATCH_SIZE, progress: bool = False
    ) -> Tensor:
        """Captions to unit vectors [N, D], float32.

        Raises:
            ValueError: a caption is no text; its position is named.
        """
        return self.encode_query({"text": captions}, batch_size, progress)

    @_inference()
    def encode_image(
        self, images: Images, batch_size: int = BATCH_SIZE, progress: bool = False
    ) -> Tensor:
        """Images to unit vectors [N, D], float32, resized as in training.

        Raises:
            ValueError: an image cannot be read, or is none; its position and path are named.
        """
        batches = self._pixel_batches(images, batch_size, progress)
        return self._joined([self._encode_pixels(pixels_BHWC) for pixels_BHWC in batches])

    @_inference()
    def caption_evidence(
        self, captions: Captions, batch_size: int = BATCH_SIZE, progress: bool = False
    ) -> Tensor:
        """What each code at each place adds to the second score, float32 [N, L, V].

        Raises:
            ValueError: as `encode_text`.
        """
        second, tokenised = self._second_score(), self._tokenised(captions)
        shape = len(tokenised), second.length, second.codes
        evidence_NLV = torch.empty(shape, device=self.device)
        for rows in self._by_length(tokenised.lengths, batch_size, progress):
            text = self._batch(tokenised, rows)
            evidence_NLV[torch.from_numpy(rows)] = second.caption_evidence(text)
        return evidence_NLV

    @_inference()
    def image_codes(
        self, images: Images, batch_size: int = BATCH_SIZE, progress: bool = False
    ) -> NDArray[np.int32]:
        """Codes of images, resized as in training, [N, L].

        Raises:
            ValueError: as `encode_image`.
        """
        second = self._second_score()
        batches = self._pixel_batches(images, batch_size, progress)
        none_0L = np.empty((0, second.length), np.int32)
        return np.concatenate([none_0L, *map(second.image_codes, batches)])

    @_inference()
    def score(
        self,
        captions: Captions,
        images: Images,
        batch_size: int = BATCH_SIZE,
        progress: bool = False,
    ) -> Tensor:
        """Score of N captions and M images, cosine plus second score, float32 [N, M].

        The second score is the sum over the places l of `caption_evidence[n, l, codes[m, l]]`.

        Raises:
            ValueError: as `encode_text` and `encode_image`.
        """
        second, texts = self._second_score(), _listed(captions)
        encoded, codes = [], []
        for pixels_BHWC in self._pixel_batches(images, batch_size, progress):
            encoded.append(self._encode_pixels(pixels_BHWC))
            codes.append(second.image_codes(pixels_BHWC))
        cosine_NM = self.encode_text(texts, batch_size, progress) @ self._joined(encoded).T
        if not codes:
            return cosine_NM
        tokenised, codes_ML = self._tokenised(texts), np.concatenate(codes)
        added_NM = score_captions(second, tokenised, codes_ML, batch_size, self.device)
        return cosine_NM + torch.from_numpy(added_NM).to(self.device)

    def _second_score(self) -> CodeScore:
        if self._code_score is None:
            raise ValueError("the second score was not loaded; load the model with both_scores")
        return self._code_score

    def _refuse_parts(self, parts: Mapping[str, Any]) -> None:
        known = ["text", *self.model.normalisations]
        by = ", ".join(known) if len(known) > 1 else "text alone"
        if not parts:
            raise ValueError(f"a query needs a part; this model is asked by {by}")
        if unknown := [str(name) for name in parts if name not in known]:
            raise ValueError(f"this model is asked by {by}, not by {', '.join(unknown)}")

    def _read_part(
        self, name: str, images: Sequence[Picture], rows: NDArray[np.int64]
    ) -> dict[str, Tensor]:
        """The images `rows` of a part of queries, as the model takes them."""
        normalisation, size = self.model.normalisations[name], self.network.image
        shape = size.height, size.width, len(normalisation.mean)
        pixels = [_pixels(f"{name} {row}", images[row], shape) for row in rows.tolist()]
        return {"images": self._normalised(np.stack(pixels), normalisation)}

    def _tokenised(self, captions: Captions | Images) -> TokenisedCaptions:
        return TokenisedCaptions(
            self.tokenizer, _listed(captions), self.network.max_tokens, self.model.caption_fields
        )

    def _by_length(
        self, lengths_N: NDArray[np.int64], batch_size: int, progress: bool
    ) -> Iterator[NDArray[np.int64]]:
        """Positions of queries, batch by batch."""
        _refuse_no_batch(batch_size)
        with tqdm(total=len(lengths_N), unit="query", disable=not progress) as bar:
            for rows in batches_by_length(lengths_N, batch_size):
                yield rows
                bar.update(len(rows))

    def _batch(self, captions: TokenisedCaptions, rows: NDArray[np.int64]) -> dict[str, Tensor]:
        return {name: ids.to(self.device) for name, ids in captions.batch(rows).items()}

    def _pixel_batches(
        self, images: Images, batch_size: int, progress: bool
    ) -> Iterator[NDArray[np.uint8]]:
        """The images at the size of the model, [B, H, W, 3], read as they are asked for."""
        _refuse_no_batch(batch_size)
        if _is_one(images):
            images = [images]
        if not isinstance(images, Iterable):
            raise ValueError(f"images: {_shown(images)} is neither an image nor a list of images")
        total = len(images) if isinstance(images, Sized) else None
        shape = self.network.image.height, self.network.image.width, 3
        waiting = enumerate(images)
        with tqdm(total=total, unit="image", disable=not progress) as bar:
            while some := list(islice(waiting, batch_size)):
                yield np.stack([_pixels(f"image {place}", one, shape) for place, one in some])
                bar.update(len(some))

    def _joined(self, encoded: list[Tensor]) -> Tensor:
        none_0D = torch.empty(0, self.network.embedding_dim, device=self.device)
        return torch.cat([none_0D, *encoded])

    def _encode_pixels(self, pixels_NHWC: NDArray[np.uint8]) -> Tensor:
        return self.model.encode_image(self._normalised(pixels_NHWC, self.model.normalisation))

    def _normalised(self, pixels_NHWC: NDArray[np.uint8], normalisation: Normalisation) -> Tensor:
        return normalised(torch.from_numpy(pixels_NHWC).to(self.device), normalisation)


def _listed(captions: Any) -> list[str]:
    if isinstance(captions, str):
        return [captions]
    if not isinstance(captions, Iterable):
        raise ValueError(f"captions: {_shown(captions)} is neither a text nor a list of texts")
    texts = list(captions)
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"caption {position}: {_shown(text)} is no text; give strings")
    return texts


def _pictures(name: str, images: Captions | Images) -> Sequence[Picture]:
    if _is_one(images):
        return [images]
    if not isinstance(images, Iterable):
        raise ValueError(f"{name}: {_shown(images)} is neither an image nor a list of images")
    return list(images)


def _is_one(images: Images) -> TypeGuard[Picture]:
    return isinstance(images, (str, Path, Image.Image)) or (
        isinstance(images, np.ndarray) and images.ndim == 3
    )


def _pixels(what: str, image: Any, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """An image as pixels of `shape`, [H, W, C]; errors call it `what`."""
    try:
        if isinstance(image, np.ndarray):
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
                raise ValueError(f"an array {list(image.shape)} of {image.dtype}")
            image = Image.fromarray(image)
        if not isinstance(image, (str, Path, Image.Image)):
            raise ValueError(f"{_shown(image)} is no image")
        if isinstance(image, Image.Image) and 0 in image.size:
            raise ValueError("it has no pixels")
        return decode_image(image, *shape)
    except Exception as error:  # what PIL raises on damaged images is not the same in any two forms
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{what}: {reason}; give a path, a PIL image or a NumPy array [H, W, 3] of uint8"
        ) from None


def _refuse_no_batch(batch_size: int) -> None:
    if batch_size < 1:
        raise ValueError(f"batch_size: {batch_size}; give 1 or more")


def _shown(value: Any) -> str:
    return " ".join(repr(value)[:60].split())
