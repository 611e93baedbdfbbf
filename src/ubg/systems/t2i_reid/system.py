"""t2i_reid: who a person is, apart from what they wear."""

from typing import TYPE_CHECKING, Any

from ubg.data.clothing import lack_of_clothing
from ubg.params import Params, T2iReidNetwork
from ubg.systems.contract import System, Trained
from ubg.systems.t2i_reid.model import build

if TYPE_CHECKING:
    import pandas as pd

    from ubg.data.images.image_pack import ImagePack
    from ubg.training.task import Run, Task


def task(run: "Run") -> "Task":
    """What training takes."""
    from ubg.systems.t2i_reid.task import t2i_reid_task

    return t2i_reid_task(run)


def evaluate(
    trained: Trained, table: "pd.DataFrame", pack: "ImagePack", params: Params
) -> dict[str, Any]:
    """Each branch alone and identity captions, under "branches"; see `evaluate_branches`."""
    from ubg.systems.t2i_reid.evaluation import evaluate_branches

    return evaluate_branches(trained, table, pack, params)


SYSTEM = System(T2iReidNetwork, task, load=build, evaluate=evaluate, lacks=lack_of_clothing)
