"""How a system declares itself."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ubg.params import Network, Params
from ubg.retrieval.contract import RetrievalModel, TowerConfigs

if TYPE_CHECKING:
    import pandas as pd

    from ubg.data.images.image_pack import ImagePack
    from ubg.retrieval.code_score import CodeScore
    from ubg.training.task import Run, Task


@dataclass(frozen=True)
class Trained:
    """A trained model as it was read back.

    Attributes:
        model: in evaluation mode.
        tokenizer: of its captions.
        network: what it was built from.
    """

    model: RetrievalModel
    tokenizer: Any
    network: Network


def nothing_else(
    trained: Trained, table: "pd.DataFrame", pack: "ImagePack", params: Params
) -> dict[str, Any]:
    """The `evaluate` of a system that has no metrics besides those of retrieval."""
    return {}


def cosine_alone(trained: Trained, folder: Path) -> "CodeScore | None":
    """The `code_score` of a system that ranks by its embeddings alone."""
    return None


def nothing_lacks(params: Params) -> str | None:
    """The `lacks` of a system that takes any data set."""
    return None


@dataclass(frozen=True)
class System:
    """How a system is trained, loaded and measured.

    Attributes:
        network: what a trained model keeps of the params.
        task: what training it takes.
        load: the model without its trained weights, from its network, the size of its vocabulary
            and what `RetrievalModel.tower_configs` gave.
        evaluate: what is measured of the selected weights beside retrieval, and drawn, given all
            annotations whose image is in the pack; goes into `metrics/<system>.json`.
        lacks: what the data set in use lacks for this system, as a sentence, None where it is
            nothing; its stages are then passed over.
        code_score: the second score of the selected weights, None where there is none, given the
            trained model and its folder; it computes on the device of that model.
    """

    network: type[Network]
    task: "Callable[[Run], Task]"
    load: Callable[[Any, int, TowerConfigs], RetrievalModel]
    evaluate: "Callable[[Trained, pd.DataFrame, ImagePack, Params], dict[str, Any]]" = nothing_else
    lacks: Callable[[Params], str | None] = nothing_lacks
    code_score: "Callable[[Trained, Path], CodeScore | None]" = cosine_alone
    shown: tuple[str, ...] = ()
