"""What it takes to train t2i_reid."""

from typing import Any

import pandas as pd

from ubg.data.batches.augment import Augmenter
from ubg.data.batches.fields import BatchFields, CaptionFields
from ubg.data.clothing import FILE, load_clothing
from ubg.data.prepared import PREPARED
from ubg.data.text.bert_tokens import bert_tokenizer
from ubg.data.text.tokenizers import TOKENIZER, load_tokenizer
from ubg.params import Params, T2iReidNetwork
from ubg.retrieval.encode import Features, Split
from ubg.systems.t2i_reid.batch import CaptionsOfImages, ClothingFields
from ubg.systems.t2i_reid.branches import CLOTHING, IDENTITY, part
from ubg.systems.t2i_reid.gate import write_gate
from ubg.systems.t2i_reid.gradient_reversal import reversal_strength
from ubg.systems.t2i_reid.model import build
from ubg.systems.t2i_reid.objective import Sizes, with_objective
from ubg.systems.t2i_reid.other_outfits import OtherOutfits, require_several_outfits
from ubg.systems.t2i_reid.share import choose_share
from ubg.training.task import Run, Task, loss_weights, network_values


def t2i_reid_task(run: Run) -> Task:
    """The model on training images, each with what is said of it, of its body and of its clothes.

    Raises:
        ValueError: an image has no row in the table of clothing; or `composed` is on, and nobody
            has two outfits.
    """
    preset, params = run.params.preset, run.params.preset.t2i_reid
    network = t2i_reid_network(run.params)
    tokenizer: Any
    if network.bert.pretrained is None:
        tokenizer = run.read(load_tokenizer, TOKENIZER)
    else:
        tokenizer = run.read(bert_tokenizer, network.bert.pretrained)
    towers = run.architectures(
        vision=(network.vision, "clip", "vision"), text=(network.bert, "bert", "text")
    )
    model = build(network, len(tokenizer), towers)
    rows = with_clothing(run.training_rows, run.read(load_clothing, PREPARED))
    identity, clothing = (
        CaptionsOfImages(kind, rows[f"{kind}_caption"].tolist(), tokenizer, network.max_tokens)
        for kind in (IDENTITY, CLOTHING)
    )
    fields: list[BatchFields] = [
        CaptionFields(run.training_captions(tokenizer, model.caption_fields)),
        ClothingFields(rows, identity, clothing, params.drawn_captions, run.params.seed),
    ]
    is_composed = params.losses.composed is not None
    if is_composed:
        run.read(require_several_outfits, rows)
        augmenter = Augmenter(preset.augmentation, model.normalisation, run.params.seed)
        fields.append(OtherOutfits(rows, run.pack, augmenter))
    sizes = Sizes(rows["person"].nunique(), identity.words, clothing.words)
    model = with_objective(model, params, model.branches.dim, sizes)

    def validate(split: Split, features: Features) -> dict[str, float]:
        share = model.branches.identity_share
        text, image = (
            part(joined.to(share.device), share) for joined in (features.text_QD, features.image_GD)
        )
        chosen, r1 = choose_share(text, image, split.text_pids, split.image_pids)
        share.fill_(chosen)
        return {"r1_of_best_share": r1, "identity_share": chosen}

    return Task(
        model=model,
        network=network,
        tokenizer=tokenizer,
        fields=fields,
        optimiser=preset.optimiser,
        loss_weights=lambda epochs: loss_weights(params.losses),
        validate=validate,
        inputs=[TOKENIZER, PREPARED / FILE],
        selected_by="r1_of_best_share",
        training=preset.training.model_copy(update=dict(params.training)),
        reported=lambda epoch: {"grl_alpha": reversal_strength(epoch)},
        write_parts=write_gate if is_composed else lambda best: None,
    )


def t2i_reid_network(params: Params) -> T2iReidNetwork:
    """What the model is built from."""
    preset = params.preset
    own = preset.t2i_reid
    return T2iReidNetwork(
        **network_values(preset) | {"embedding_dim": 2 * own.embedding_dim},
        vision=preset.towers.clip,
        bert=preset.towers.bert,
        neck=own.neck,
        hidden=own.hidden,
    )


def with_clothing(rows: pd.DataFrame, clothing: pd.DataFrame) -> pd.DataFrame:
    """The rows of annotations with the columns of their images in the table of clothing.

    Raises:
        ValueError: an image is not there.
    """
    columns = ["image_id", "person", "outfit", "identity_caption", "clothing_caption"]
    if missing := sorted(set(rows["image_id"]) - set(clothing["image_id"])):
        raise ValueError(
            f"{PREPARED / FILE}: has no image {missing[0]} ({len(missing):,} are missing); make it "
            "anew with `dvc repro prepare_annotations`"
        )
    rows = rows.drop(columns=columns[1:], errors="ignore")  # some formats bring captions as well
    return rows.merge(clothing[columns], on="image_id", how="left", validate="many_to_one")
