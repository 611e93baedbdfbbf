"""clip_mer: a person searched for by text, infrared, colour pencil and sketch, in one CLIP."""

from typing import TYPE_CHECKING, Any

from ubg.data.modalities.modalities import lack_of_modalities
from ubg.params import ClipMerNetwork, Params
from ubg.systems.clip_mer.model import build
from ubg.systems.contract import System, Trained

if TYPE_CHECKING:
    import pandas as pd

    from ubg.data.images.image_pack import ImagePack
    from ubg.training.task import Run, Task


def task(run: "Run") -> "Task":
    """What training takes."""
    from ubg.systems.clip_mer.task import clip_mer_task

    return clip_mer_task(run)


def evaluate(
    trained: Trained, table: "pd.DataFrame", pack: "ImagePack", params: Params
) -> dict[str, Any]:
    """Queries of all kinds, under "kinds", "kinds_val" and "controls"; see `evaluate_kinds`."""
    from ubg.systems.clip_mer.evaluation.evaluate import evaluate_kinds

    return evaluate_kinds(trained, table, pack, params)


SYSTEM = System(
    ClipMerNetwork,
    task,
    load=build,
    evaluate=evaluate,
    lacks=lack_of_modalities,
    shown=("kinds.score",),
)
