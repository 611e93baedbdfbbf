"""The retrieval model that the branch stands beside: that of another system."""

from ubg.params import IrraNetwork, Phase4Network, Tower
from ubg.params.phase4 import Beside
from ubg.retrieval.contract import RetrievalModel, TowerConfigs
from ubg.systems.contract import System
from ubg.systems.irra.system import SYSTEM as IRRA
from ubg.systems.phase1.system import SYSTEM as PHASE1
from ubg.systems.phase2.system import SYSTEM as PHASE2
from ubg.systems.phase3.system import SYSTEM as PHASE3

BESIDE: dict[Beside, System] = {
    "irra": IRRA,
    "phase1": PHASE1,
    "phase2": PHASE2,
    "phase3": PHASE3,
}


def build(network: Phase4Network, vocab_size: int, configs: TowerConfigs) -> RetrievalModel:
    """The model of `network.beside` as it retrieves, without what trains beside its towers.

    Random weights come from torch's global generator.

    Args:
        network: its towers and sizes.
        vocab_size: tokens that its tokenizer knows.
        configs: architectures of towers as `tower_configs` gave them; for these no pretrained
            weight is fetched, and the caller loads the weights.
    """
    own = irra_network(network) if network.beside == "irra" else network
    return BESIDE[network.beside].load(own, vocab_size, configs)


def irra_network(network: Phase4Network) -> IrraNetwork:
    """What of the network the model of `irra` is built from."""
    return IrraNetwork(
        image=network.image,
        max_tokens=network.max_tokens,
        attention=network.attention,
        embedding_dim=network.embedding_dim,
        clip=network.vision,
        clip_text=network.clip_text,
    )


def text_tower(network: Phase4Network) -> tuple[Tower, float]:
    """The tower of the captions, and its dropout: what a decoder that reads them is built like."""
    if network.beside == "irra":
        return network.clip_text, 0.0
    return network.t5, network.t5.dropout
