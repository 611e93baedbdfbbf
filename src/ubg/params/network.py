"""What a trained model keeps of the params: enough to build it again without the project."""

from ubg.params.section import Positive, Section
from ubg.params.towers import Attention, ClipTextTower, Image, MaxTokens, VisionTower


class Network(Section):
    """What the models of all systems are built from; every system adds its own towers.

    Attributes:
        image: size of what the model is shown.
        max_tokens: longer captions are cut.
        attention: implementation, "sdpa" or "eager".
        embedding_dim: of the shared space.
    """

    image: Image
    max_tokens: MaxTokens
    attention: Attention
    embedding_dim: Positive


class ClipNetwork(Network):
    """A network with CLIP's two towers."""

    clip: VisionTower
    clip_text: ClipTextTower
