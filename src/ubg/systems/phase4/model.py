"""Phase 4: phase 3, which must also explain what a decoder needs to fill in a masked image."""

from torch import Tensor, nn

from ubg.losses.generation import generation_loss
from ubg.params import Generation, SharedNetwork
from ubg.retrieval.contract import RetrievalModel, TowerConfigs
from ubg.runtime.distributed import mean_of_means
from ubg.systems.aligned.shared_encoder import SharedEncoderModel
from ubg.systems.phase4.generator import Generator, build_generator


class GenerativeModel(RetrievalModel):
    """The retrieval model of phase 3 with a training-only branch beside it.

    Retrieval comes first in every step, so that its random draws are those of phase 3.
    """

    inner = ("retrieval",)

    def __init__(self, retrieval: SharedEncoderModel, generator: Generator, label_smoothing: float):
        super().__init__()
        self.retrieval = retrieval
        self.normalisation = retrieval.normalisation
        self.generator = generator
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

    def encode_image(self, images: Tensor) -> Tensor:
        return self.retrieval.encode_image(images)

    def encode_text(self, text: dict[str, Tensor]) -> Tensor:
        return self.retrieval.encode_text(text)

    def tower_configs(self) -> TowerConfigs:
        return self.retrieval.tower_configs()

    def pretrained_modules(self) -> list[nn.Module]:
        return self.retrieval.pretrained_modules()

    def saved_parts(self) -> dict[str, nn.Module]:
        return {"model": self.retrieval, "generator": self.generator}


def add_generator(
    retrieval: SharedEncoderModel,
    network: SharedNetwork,
    generation: Generation,
    codes: int,
    length: int,
) -> GenerativeModel:
    """Phase 3 with the branch; its weights are drawn after those of `retrieval`, which stay.

    Args:
        retrieval: what phase 3 builds.
        network: what it was built from; the decoder shares sizes with its encoder.
        generation: the branch.
        codes: size of the codebook.
        length: positions of the code grid.
    """
    generator = build_generator(retrieval, network, generation, codes, length)
    return GenerativeModel(retrieval, generator, generation.label_smoothing)
