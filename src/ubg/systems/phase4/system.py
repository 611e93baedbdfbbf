"""Phase 4: phase 3 with a decoder that predicts the codes of the masked image while it trains."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ubg.params import Params, SharedNetwork
from ubg.systems.aligned.shared_encoder import build
from ubg.systems.contract import System, Trained

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from ubg.data.images.image_pack import ImagePack
    from ubg.training.task import Run, Task


def task(run: "Run") -> "Task":
    """What training takes: phase 3's, and the branch unless the params switch it off."""
    from ubg.systems.aligned.shared_encoder import SharedEncoderModel
    from ubg.systems.aligned.task import aligned_task, shared_network
    from ubg.systems.phase4.branch import (
        Branch,
        gen_loss_weight,
        hold_out,
        open_tokens,
        validation_targets,
        write_generator,
    )
    from ubg.systems.phase4.model import add_generator
    from ubg.systems.phase4.targets import GenerationTargets
    from ubg.vqgan.codes.store import VQ_TOKENS

    params, preset, generation = run.params, run.params.preset, run.params.generation
    network = shared_network(preset, preset.towers.siglip)
    retrieval = aligned_task(run, network, "siglip", partial(build, network))
    if not generation.enable_gen:
        return replace(retrieval, write_parts=partial(write_generator, generation, None))

    assert isinstance(retrieval.model, SharedEncoderModel)
    tokens, grid = run.read(open_tokens, run.pack), retrieval.model.vision.grid
    length = tokens.grid[0] * tokens.grid[1]
    held_out = hold_out(
        # One caption of every image: this is measured after every epoch.
        run.table.drop_duplicates("image_id"),
        run.pack,
        retrieval.tokenizer,
        network.max_tokens,
        validation_targets(tokens, grid, generation),
    )
    branch = Branch(
        add_generator(retrieval.model, network, generation, tokens.codes, length),
        GenerationTargets(tokens, grid, generation, params.seed),
        held_out,
    )

    def loss_weights(epochs: float) -> dict[str, float]:
        rising = gen_loss_weight(params.gen_weight, generation.warmup_epochs, epochs)
        return retrieval.loss_weights(epochs) | rising

    def write_parts(best: "Path") -> None:
        write_generator(generation, tokens, best)

    return replace(
        retrieval,
        model=branch.model,
        fields=[*retrieval.fields, branch.targets],
        loss_weights=loss_weights,
        validate=partial(branch.validate, preset.training.validation_batch_size),
        inputs=[*retrieval.inputs, VQ_TOKENS],
        write_parts=write_parts,
    )


def evaluate(
    trained: Trained, table: "pd.DataFrame", pack: "ImagePack", params: Params
) -> dict[str, Any]:
    """What the branch has learnt, under "generation"; pictures go to `plots/phase4/generation`."""
    from ubg.systems.phase4.evaluation import evaluate_generation

    return evaluate_generation(trained, table, pack, params)


SYSTEM = System(SharedNetwork, task, load=build, evaluate=evaluate)
