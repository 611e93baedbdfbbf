"""Does the branch learn anything? Its figures on validation, and what it draws."""

from pathlib import Path
from typing import Any

import pandas as pd

from ubg.data.images.image_pack import ImagePack
from ubg.params import Params
from ubg.runtime.files import replace_folder
from ubg.systems.contract import Trained
from ubg.systems.phase4.folder import GENERATOR, read_generation
from ubg.systems.phase4.joint.evaluation import evaluate_joint
from ubg.systems.phase4.text.evaluation import evaluate_text

PLOTS = Path("plots/phase4/generation")


def evaluate_generation(
    trained: Trained, table: pd.DataFrame, pack: ImagePack, params: Params
) -> dict[str, dict[str, Any]]:
    """Measure the branch on validation and draw its predictions to `plots/phase4/generation/`.

    Args:
        trained: the selected weights of phase 4.
        table: all annotations whose image is in the pack.
        pack: all images.
        params: of the experiment.

    Returns:
        "generation": cross-entropies in nats, accuracy in percent, intervals of 95 %; nothing where
        the branch was off in training.
    """
    generation, _ = read_generation(GENERATOR)
    with replace_folder(PLOTS) as plots:
        if not generation.enable_gen:
            return {}
        print("phase4: predicting the codes of the validation images")
        if generation.condition == "text":
            return {"generation": evaluate_text(trained, table, pack, params, plots)}
        return {"generation": evaluate_joint(trained, generation, table, pack, params, plots)}
