"""What it takes to train clip_mer."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ubg.data.batches.augment import Augmenter
from ubg.data.batches.fields import BatchFields, CaptionFields
from ubg.data.modalities.modalities import MODALITIES, load_modalities
from ubg.data.text.tokenizers import clip_tokenizer
from ubg.params import ClipMerNetwork, Params
from ubg.retrieval.encode import Features, Split
from ubg.systems.clip_mer.batch import PartImages
from ubg.systems.clip_mer.evaluation.measure import Gallery, measure_kinds
from ubg.systems.clip_mer.evaluation.parts import make_queries
from ubg.systems.clip_mer.model import build
from ubg.systems.clip_mer.objective import with_objective
from ubg.training.task import Run, Task, loss_weights, network_values


def clip_mer_task(run: Run) -> Task:
    """The model on training persons, each with an image of every modality that there is of them."""
    preset, params = run.params.preset, run.params.preset.clip_mer
    network = clip_mer_network(run.params)
    tokenizer = run.read(clip_tokenizer, network.clip_text.pretrained)
    towers = run.architectures(
        vision=(network.clip, "clip", "vision"), text=(network.clip_text, "clip", "text")
    )
    model = build(network, len(tokenizer), towers)
    modalities = run.read(load_modalities, MODALITIES)
    fields: list[BatchFields] = [
        CaptionFields(run.training_captions(tokenizer, model.caption_fields))
    ]
    for name, normalisation in model.normalisations.items():
        images = modalities.images[modalities.images["modality"] == name]
        fields.append(
            PartImages(
                name,
                modalities.packs[name],
                images_of_rows(run.training_rows, images),
                Augmenter(preset.augmentation, normalisation, run.params.seed),
            )
        )
    identities = run.training_rows["pid"].nunique()
    model = with_objective(model, params, identities, network.embedding_dim)
    batch_size = preset.training.validation_batch_size

    def validate(split: Split, features: Features) -> dict[str, float]:
        queries = make_queries(
            modalities, "val", tokenizer, network.max_tokens, model.caption_fields
        )
        gallery = Gallery(features.image_GD, split.image_pids)
        kinds = measure_kinds(model, queries, gallery, batch_size)
        averages = {f"map_{size}": values["map"] for size, values in kinds.averages().items()}
        return {"score": kinds.score, **averages}

    return Task(
        model=model,
        network=network,
        tokenizer=tokenizer,
        fields=fields,
        optimiser=preset.optimiser,
        loss_weights=lambda epochs: loss_weights(params.losses),
        validate=validate,
        inputs=[MODALITIES],
        selected_by="score",
        training=preset.training.model_copy(update=dict(params.training)),
    )


def clip_mer_network(params: Params) -> ClipMerNetwork:
    """What the model is built from."""
    preset = params.preset
    return ClipMerNetwork(
        **network_values(preset),
        clip=preset.towers.clip,
        clip_text=preset.towers.clip_text,
        adapters=preset.clip_mer.adapters,
        own=preset.clip_mer.own,
        fusion=preset.clip_mer.fusion,
    )


def images_of_rows(rows: pd.DataFrame, images: pd.DataFrame) -> Sequence[NDArray[np.int64]]:
    """For each training row the images of its person among those of a modality, int64 each."""
    training = images[images["split"] == "train"]
    of_person = {
        pid: group.to_numpy(np.int64) for pid, group in training.groupby("pid")["image_id"]
    }
    none = np.empty(0, np.int64)
    return [of_person.get(pid, none) for pid in rows["pid"]]
