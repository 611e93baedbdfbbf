"""Phase 4: another system with a branch that predicts the codes of images while it trains."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ubg.params import Params, Phase4Network
from ubg.retrieval.contract import TokenModel
from ubg.systems.contract import System, Trained
from ubg.systems.phase4.retrieval import BESIDE, build

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from ubg.data.images.image_pack import ImagePack
    from ubg.retrieval.code_score import CodeScore
    from ubg.training.task import Run, Task


def task(run: "Run") -> "Task":
    """What training takes: that of the system beside, and the branch unless it is off."""
    from ubg.systems.aligned.task import shared_network
    from ubg.systems.phase4.folder import write_generator
    from ubg.systems.phase4.joint.task import add_joint_branch
    from ubg.systems.phase4.text.task import add_text_branch

    generation, preset = run.params.generation, run.params.preset
    with_clip = generation.beside in ("irra", "phase1")
    shared = shared_network(preset, preset.towers.clip if with_clip else preset.towers.siglip)
    network = Phase4Network(
        **dict(shared), clip_text=preset.towers.clip_text, beside=generation.beside
    )
    retrieval = replace(BESIDE[generation.beside].task(run), network=network)
    if not generation.enable_gen:
        return replace(retrieval, write_parts=partial(write_generator, generation, None))
    add_branch = add_text_branch if generation.condition == "text" else add_joint_branch
    return add_branch(run, retrieval, network)


def evaluate(
    trained: Trained, table: "pd.DataFrame", pack: "ImagePack", params: Params
) -> dict[str, Any]:
    """What the branch has learnt, under "generation"; pictures go to `plots/phase4/generation`."""
    from ubg.systems.phase4.evaluation import evaluate_generation

    return evaluate_generation(trained, table, pack, params)


def code_score(trained: Trained, folder: "Path") -> "CodeScore | None":
    """The likelihood of the codes given the caption; None where that is not what was trained."""
    from ubg.systems.phase4.folder import generator_folder, read_generation
    from ubg.systems.phase4.text.load import load_score

    assert isinstance(trained.model, TokenModel)
    assert isinstance(trained.network, Phase4Network)
    generator = generator_folder(folder)
    generation, _ = read_generation(generator)
    if not generation.enable_gen or generation.condition != "text":
        return None
    return load_score(trained.model, trained.network, generator)


SYSTEM = System(Phase4Network, task, load=build, evaluate=evaluate, code_score=code_score)
