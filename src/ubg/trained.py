"""A trained model on disk: `models/<system>/`, and `ubg.load` that reads it back."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_model
from torch import Tensor

from ubg.data.images.decode import decode_image
from ubg.data.text.captions import TokenisedCaptions
from ubg.data.text.tokenizers import load_tokenizer
from ubg.retrieval.code_score import CodeScore, score_captions
from ubg.systems import system_named
from ubg.systems.contract import Trained

Images: TypeAlias = Sequence[str | Path | Image.Image]

SCORED_AT_ONCE = 64  # captions


def load_trained(folder: str | Path, weights: str = "model.safetensors") -> Trained:
    """The trained system in `folder`.

    Args:
        folder: what a train stage wrote.
        weights: "model.safetensors" (selected by validation) or "last.safetensors".

    Raises:
        ValueError: a file is missing or does not fit.
    """
    folder = Path(folder)
    config = _read_config(folder)
    tokenizer = load_tokenizer(folder / "tokenizer")
    try:
        system = system_named(config["system"])
        network = system.network.model_validate(config["network"])
        vocab_size, towers = config["vocab_size"], config["towers"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{folder / 'config.json'}: {_fault(error)}; the model is of another version of "
            "this code: train it again with `dvc repro`"
        ) from None
    model = system.load(network, vocab_size, towers)
    try:
        load_model(model, folder / weights)
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{folder / weights}: does not fit the model: {reason}") from None
    return Trained(model.eval(), tokenizer, network)


def load_code_score(trained: Trained, folder: str | Path) -> CodeScore:
    """The second score of the trained system in `folder`, on the device of its model.

    Raises:
        ValueError: the system has none, or a file of it is missing or does not fit.
    """
    folder = Path(folder)
    name = _read_config(folder)["system"]
    score = system_named(name).code_score(trained, folder)
    if score is None:
        raise ValueError(f"{name} has one score alone; load it without both_scores")
    return score


def _read_config(folder: Path) -> Any:
    try:
        return json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{folder}: is no trained model: config.json cannot be read ({error}); "
            "train one with `dvc repro train_<system>`"
        ) from None


def _fault(error: KeyError | TypeError | ValueError) -> str:
    if isinstance(error, ValidationError):
        fault = error.errors(include_url=False)[0]
        return f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
    return f"{error.args[0]}: missing" if isinstance(error, KeyError) else str(error)


class TrainedModel:
    """A trained model for library use: text and images in, unit vectors [N, D] out.

    Loaded with `both_scores`, also what its second score takes. Legend: L places of an image, V
    codes or classes of codes at each.
    """

    def __init__(
        self,
        folder: str | Path,
        device: str | torch.device | None = None,
        both_scores: bool = False,
    ):
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        trained = load_trained(folder)
        self.model = trained.model.to(self.device)
        self.tokenizer = trained.tokenizer
        self.network = trained.network
        self._code_score = load_code_score(trained, folder) if both_scores else None

    @torch.inference_mode()
    def encode_query(self, parts: Mapping[str, Sequence[str]]) -> Tensor:
        """Queries of one part or several, "text" to captions, to unit vectors [N, D], float32.

        Raises:
            ValueError: the model is not asked in one of these ways.
        """
        return self.model.encode_query(
            {name: self._batch(self._tokenised(captions)) for name, captions in parts.items()}
        )

    @torch.inference_mode()
    def encode_text(self, captions: Sequence[str]) -> Tensor:
        """Captions to unit vectors [N, D], float32."""
        return self.encode_query({"text": captions})

    @torch.inference_mode()
    def encode_image(self, images: Images) -> Tensor:
        """Paths or PIL images to unit vectors [N, D], float32, resized as in training.

        Raises:
            ValueError: an image cannot be read; its path is named.
        """
        return self._encode_pixels(self._pixels(images))

    @torch.inference_mode()
    def caption_evidence(self, captions: Sequence[str]) -> Tensor:
        """What each code at each place adds to the second score, float32 [N, L, V]."""
        return self._second_score().caption_evidence(self._batch(self._tokenised(captions)))

    @torch.inference_mode()
    def image_codes(self, images: Images) -> NDArray[np.int32]:
        """Codes of paths or PIL images, resized as in training, [N, L].

        Raises:
            ValueError: an image cannot be read; its path is named.
        """
        return self._second_score().image_codes(self._pixels(images))

    @torch.inference_mode()
    def score(self, captions: Sequence[str], images: Images) -> Tensor:
        """Score of N captions and M images, cosine plus second score, float32 [N, M].

        The second score is the sum over the places l of `caption_evidence[n, l, codes[m, l]]`.

        Raises:
            ValueError: an image cannot be read; its path is named.
        """
        second, tokenised = self._second_score(), self._tokenised(captions)
        pixels_MHWC = self._pixels(images)
        cosine_NM = self.encode_text(captions) @ self._encode_pixels(pixels_MHWC).T
        codes_ML = second.image_codes(pixels_MHWC)
        added_NM = score_captions(second, tokenised, codes_ML, SCORED_AT_ONCE, self.device)
        return cosine_NM + torch.from_numpy(added_NM).to(self.device)

    def _second_score(self) -> CodeScore:
        if self._code_score is None:
            raise ValueError("the second score was not loaded; load the model with both_scores")
        return self._code_score

    def _tokenised(self, captions: Sequence[str]) -> TokenisedCaptions:
        if isinstance(captions, str):
            raise ValueError("the model takes a list of captions; put the one caption in a list")
        return TokenisedCaptions(
            self.tokenizer, captions, self.network.max_tokens, self.model.caption_fields
        )

    def _batch(self, captions: TokenisedCaptions) -> dict[str, Tensor]:
        """All of them as one batch."""
        text = captions.batch(np.arange(len(captions)))
        return {name: ids.to(self.device) for name, ids in text.items()}

    def _pixels(self, images: Images) -> NDArray[np.uint8]:
        """The images at the size of the model, [N, H, W, 3]."""
        if isinstance(images, (str, Path)):
            raise ValueError("the model takes a list of images; put the one image in a list")
        size = self.network.image
        return np.stack([decode_image(image, size.height, size.width) for image in images])

    def _encode_pixels(self, pixels_NHWC: NDArray[np.uint8]) -> Tensor:
        uint8_NHWC = torch.from_numpy(pixels_NHWC).to(self.device)
        mean, std = (
            torch.tensor(values, device=self.device).view(3, 1, 1)
            for values in (
                self.model.normalisation.mean,
                self.model.normalisation.std,
            )
        )
        scaled = uint8_NHWC.permute(0, 3, 1, 2).float() / 255
        return self.model.encode_image((scaled - mean) / std)
