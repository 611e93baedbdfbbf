"""What a trained model keeps of the params: enough to build it again without the project."""

from typing import TYPE_CHECKING, Any

from ubg.params.section import Positive, Section
from ubg.params.towers import Attention, Image, MaxTokens

if TYPE_CHECKING:
    from ubg.params import Scale


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

    @staticmethod
    def common(scale: "Scale") -> dict[str, Any]:
        """The values of these fields in a preset."""
        return {
            "image": scale.image,
            "max_tokens": scale.tokenizer.max_tokens,
            "attention": scale.towers.attention,
            "embedding_dim": scale.embedding_dim,
        }
