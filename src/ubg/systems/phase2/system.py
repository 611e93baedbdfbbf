"""Phase 2: SigLIP's vision tower and the T5 encoder, aligned by SDM."""

from functools import partial
from typing import TYPE_CHECKING

from ubg.params import AlignedNetwork
from ubg.retrieval.contract import TowerConfigs
from ubg.systems.aligned.dual_encoder import DualEncoder
from ubg.systems.contract import System
from ubg.towers.text import t5_encoder
from ubg.towers.vision import siglip_vision

if TYPE_CHECKING:
    from ubg.training.task import Run, Task


def build(network: AlignedNetwork, vocab_size: int, configs: TowerConfigs) -> DualEncoder:
    """The model; random weights come from torch's global generator.

    Args:
        network: its towers and sizes.
        vocab_size: tokens that the T5 tokenizer knows.
        configs: architectures of towers as `tower_configs` gave them; for these no pretrained
            weight is fetched, and the caller loads the weights.
    """
    size, attention = network.image, network.attention
    return DualEncoder(
        siglip_vision(network.vision, size, attention, configs.get("vision")),
        t5_encoder(network.t5, vocab_size, attention, configs.get("text")),
        network,
    )


def task(run: "Run") -> "Task":
    """What training takes."""
    from ubg.systems.aligned.task import aligned_task

    preset = run.params.preset
    network = AlignedNetwork.of(preset, preset.towers.siglip)
    return aligned_task(run, network, "siglip", partial(build, network))


SYSTEM = System(AlignedNetwork, task, load=build)
