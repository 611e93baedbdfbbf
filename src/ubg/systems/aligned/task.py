"""What it takes to train a model of the phases."""

from collections.abc import Callable

from ubg.data.batches.fields import CaptionFields
from ubg.data.text.tokenizers import TOKENIZER, load_tokenizer
from ubg.params import AlignedNetwork, Scale, SharedNetwork, VisionTower
from ubg.retrieval.contract import TowerConfigs
from ubg.systems.aligned.model import AlignedModel
from ubg.training.task import Run, Task, loss_weights, network_values


def aligned_network(preset: Scale, vision: VisionTower) -> AlignedNetwork:
    """What phases 1 and 2 are built from, with the vision tower that is chosen from the preset."""
    return AlignedNetwork(
        **network_values(preset),
        vision=vision,
        t5=preset.towers.t5,
        neck=preset.neck,
        temperature=preset.temperature,
        losses=preset.losses,
    )


def shared_network(preset: Scale, vision: VisionTower) -> SharedNetwork:
    """What phases 3 and 4 are built from."""
    aligned = aligned_network(preset, vision)
    return SharedNetwork(**dict(aligned), shared_encoder=preset.shared_encoder)


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
    tokenizer = run.read(load_tokenizer, TOKENIZER)
    towers = run.architectures(
        vision=(network.vision, family, "vision"), text=(network.t5, "t5", "text")
    )
    model = build(len(tokenizer), towers)
    captions = run.training_captions(tokenizer, model.caption_fields)
    return Task(
        model=model,
        network=network,
        tokenizer=tokenizer,
        fields=[CaptionFields(captions)],
        optimiser=run.params.preset.optimiser,
        loss_weights=lambda epochs: loss_weights(network.losses),
        inputs=[TOKENIZER],
    )
