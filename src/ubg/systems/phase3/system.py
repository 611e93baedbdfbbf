"""Phase 3: SigLIP's patch tokens and the caption through one shared T5 encoder, aligned by SDM."""

from functools import partial
from typing import TYPE_CHECKING

from ubg.params import SharedNetwork
from ubg.systems.aligned.shared_encoder import build
from ubg.systems.contract import System

if TYPE_CHECKING:
    from ubg.training.task import Run, Task


def task(run: "Run") -> "Task":
    """What training takes."""
    from ubg.systems.aligned.task import aligned_task, shared_network

    preset = run.params.preset
    network = shared_network(preset, preset.towers.siglip)
    return aligned_task(run, network, "siglip", partial(build, network))


SYSTEM = System(SharedNetwork, task, load=build)
