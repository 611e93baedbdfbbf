"""What t2i_reid is trained by: two contrasts, identities, and adversaries that hunt for leaks."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ubg.losses.clothing_match import clothing_match_loss
from ubg.losses.decouple import decouple_loss, hsic_loss
from ubg.losses.info_nce import info_nce_loss
from ubg.losses.words import words_loss
from ubg.params import T2iReid as T2iReidParams
from ubg.runtime.distributed import gather_features, gather_labels, mean_of_means
from ubg.systems.t2i_reid.embedded import Embedded
from ubg.systems.t2i_reid.gate import Gate
from ubg.systems.t2i_reid.gradient_reversal import reverse_gradient
from ubg.systems.t2i_reid.model import T2iReid


@dataclass(frozen=True)
class Sizes:
    """What the heads that train beside the model tell apart.

    Attributes:
        persons: in the training split.
        identity_words, clothing_words: of all training captions of that kind.
    """

    persons: int
    identity_words: int
    clothing_words: int


class T2iReidObjective(nn.Module):
    """The losses that are on, with all that trains for them alone: classifier, adversaries, ..

    Over several processes every loss is that of all their samples together.

    Legend: B batch, N batches of all processes, W width of the classifier's input, D embedding.

    Args:
        params: which losses, and how.
        width: W.
        dim: D.
        sizes: of the heads.
    """

    def __init__(self, params: T2iReidParams, width: int, dim: int, sizes: Sizes):
        super().__init__()
        self.params = params
        losses, adversaries = params.losses, params.losses.cloth_adv is not None
        self.scale = 1 / params.temperature
        self.classifier = self.clothing_adversary = self.identity_adversary = self.bio = None
        if losses.cls is not None:
            self.classifier = nn.Linear(width, sizes.persons)
            nn.init.normal_(self.classifier.weight, std=0.001)
            nn.init.zeros_(self.classifier.bias)
        if adversaries and params.grl_on in ("id", "both"):
            self.clothing_adversary = _adversary(dim, params.hidden, sizes.clothing_words)
        if adversaries and params.grl_on in ("cloth", "both"):
            self.identity_adversary = _adversary(dim, params.hidden, sizes.identity_words)
        if losses.bio is not None:
            self.bio = nn.Linear(dim, dim)
        self.gate = None if losses.composed is None else Gate(dim)

    def forward(self, batch: dict[str, Tensor], embedded: Embedded) -> dict[str, Tensor]:
        """The losses that are on, unweighted, each float32.

        Args:
            batch: `persons` and `outfits` [B]; `identity_words` and `clothing_words`, bool [B, V];
                `identity_texts` and `clothing_texts` [B], a number for the words of each image's
                captions; `identity_there` and `clothing_there`, bool [B], whether it has them;
                `is_matched`, bool [B], whether the clothing caption is its own; `grl_alpha` [B];
                `other_there`, bool [B], whether its person has another outfit, where `composed` is
                on.
            embedded: the samples of the batch.
        """
        losses = self._identity(batch, embedded) | self._clothing(batch, embedded)
        weights = self.params.losses
        image_ND = gather_features(embedded.image_identity_BD)
        worn_ND = gather_features(embedded.image_clothing_BD)
        if weights.decouple is not None:
            losses["decouple_loss"] = decouple_loss(image_ND, worn_ND)
        if weights.hsic is not None:
            losses["hsic_loss"] = hsic_loss(image_ND, worn_ND)
        if weights.cloth_adv is not None:
            losses["cloth_adv_loss"] = self._adversaries(batch, embedded)
        if self.gate is not None:
            losses["composed_loss"] = self._composed(batch, embedded, self.gate)
        return losses

    def _identity(self, batch: dict[str, Tensor], embedded: Embedded) -> dict[str, Tensor]:
        """InfoNCE of identity and whole captions, persons, and `bio`."""
        image_ND = gather_features(embedded.image_identity_BD)
        whole_ND = gather_features(embedded.whole_identity_BD)
        text_ND = gather_features(embedded.identity_BD)
        persons_N, texts_N = gather_labels(batch["persons"]), gather_labels(batch["identity_texts"])
        there_N = gather_labels(batch["identity_there"])
        same_words_NN = _equal(texts_N)
        matches_NN = _equal(persons_N) | same_words_NN
        seen_ND, said_ND = image_ND[there_N], text_ND[there_N]
        losses = {}
        pure = self._contrast(seen_ND, said_ND, matches_NN[there_N][:, there_N])
        taught_ND = image_ND if self.params.captions_teach_images else image_ND.detach()
        losses["info_nce_loss"] = (pure + self._contrast(taught_ND, whole_ND, matches_NN)) / 2
        if self.classifier is not None:
            logits_BI = self.classifier(embedded.projected_BW).float()
            local = F.cross_entropy(logits_BI, batch["persons"])
            losses["cls_loss"] = mean_of_means(local, len(logits_BI))
        if self.bio is not None:
            projected_ND = self.bio(seen_ND)
            same_words_NN = same_words_NN[there_N][:, there_N]
            losses["bio_loss"] = self._contrast(projected_ND, said_ND, same_words_NN)
        return losses

    def _clothing(self, batch: dict[str, Tensor], embedded: Embedded) -> dict[str, Tensor]:
        """InfoNCE of clothing captions, drawn ones as negatives, and of whole captions."""
        image_ND = gather_features(embedded.image_clothing_BD)
        outfits_N, texts_N = gather_labels(batch["outfits"]), gather_labels(batch["clothing_texts"])
        there_N = gather_labels(batch["clothing_there"])
        losses = {}
        if there_N.any():
            losses["cloth_match_loss"] = clothing_match_loss(
                image_ND[there_N],
                gather_features(embedded.clothing_BD)[there_N],
                outfits_N[there_N],
                texts_N[there_N],
                gather_labels(batch["is_matched"])[there_N],
                self.scale,
            )
        else:
            losses["cloth_match_loss"] = 0 * image_ND.sum()
        if self.params.losses.cloth is not None:
            whole_ND = gather_features(embedded.whole_clothing_BD)
            taught_ND = image_ND if self.params.captions_teach_images else image_ND.detach()
            matches_NN = _equal(outfits_N) | _equal(texts_N)
            losses["cloth_loss"] = self._contrast(taught_ND, whole_ND, matches_NN)
        return losses

    def _adversaries(self, batch: dict[str, Tensor], embedded: Embedded) -> Tensor:
        """How well the words of the one are read from the embedding of the other, a mean."""
        pairs = (
            (self.clothing_adversary, embedded.image_identity_BD, "clothing"),
            (self.identity_adversary, embedded.image_clothing_BD, "identity"),
        )
        found = []
        for head, image_BD, kind in pairs:
            if head is not None:
                there_N = gather_labels(batch[f"{kind}_there"])
                words_NV = gather_labels(batch[f"{kind}_words"])[there_N]
                hidden_BD = reverse_gradient(image_BD, batch["grl_alpha"])
                logits_NV = gather_features(head(hidden_BD))[there_N]
                found.append(words_loss(logits_NV, words_NV))
        return torch.stack(found).mean()

    def _composed(self, batch: dict[str, Tensor], embedded: Embedded, gate: Gate) -> Tensor:
        """InfoNCE of images and queries, each a person in another outfit and a clothing caption.

        A query seeks its person in the outfit of its caption. With a drawn caption it is a negative
        of every image; who has no other outfit asks nothing.
        """
        assert embedded.other_identity_BD is not None
        query_BQ = torch.cat(gate(embedded.other_identity_BD, embedded.clothing_BD), dim=1)
        image_BQ = torch.cat([embedded.image_identity_BD, embedded.image_clothing_BD], dim=1)
        query_NQ, image_NQ = gather_features(query_BQ), gather_features(image_BQ)
        asked_N = gather_labels(batch["other_there"]) & gather_labels(batch["clothing_there"])
        persons_N, outfits_N = gather_labels(batch["persons"]), gather_labels(batch["outfits"])
        matches_NN = _equal(persons_N) & _equal(outfits_N) & gather_labels(batch["is_matched"])
        return self._contrast(image_NQ, query_NQ[asked_N], matches_NN[:, asked_N])

    def _contrast(self, image_ND: Tensor, text_ND: Tensor, matches_NN: Tensor) -> Tensor:
        """InfoNCE; 0 without samples."""
        if len(image_ND) == 0 or len(text_ND) == 0:
            return 0 * (image_ND.sum() + text_ND.sum())
        return info_nce_loss(image_ND, text_ND, matches_NN, self.scale)


def with_objective(model: T2iReid, params: T2iReidParams, dim: int, sizes: Sizes) -> T2iReid:
    """The model as it trains; what is new in it is drawn after the weights of `model`.

    Args:
        model: whose towers and branches are shared with the result.
        params: which losses, and how.
        dim: of the embedding of a branch.
        sizes: of the heads beside the model.
    """
    objective = T2iReidObjective(params, model.vision.width, dim, sizes)
    return T2iReid(model.vision, model.text, model.branches, objective)


def _equal(labels_N: Tensor) -> Tensor:
    """Which two are the same, bool [N, N]."""
    return labels_N[:, None] == labels_N[None, :]


def _adversary(dim: int, hidden: int, words: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, words))
