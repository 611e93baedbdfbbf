"""What training takes where the caption alone predicts the codes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ubg.params import Phase4Network
from ubg.retrieval.contract import TokenModel
from ubg.retrieval.encode import Features, Split
from ubg.systems.phase4.codes import open_tokens, training_ids
from ubg.systems.phase4.folder import write_generator
from ubg.systems.phase4.schedule import gen_loss_weight
from ubg.systems.phase4.text.branch import TextBranch
from ubg.systems.phase4.text.classes import cluster_codes, read_codebook
from ubg.systems.phase4.text.held_out import hold_out
from ubg.systems.phase4.text.likelihood import build_likelihood
from ubg.systems.phase4.text.model import TextModel
from ubg.systems.phase4.text.targets import ClassTargets
from ubg.systems.phase4.unigram import log_frequencies
from ubg.training.task import Run, Task
from ubg.vqgan.codes.store import VQ_TOKENS
from ubg.vqgan.model.folder import VQGAN_FOLDER


def add_text_branch(run: Run, retrieval: Task, network: Phase4Network) -> Task:
    """The task of `retrieval` with the branch beside it."""
    params, generation, beside = run.params, run.params.generation, retrieval.model
    assert isinstance(beside, TokenModel)
    tokens = run.read(open_tokens, run.pack)
    classes = cluster_codes(run.read(read_codebook, VQGAN_FOLDER), generation.clusters)
    targets = ClassTargets(tokens, classes.of_code_V)
    count = len(classes.representative_K)
    known_NL = classes.of_code_V.numpy()[training_ids(tokens, run.table)]
    log_frequency_LK = smoothed(log_frequencies(known_NL, count), generation.label_smoothing)
    likelihood = build_likelihood(beside, network, generation, log_frequency_LK, classes)

    def loss_weights(epochs: float) -> dict[str, float]:
        weight = gen_loss_weight(params.gen_weight, generation.warmup_epochs, epochs)
        weights = retrieval.loss_weights(epochs) | {"gen_loss": weight}
        if generation.contrast is not None:
            weights["gen_itc_loss"] = weight * generation.contrast
        return weights

    branch = TextBranch(
        TextModel(beside, likelihood, generation),
        targets,
        hold_out(
            run.table, targets, retrieval.tokenizer, network.max_tokens, beside.caption_fields
        ),
        run.pack,
        loss_weights(generation.warmup_epochs),
        generation.score_share,
    )
    batch_size = params.preset.training.validation_batch_size
    sizes = {"codes": tokens.codes, "classes": count, "length": known_NL.shape[1]}

    def validate(split: Split, features: Features) -> dict[str, float]:
        return branch.validate(batch_size, split, features)

    def write_parts(best: Path) -> None:
        write_generator(generation, sizes, best)

    return replace(
        retrieval,
        model=branch.model,
        fields=[*retrieval.fields, targets],
        loss_weights=loss_weights,
        validate=validate,
        inputs=[*retrieval.inputs, VQ_TOKENS, VQGAN_FOLDER],
        write_parts=write_parts,
    )


def smoothed(log_frequency_LK: NDArray[np.float64], smoothing: float) -> torch.Tensor:
    """What a branch that knows the frequencies alone should predict under smoothed labels.

    Without this a caption that says nothing would speak for images of rare classes.
    """
    classes = log_frequency_LK.shape[1]
    mixed_LK = (1 - smoothing) * np.exp(log_frequency_LK) + smoothing / classes
    return torch.from_numpy(np.log(mixed_LK)).float()
