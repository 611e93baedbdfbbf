"""The toy system: the mean colours of some strips of an image against a bag of words."""

from torch import Tensor, nn
from torch.nn import functional as F
from ubg.params.toy import ToyNetwork

from ubg.data.images.normalisation import Normalisation
from ubg.losses.itc import itc_loss
from ubg.retrieval.contract import RetrievalModel
from ubg.systems.contract import System

STRIPS = 8


class Toy(RetrievalModel):
    normalisation = Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))

    def __init__(self, network: ToyNetwork, vocab_size: int):
        super().__init__()
        self.logit_scale = 1 / network.toy.temperature
        self.colours = nn.Linear(3 * STRIPS, network.embedding_dim)
        self.words = nn.Embedding(vocab_size, network.embedding_dim, padding_idx=0)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        image_BD, text_BD = self.encode_image(batch["images"]), self.encode_text(batch)
        return {"itc_loss": itc_loss(image_BD, text_BD, self.logit_scale)}

    def encode_image(self, images: Tensor) -> Tensor:
        strips = F.adaptive_avg_pool2d(images, (STRIPS, 1)).flatten(1)
        return F.normalize(self.colours(strips).float(), dim=-1)

    def encode_text(self, text: dict[str, Tensor]) -> Tensor:
        return F.normalize(self.words(text["caption_ids_t5"]).sum(1).float(), dim=-1)


def load(network: ToyNetwork, vocab_size: int, configs) -> Toy:
    return Toy(network, vocab_size)


def task(run):
    from ubg.data.batches.fields import CaptionFields
    from ubg.data.text.tokenizers import TOKENIZER, load_tokenizer
    from ubg.training.task import Task, network_values

    preset = run.params.preset
    network = ToyNetwork(**network_values(preset), toy=preset.toy)
    tokenizer = run.read(load_tokenizer, TOKENIZER)
    model = Toy(network, len(tokenizer))
    return Task(
        model=model,
        network=network,
        tokenizer=tokenizer,
        fields=[CaptionFields(run.training_captions(tokenizer, model.caption_fields))],
        optimiser=preset.optimiser,
        loss_weights=lambda epochs: {"itc_loss": network.toy.itc},
        inputs=[TOKENIZER],
    )


SYSTEM = System(ToyNetwork, task, load)
