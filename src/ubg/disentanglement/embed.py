"""What a model makes of images: one embedding, or one for each of its branches."""

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ubg.data.batches.loader import image_batches
from ubg.data.images.image_pack import ImagePack
from ubg.retrieval.contract import RetrievalModel
from ubg.runtime.cpu_products import fast_products
from ubg.runtime.progress import progress_bar
from ubg.systems import system_named
from ubg.systems.contract import Trained

WHOLE = "embedding"  # of a model without branches

Embeddings = dict[str, NDArray[np.float64]]  # unit vectors [N, D] by name


@runtime_checkable
class Branched(Protocol):
    """A model that embeds an image several times."""

    def image_branches(self, images: Tensor) -> dict[str, Tensor]:
        """Normalised images [B, 3, H, W] to unit vectors [B, D], by the name of the branch."""


@torch.inference_mode()
@fast_products()
def embed_images(
    name: str, model: RetrievalModel, image_ids: NDArray[np.int64], pack: ImagePack, batch_size: int
) -> Embeddings:
    """All embeddings of images, in their order; `name` is that of the model in the progress bar."""
    device = next(model.parameters()).device
    parts: dict[str, list[Tensor]] = {}
    batches = image_batches(pack, image_ids, model.normalisation, batch_size)
    with progress_bar(f"{name}: encoding", total=len(image_ids), unit="image") as bar:
        for images in batches:
            for name, features_BD in _branches(model, images.to(device)).items():
                parts.setdefault(name, []).append(features_BD.double().cpu())
            bar.update(len(images))
    return {name: torch.cat(features).numpy() for name, features in parts.items()}


def _branches(model: RetrievalModel, images: Tensor) -> dict[str, Tensor]:
    if isinstance(model, Branched):
        return model.image_branches(images)
    return {WHOLE: model.encode_image(images)}


def untrained(system: str, trained: Trained) -> RetrievalModel:
    """A model of the same system and sizes with random weights, the same in each run."""
    torch.manual_seed(0)
    towers = trained.model.tower_configs()
    model = system_named(system).load(trained.network, len(trained.tokenizer), towers)
    return model.eval()
