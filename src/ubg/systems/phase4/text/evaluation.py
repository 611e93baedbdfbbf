"""What captions tell of the codes of held-out images, measured and drawn."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ubg.data.images.image_pack import ImagePack
from ubg.data.text.captions import TokenisedCaptions
from ubg.params import Params, Phase4Network
from ubg.retrieval.contract import TokenModel
from ubg.systems.contract import Trained
from ubg.systems.phase4.codes import Codes, open_tokens, training_ids, unmirrored
from ubg.systems.phase4.drawing import DRAWN, choose_samples, decode_images
from ubg.systems.phase4.folder import GENERATOR
from ubg.systems.phase4.scores import generation_metrics, summarise_generation
from ubg.systems.phase4.sheet import DrawnSample, draw_generation_sheet
from ubg.systems.phase4.text.held_out import HeldOut, hold_out, score
from ubg.systems.phase4.text.load import load_text
from ubg.systems.phase4.text.model import TextModel
from ubg.systems.phase4.text.targets import ClassTargets
from ubg.vqgan.model.folder import VQGAN_FOLDER, load_vqgan


def evaluate_text(
    trained: Trained,
    table: pd.DataFrame,
    pack: ImagePack,
    params: Params,
    plots: Path,
) -> dict[str, Any]:
    """Predict the classes of all codes of the validation images; draw some images to `plots`."""
    retrieval, network = trained.model, trained.network
    assert isinstance(retrieval, TokenModel)
    assert isinstance(network, Phase4Network)
    model = load_text(retrieval, network, GENERATOR)
    class_of_code_V = model.generator.class_of_code_V.cpu()
    tokens = open_tokens(pack)
    targets = ClassTargets(tokens, class_of_code_V)
    held_out = hold_out(
        table, targets, trained.tokenizer, network.max_tokens, retrieval.caption_fields
    )
    true, shuffled = score(model, held_out, params.preset.evaluation.batch_size)
    values = summarise_generation(
        true,
        shuffled,
        class_of_code_V.numpy()[training_ids(tokens, table)],
        len(model.generator.representative_K),
    )
    metrics = generation_metrics(values, held_out.table["pid"].to_numpy()[true.row_P])
    title = f"phase4, drawn from the caption alone ({params.data.label}, validation)"
    samples = _draw_samples(model, held_out, tokens, pack, trained)
    draw_generation_sheet(plots / "from_captions.png", title, samples)
    return metrics | {"score_weight": round(float(model.generator.score_weight), 6)}


@torch.inference_mode()
def _draw_samples(
    model: TextModel, held_out: HeldOut, tokens: Codes, pack: ImagePack, trained: Trained
) -> list[DrawnSample]:
    """Images of different identities whose caption names a colour, as captions tell of them."""
    rows, wrong = choose_samples(held_out.table, DRAWN)
    if not rows:
        return []
    table = held_out.table.iloc[rows]
    likelihood, device = model.generator, model.generator.score_weight.device
    vqgan = load_vqgan(VQGAN_FOLDER).to(device)
    image_ids = table["image_id"].to_numpy(np.int64)
    true_ids_BL = torch.from_numpy(unmirrored(tokens, image_ids)).to(device)
    classes_BL = likelihood.class_of_code_V[true_ids_BL]
    drawn = {
        "original": pack.read(pack.row_of(image_ids)),
        "VQGAN": decode_images(vqgan, true_ids_BL, tokens.grid),
        "classes": decode_images(vqgan, likelihood.representative_K[classes_BL], tokens.grid),
    }
    for column, texts in (
        ("from the\ncaption", table["caption"].tolist()),
        ("wrong\ncaption", wrong),
    ):
        captions = TokenisedCaptions(
            trained.tokenizer, texts, trained.network.max_tokens, trained.model.caption_fields
        )
        text = {
            name: values.to(device)
            for name, values in captions.batch(np.arange(len(texts))).items()
        }
        likeliest_BL = likelihood.logits_of(model.retrieval, text).argmax(dim=-1)
        drawn[column] = decode_images(vqgan, likelihood.representative_K[likeliest_BL], tokens.grid)
    return [
        DrawnSample(caption, wrong[i], {name: images[i] for name, images in drawn.items()})
        for i, caption in enumerate(table["caption"])
    ]
