"""Understanding by Generation: text-based person retrieval.

import ubg

model = ubg.load("models/phase2")
model.encode_text(["a woman in a red coat"])
model.encode_image(["crop.jpg"])
ubg.retrieval.metrics.retrieval_metrics(...)
ubg.losses.sdm_loss(...)
ubg.data.annotations.read_annotations("cuhk_pedes", "data/raw/cuhk_pedes")
"""

import importlib
import importlib.metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ubg.library import TrainedModel


def load(
    folder: str | Path, device: str | None = None, both_scores: bool = False
) -> "TrainedModel":
    """The trained model in `folder`, such as "models/phase2", ready to encode.

    Args:
        folder: what `dvc repro train_<system>` wrote.
        device: a torch device; by default a GPU where there is one.
        both_scores: read also what the system's second score takes, for `score`.

    Raises:
        ValueError: the folder holds no trained model, or one without a second score.
    """
    from ubg.library import TrainedModel

    return TrainedModel(folder, device, both_scores)


def __getattr__(name: str) -> Any:
    """Import sub-packages on first use: `import ubg` alone stays instant."""
    if name in {"data", "losses", "retrieval"}:
        return importlib.import_module(f"ubg.{name}")
    if name == "__version__":
        return importlib.metadata.version("ubg")
    raise AttributeError(f"module 'ubg' has no attribute {name!r}")
