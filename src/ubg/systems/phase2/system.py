"""Phase 2: SigLIP's vision tower and the T5 encoder, aligned by SDM."""

from functools import partial
from typing import TYPE_CHECKING

from ubg.params import AlignedNetwork
from ubg.retrieval.contract import TowerConfigs
from ubg.systems.aligned.dual_encoder import DualEncoder, build_dual_encoder
from ubg.systems.contract import System
from ubg.towers.vision import siglip_vision

if TYPE_CHECKING:
    from ubg.training.task import Run, Task


def build(network: AlignedNetwork, vocab_size: int, configs: TowerConfigs) -> DualEncoder:
    """The model; see `build_dual_encoder`."""
    vision = siglip_vision(network.vision, network.image, network.attention, configs.get("vision"))
    return build_dual_encoder(vision, network, vocab_size, configs)


def task(run: "Run") -> "Task":
    """What training takes."""
    from ubg.systems.aligned.task import aligned_network, aligned_task

    preset = run.params.preset
    network = aligned_network(preset, preset.towers.siglip)
    return aligned_task(run, network, "siglip", partial(build, network))


SYSTEM = System(AlignedNetwork, task, load=build)
