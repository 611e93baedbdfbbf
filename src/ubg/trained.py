"""A trained model on disk: `models/<system>/`, and `ubg.load` that reads it back."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_model
from torch import Tensor

from ubg.data.images.decode import decode_image
from ubg.data.text.captions import TokenisedCaptions
from ubg.data.text.tokenizers import load_tokenizer
from ubg.systems import system_named
from ubg.systems.contract import Trained


def load_trained(folder: str | Path, weights: str = "model.safetensors") -> Trained:
    """The trained system in `folder`.

    Args:
        folder: what a train stage wrote.
        weights: "model.safetensors" (selected by validation) or "last.safetensors".

    Raises:
        ValueError: a file is missing or does not fit.
    """
    folder = Path(folder)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{folder}: is no trained model: config.json cannot be read ({error}); "
            "train one with `dvc repro train_<system>`"
        ) from None
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


def _fault(error: KeyError | TypeError | ValueError) -> str:
    if isinstance(error, ValidationError):
        fault = error.errors(include_url=False)[0]
        return f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
    return f"{error.args[0]}: missing" if isinstance(error, KeyError) else str(error)


class TrainedModel:
    """A trained model for library use: text and images in, unit vectors [N, D] out."""

    def __init__(self, folder: str | Path, device: str | torch.device | None = None):
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        trained = load_trained(folder)
        self.model = trained.model.to(self.device)
        self.tokenizer = trained.tokenizer
        self.network = trained.network

    @torch.inference_mode()
    def encode_query(self, parts: Mapping[str, Sequence[str]]) -> Tensor:
        """Queries of one part or several, "text" to captions, to unit vectors [N, D], float32.

        Raises:
            ValueError: the model is not asked in one of these ways.
        """
        return self.model.encode_query(
            {name: self._tokenised(captions) for name, captions in parts.items()}
        )

    @torch.inference_mode()
    def encode_text(self, captions: Sequence[str]) -> Tensor:
        """Captions to unit vectors [N, D], float32."""
        return self.encode_query({"text": captions})

    def _tokenised(self, captions: Sequence[str]) -> dict[str, Tensor]:
        if isinstance(captions, str):
            raise ValueError("encode_text takes a list of captions; put the one caption in a list")
        tokenised = TokenisedCaptions(
            self.tokenizer, captions, self.network.max_tokens, self.model.caption_fields
        )
        text = tokenised.batch(np.arange(len(captions)))
        return {name: ids.to(self.device) for name, ids in text.items()}

    @torch.inference_mode()
    def encode_image(self, images: Sequence[str | Path | Image.Image]) -> Tensor:
        """Paths or PIL images to unit vectors [N, D], float32, resized as in training.

        Raises:
            ValueError: an image cannot be read; its path is named.
        """
        if isinstance(images, (str, Path)):
            raise ValueError("encode_image takes a list of images; put the one image in a list")
        size = self.network.image
        pixels = np.stack([decode_image(image, size.height, size.width) for image in images])
        uint8_NHWC = torch.from_numpy(pixels).to(self.device)
        mean, std = (
            torch.tensor(values, device=self.device).view(3, 1, 1)
            for values in (
                self.model.normalisation.mean,
                self.model.normalisation.std,
            )
        )
        scaled = uint8_NHWC.permute(0, 3, 1, 2).float() / 255
        return self.model.encode_image((scaled - mean) / std)
