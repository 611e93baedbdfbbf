"""t2i_reid: its branches, its losses, and how it is trained."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ubg.params.aligned import Neck
from ubg.params.clip_mer import ClipMerTraining
from ubg.params.network import Network
from ubg.params.section import Fraction, Positive, PositiveFloat, Section
from ubg.params.towers import BertTower, VisionTower


class T2iReidLosses(Section):
    """Weights of the losses; null is off.

    Attributes:
        info_nce: of identity embeddings, images to identity captions and to whole captions.
        cls: of persons, by a classifier of images' identity embeddings.
        cloth: of clothing embeddings, images to whole captions.
        cloth_match: of clothing embeddings, images to clothing captions, some drawn as negatives.
        cloth_adv: of the adversaries that `T2iReid.grl_on` names.
        decouple: of the two embeddings of an image, mean |cosine|.
        hsic: of the same two, their dependence by an estimator without bias.
        bio: of projected identity embeddings, images to identity captions of the same words.
        composed: of queries made of a person in another outfit and a clothing caption, to images.
    """

    info_nce: PositiveFloat
    cls: PositiveFloat | None
    cloth: PositiveFloat | None
    cloth_match: PositiveFloat
    cloth_adv: PositiveFloat | None
    decouple: PositiveFloat | None
    hsic: PositiveFloat | None
    bio: PositiveFloat | None
    composed: PositiveFloat | None


class T2iReid(Section):
    """Who it is, apart from what they wear.

    Attributes:
        neck: what a pooled feature goes through before its projections.
        embedding_dim: of each branch; a vector that is ranked by holds both.
        hidden: width of the shared layer of a branch.
        losses: their weights.
        temperature: of all contrasts.
        grl_on: where gradients are reversed: before an adversary of the identity embedding ("id"),
            of the clothing embedding ("cloth") or of each ("both"); "seed" is the published form,
            between the clothing projection and the clothing head that must read it.
        captions_teach_images: whole captions, which hold body and clothes, move image embeddings
            too; otherwise they only learn to be read.
        drawn_captions: share of the clothing captions that are drawn for somebody else.
        training: what differs from that of the other systems.
    """

    neck: Neck
    embedding_dim: Positive
    hidden: Positive
    losses: T2iReidLosses
    temperature: PositiveFloat
    grl_on: Literal["id", "cloth", "both", "seed"]
    captions_teach_images: bool
    drawn_captions: Annotated[Fraction, Field(lt=1)]
    training: ClipMerTraining

    @model_validator(mode="after")
    def _reversal_has_its_head(self) -> Self:
        if self.grl_on == "seed" and self.losses.cloth_adv is not None:
            raise ValueError("grl_on: seed has no adversary; set losses.cloth_adv to null")
        return self


class T2iReidNetwork(Network):
    """What the model is built from; what trains beside it is `T2iReid`'s.

    Attributes:
        embedding_dim: of the joined vector; a branch has half of it.
    """

    vision: VisionTower
    bert: BertTower
    neck: Neck
    hidden: Positive
