"""What each branch of a trained model finds alone, and what identity captions find at best."""

from typing import Any

import pandas as pd

from ubg.data.clothing import FILE, UNKNOWN, identity_ceiling, load_clothing
from ubg.data.images.image_pack import ImagePack
from ubg.data.prepared import PREPARED
from ubg.params import Params
from ubg.retrieval.encode import Split, encode_split, make_split
from ubg.retrieval.metrics import retrieval_metrics
from ubg.systems.contract import Trained
from ubg.systems.t2i_reid.branches import CLOTHING, IDENTITY, part
from ubg.systems.t2i_reid.composed import evaluate_composed
from ubg.systems.t2i_reid.gate import MODEL, load_gate
from ubg.systems.t2i_reid.model import T2iReid


def evaluate_branches(
    trained: Trained, table: pd.DataFrame, pack: ImagePack, params: Params
) -> dict[str, Any]:
    """Text to image by one branch alone: whole captions, and on test those of one kind.

    Args:
        trained: the selected weights.
        table: all annotations whose image is in the pack.
        pack: all images.
        params: of the experiment.

    Returns:
        "branches": "identity_share", w of the score; under "test" and "val" the metrics of each
        branch by whole captions; under "identity_captions" and "clothing_captions" those of test
        by such captions through their own branch, left out where a data set has none there.
        Beside the R@1 of identity captions stands their "ceiling" where bodies are known: see
        `ubg.data.clothing.identity_ceiling`. Under "composed", where somebody has two outfits, what
        `evaluate_composed` gives.

    Raises:
        ValueError: the table of clothing or the gate cannot be read.
    """
    model = trained.model
    assert isinstance(model, T2iReid)
    branches: dict[str, Any] = {"identity_share": round(float(model.branches.identity_share), 3)}
    for split in ("test", "val"):
        branches[split] = _by_branch(trained, table, split, pack, params)
    clothing = load_clothing(PREPARED)
    clothing = clothing[clothing["image_id"].isin(table["image_id"])]
    for kind in (IDENTITY, CLOTHING):
        captions = clothing.assign(caption=clothing[f"{kind}_caption"])
        of_test = captions[captions["split"] == "test"]
        if (of_test["caption"] != "").any():
            found = _by_branch(trained, captions, "test", pack, params)[kind]
            branches[f"{kind}_captions"] = found
    by_identity = branches.get("identity_captions")
    if by_identity is not None and (clothing["body"] != UNKNOWN).all():
        by_identity["ceiling"] = round(identity_ceiling(clothing, "test"), 3)
        print(
            f"identity captions, test: R@1 {by_identity['r1']:.2f} of at most "
            f"{by_identity['ceiling']:.2f} expected of who knows bodies and no clothes "
            f"({PREPARED / FILE})"
        )
    gate = load_gate(MODEL, model.branches.dim)
    batch_size = params.preset.evaluation.batch_size
    if composed := evaluate_composed(trained, gate, clothing, pack, batch_size):
        branches["composed"] = composed
    return {"branches": branches}


def _by_branch(
    trained: Trained, table: pd.DataFrame, split: str, pack: ImagePack, params: Params
) -> dict[str, dict[str, float]]:
    """The metrics of each branch alone, text to image."""
    model = trained.model
    assert isinstance(model, T2iReid)
    made = make_split(
        table, split, trained.tokenizer, trained.network.max_tokens, model.caption_fields
    )
    return measure_branches(model, made, pack, params.preset.evaluation.batch_size)


def measure_branches(
    model: T2iReid, split: Split, pack: ImagePack, batch_size: int
) -> dict[str, dict[str, float]]:
    """R@1, R@5, R@10, mAP and mINP of "identity" and "clothing", text to image, in percent."""
    features = encode_split(model, split, pack, batch_size, quiet=True)
    share = model.branches.identity_share.cpu()
    text, image = part(features.text_QD, share), part(features.image_GD, share)
    return {
        name: {
            metric: round(value, 3)
            for metric, value in retrieval_metrics(
                text[name], image[name], split.text_pids, split.image_pids
            ).items()
        }
        for name in (IDENTITY, CLOTHING)
    }
