"""What it takes to train a model of the phases."""

from collections.abc import Callable

from ubg.data.batches.fields import CaptionFields
from ubg.params import AlignedNetwork
from ubg.retrieval.contract import TowerConfigs
from ubg.systems.aligned.model import AlignedModel
from ubg.training.task import TOKENIZER, Run, Task


def aligned_task(
    run: Run,
    network: AlignedNetwork,
    family: str,
    build: Callable[[int, TowerConfigs], AlignedModel],
) -> Task:
    """The model of a phase on the training captions, by SDM and, where it has a weight, InfoNCE.

    Args:
        run: of which it is trained.
        network: of the phase.
        family: of its vision tower, "clip" or "siglip".
        build: makes the model of the network from the size of the vocabulary and the architectures
            of towers whose weights are not to be fetched.
    """
    tokenizer = run.inputs.t5_tokenizer()
    configs = {
        "vision": run.inputs.tower_config(network.vision, family, "vision"),
        "text": run.inputs.tower_config(network.t5, "t5", "text"),
    }
    known = {tower: config for tower, config in configs.items() if config is not None}
    model = build(len(tokenizer), known)
    captions = run.training_captions(tokenizer, model.caption_fields)
    return Task(
        model=model,
        network=network,
        tokenizer=tokenizer,
        fields=[CaptionFields(captions)],
        loss_weights=lambda epochs: network.losses.weights(),
        inputs=[TOKENIZER],
    )
