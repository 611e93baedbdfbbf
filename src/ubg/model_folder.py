"""A trained model on disk: `models/<system>/`, and `ubg.load` that reads it back."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_model
from torch import Tensor

from ubg.data.captions import TokenisedCaptions
from ubg.data.decode import decode_image
from ubg.data.tokenizers import load_tokenizer
from ubg.models.build import build_model
from ubg.models.contract import RetrievalModel
from ubg.params import Scale


def load_trained(
    folder: str | Path, weights: str = "model.safetensors"
) -> tuple[RetrievalModel, Any, Scale]:
    """Model in evaluation mode, tokenizer and the params that it was trained with.

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
        params = Scale.model_validate(config["params"])
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in fault["loc"])
        raise ValueError(
            f"{folder / 'config.json'}: {key}: {fault['msg']}; the model is of another version of "
            "this code: train it again with `dvc repro`"
        ) from None
    model = build_model(config["system"], params, config["vocab_size"], config["towers"])
    try:
        load_model(model, folder / weights)
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(f"{folder / weights}: does not fit the model: {reason}") from None
    return model.eval(), tokenizer, params


class TrainedModel:
    """A trained model for library use: text and images in, unit vectors [N, D] out."""

    def __init__(self, folder: str | Path, device: str | torch.device | None = None):
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.model, self.tokenizer, self.params = load_trained(folder)
        self.model.to(self.device)

    @torch.inference_mode()
    def encode_text(self, captions: Sequence[str]) -> Tensor:
        """Captions to unit vectors [N, D], float32."""
        if isinstance(captions, str):
            raise ValueError("encode_text takes a list of captions; put the one caption in a list")
        tokenised = TokenisedCaptions(
            self.tokenizer,
            captions,
            self.params.tokenizer.max_tokens,
            self.model.caption_fields,
        )
        text = tokenised.batch(torch.arange(len(captions)).numpy())
        return self.model.encode_text({name: ids.to(self.device) for name, ids in text.items()})

    @torch.inference_mode()
    def encode_image(self, images: Sequence[str | Path | Image.Image]) -> Tensor:
        """Paths or PIL images to unit vectors [N, D], float32, resized as in training.

        Raises:
            ValueError: an image cannot be read; its path is named.
        """
        if isinstance(images, (str, Path)):
            raise ValueError("encode_image takes a list of images; put the one image in a list")
        size = self.params.image
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
