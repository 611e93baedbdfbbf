"""IRRA (arXiv 2303.12501): CLIP's two towers, aligned globally and by guessing masked words."""

from typing import TYPE_CHECKING

from ubg.params import IrraNetwork
from ubg.systems.contract import System
from ubg.systems.irra.model import build

if TYPE_CHECKING:
    from ubg.data.batches.fields import BatchFields
    from ubg.training.task import Run, Task


def task(run: "Run") -> "Task":
    """What training takes."""
    from ubg.data.batches.fields import CaptionFields
    from ubg.data.text.tokenizers import clip_tokenizer
    from ubg.systems.irra.objective import with_objective
    from ubg.systems.irra.word_masking import MaskedWordFields, caption_masking
    from ubg.training.task import Task, loss_weights, network_values

    preset, params = run.params.preset, run.params.preset.irra
    network = IrraNetwork(
        **network_values(preset), clip=preset.towers.clip, clip_text=preset.towers.clip_text
    )
    tokenizer = run.read(clip_tokenizer, network.clip_text.pretrained)
    towers = run.architectures(
        vision=(network.clip, "clip", "vision"), text=(network.clip_text, "clip", "text")
    )
    model = build(network, len(tokenizer), towers)

    captions = run.training_captions(tokenizer, model.caption_fields)
    fields: list[BatchFields] = [CaptionFields(captions)]
    guessed = len(tokenizer)
    if params.losses.mlm is not None:
        seen_ids = captions.distinct_ids() if params.guess_among == "seen" else None
        masking = caption_masking(tokenizer, params.mask_ratio, run.params.seed, seen_ids)
        fields.append(MaskedWordFields(masking, model.caption_fields))
        guessed = masking.guessed or guessed
    identities = run.training_rows["pid"].nunique()
    return Task(
        model=with_objective(model, network, params, identities, len(tokenizer), guessed),
        network=network,
        tokenizer=tokenizer,
        fields=fields,
        optimiser=preset.optimiser.model_copy(
            update={"eps": params.optimiser.eps, "clip_norm": params.optimiser.clip_norm}
        ),
        loss_weights=lambda epochs: loss_weights(params.losses),
    )


SYSTEM = System(IrraNetwork, task, load=build)
