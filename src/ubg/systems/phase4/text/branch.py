"""The branch of a training run: its validation, and how much its score weighs."""

from dataclasses import dataclass

import numpy as np
import torch

from ubg.data.batches.loader import image_batches
from ubg.data.images.image_pack import ImagePack
from ubg.retrieval.code_score import score_captions
from ubg.retrieval.encode import Features, Split
from ubg.retrieval.metrics import summarise
from ubg.retrieval.ranking import bidirectional_ranks
from ubg.runtime.distributed import from_main
from ubg.systems.phase4.model import gradient_ratio
from ubg.systems.phase4.scores import curves_of_epoch
from ubg.systems.phase4.text.code_score import CaptionLikelihoodScore
from ubg.systems.phase4.text.held_out import HeldOut, score
from ubg.systems.phase4.text.model import TextModel
from ubg.systems.phase4.text.targets import ClassTargets

GRADIENT_SAMPLES = 32
LEAST_SPREAD = 1e-3  # nats; less is the rounding of a branch that says nothing


@dataclass(frozen=True)
class TextBranch:
    """The branch of a training run.

    Attributes:
        model: of retrieval with the branch.
        targets: of the samples.
        held_out: the validation split, one caption of each image.
        pack: its images.
        weights: of all losses, when the branch has its full weight.
        score_share: spread of the second score in units of the spread of the cosine.
    """

    model: TextModel
    targets: ClassTargets
    held_out: HeldOut
    pack: ImagePack
    weights: dict[str, float]
    score_share: float

    def validate(self, batch_size: int, split: Split, features: Features) -> dict[str, float]:
        """R@1 by both scores, CE, accuracy, what another caption costs, the gradients' ratio.

        There is no such ratio where retrieval's losses know the identities of training alone.

        It sets the weight of the second score, so that the spread of it over all pairs of the
        split is `score_share` times that of the cosine.
        """
        true, shuffled = score(self.model, self.held_out, batch_size)
        weight, r1 = from_main(lambda: self._both_scores(batch_size, split, features))
        self.model.generator.score_weight.fill_(weight)
        curves = {"r1_both_scores": r1, **curves_of_epoch(true, shuffled)}
        if not self.model.per_identity:
            curves["gen_gradient_ratio"] = self._gradient_ratio()
        return curves

    def _both_scores(
        self, batch_size: int, split: Split, features: Features
    ) -> tuple[float, float]:
        """The weight of the second score, and R@1 by both, percent."""
        likelihood = self.model.generator
        likelihood.score_weight.fill_(1.0)
        unmirrored = np.zeros(len(split.image_ids), np.bool_)
        classes_IL = self.targets.classes(split.image_ids, unmirrored).astype(np.int32)
        captions = CaptionLikelihoodScore(self.model.retrieval, likelihood)
        sums_TI = score_captions(captions, split.captions, classes_IL, batch_size, captions.device)
        spread = float(sums_TI.std(dtype=np.float64))
        cosine_TI = features.text_QD @ features.image_GD.T
        weight = 0.0
        if spread > LEAST_SPREAD:
            weight = self.score_share * float(cosine_TI.double().std()) / spread
        text_to_image, _ = bidirectional_ranks(
            features.text_QD,
            features.image_GD,
            split.text_pids,
            split.image_pids,
            np.float32(weight) * sums_TI,
        )
        return weight, summarise(text_to_image)["r1"]

    def _gradient_ratio(self) -> float:
        held_out, model = self.held_out, self.model
        count = len(held_out.table)
        rows = np.unique(np.linspace(0, count - 1, min(count, GRADIENT_SAMPLES), dtype=np.int64))
        ids = held_out.table["image_id"].to_numpy(np.int64)[rows]
        pids = held_out.table["pid"].to_numpy(np.int64)[rows]
        batch = {
            "images": next(image_batches(self.pack, ids, model.normalisation, len(ids))),
            "pids": torch.from_numpy(pids),
            "code_classes": torch.from_numpy(held_out.classes_NL[rows]),
            **held_out.captions.batch(rows),
        }
        device = model.generator.score_weight.device
        on_device = {name: value.to(device) for name, value in batch.items()}
        return gradient_ratio(model, on_device, self.weights)
