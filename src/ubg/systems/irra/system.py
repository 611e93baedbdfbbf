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
    from ubg.systems.irra.objective import with_objective
    from ubg.systems.irra.word_masking import MaskedWordFields, caption_masking
    from ubg.training.task import Task

    network, params = IrraNetwork.of(run.params.preset), run.params.preset.irra
    tokenizer = run.inputs.clip_tokenizer(network.clip_text.pretrained)
    configs = {
        "vision": run.inputs.tower_config(network.clip, "clip", "vision"),
        "text": run.inputs.tower_config(network.clip_text, "clip", "text"),
    }
    known = {tower: config for tower, config in configs.items() if config is not None}
    model = build(network, len(tokenizer), known)

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
        loss_weights=lambda epochs: params.losses.weights(),
    )


SYSTEM = System(IrraNetwork, task, load=build)
