"""What training takes where caption and visible patches are seen together."""

from dataclasses import replace
from pathlib import Path

from ubg.params import SharedNetwork
from ubg.systems.aligned.shared_encoder import SharedEncoderModel
from ubg.systems.phase4.codes import open_tokens
from ubg.systems.phase4.folder import write_generator
from ubg.systems.phase4.joint.branch import JointBranch, hold_out, validation_targets
from ubg.systems.phase4.joint.model import add_generator
from ubg.systems.phase4.joint.targets import GenerationTargets
from ubg.systems.phase4.schedule import gen_loss_weight
from ubg.training.task import Run, Task
from ubg.vqgan.codes.store import VQ_TOKENS


def add_joint_branch(run: Run, retrieval: Task, network: SharedNetwork) -> Task:
    """The task of phase 3 with the branch beside it."""
    params, generation = run.params, run.params.generation
    assert isinstance(retrieval.model, SharedEncoderModel)
    tokens, grid = run.read(open_tokens, run.pack), retrieval.model.vision.grid
    sizes = {"codes": tokens.codes, "length": tokens.grid[0] * tokens.grid[1]}
    held_out = hold_out(
        # One caption of every image: this is measured after every epoch.
        run.table.drop_duplicates("image_id"),
        run.pack,
        retrieval.tokenizer,
        network.max_tokens,
        validation_targets(tokens, grid, generation),
    )

    def loss_weights(epochs: float) -> dict[str, float]:
        weight = gen_loss_weight(params.gen_weight, generation.warmup_epochs, epochs)
        return retrieval.loss_weights(epochs) | {"gen_loss": weight}

    branch = JointBranch(
        add_generator(retrieval.model, network, generation, **sizes),
        GenerationTargets(tokens, grid, generation, params.seed),
        held_out,
        loss_weights(generation.warmup_epochs),
    )
    batch_size = params.preset.training.validation_batch_size

    def write_parts(best: Path) -> None:
        write_generator(generation, sizes, best)

    return replace(
        retrieval,
        model=branch.model,
        fields=[*retrieval.fields, branch.targets],
        loss_weights=loss_weights,
        validate=lambda split, features: branch.validate(batch_size),
        inputs=[*retrieval.inputs, VQ_TOKENS],
        write_parts=write_parts,
    )
