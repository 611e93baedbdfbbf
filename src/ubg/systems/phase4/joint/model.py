"""Phase 3, which must also explain what a decoder needs to fill in a masked image."""

from torch import Tensor

from ubg.losses.generation import generation_loss
from ubg.params import Generation, SharedNetwork
from ubg.runtime.distributed import mean_of_means
from ubg.systems.aligned.shared_encoder import SharedEncoderModel
from ubg.systems.phase4.joint.generator import Generator, build_generator
from ubg.systems.phase4.model import GenerativeModel


class JointModel(GenerativeModel):
    """The branch encodes the caption and the visible patches in a pass of their own."""

    generator: Generator

    def __init__(self, retrieval: SharedEncoderModel, generator: Generator, label_smoothing: float):
        super().__init__(retrieval, generator)
        self.label_smoothing = label_smoothing

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The losses of phase 3 and `gen_loss`; the fields of both branches are in the batch."""
        losses = self.retrieval(batch)
        predictions = self.generator(self.retrieval, batch)
        own_loss = generation_loss(
            predictions.logits_PV, predictions.target_ids_P, self.label_smoothing
        )
        losses["gen_loss"] = mean_of_means(own_loss, len(predictions.target_ids_P))
        return losses


def add_generator(
    retrieval: SharedEncoderModel,
    network: SharedNetwork,
    generation: Generation,
    codes: int,
    length: int,
) -> JointModel:
    """Phase 3 with the branch; its weights are drawn after those of `retrieval`, which stay.

    Args:
        retrieval: what phase 3 builds.
        network: what it was built from; the decoder shares sizes with its encoder.
        generation: the branch.
        codes: size of the codebook.
        length: positions of the code grid.
    """
    generator = build_generator(retrieval, network, generation, codes, length)
    return JointModel(retrieval, generator, generation.label_smoothing)
