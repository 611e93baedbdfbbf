"""clip_mer: one CLIP for RGB galleries and for queries of four kinds of parts."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ubg.data.images.normalisation import Normalisation
from ubg.data.text.captions import CLIP_FIELDS
from ubg.params import ClipMerNetwork, LrFactors
from ubg.retrieval.contract import RetrievalModel, TowerConfigs
from ubg.systems.clip_mer.fusion import QueryFusion
from ubg.systems.clip_mer.low_rank import adapt_in_place
from ubg.systems.clip_mer.parts import CHANNELS, PARTS, RGB
from ubg.systems.clip_mer.tower import RoutedTower
from ubg.towers.clip import clip_towers
from ubg.towers.clip_text import ClipTextEncoder

if TYPE_CHECKING:
    from ubg.systems.clip_mer.objective import ClipMerObjective


class ClipMer(RetrievalModel):
    """A trunk with an expert for each modality, and the parts of a query fused to one vector.

    Legend: B batch, C channels, T tokens of a part (one: the class token, or EOT), D joint space.

    Args:
        vision: of all pictures.
        text: to the same D.
        fusion: of the parts of a query.
        objective: what trains beside them; None in a saved model, which only encodes.

    Attributes:
        normalisations: of the pictures that are searched by; `normalisation` is the gallery's.
    """

    caption_fields = CLIP_FIELDS
    per_identity = ("objective.classifier.",)
    inner = ("objective",)

    def __init__(
        self,
        vision: RoutedTower,
        text: ClipTextEncoder,
        fusion: QueryFusion,
        objective: "ClipMerObjective | None",
    ):
        super().__init__()
        self.vision = vision
        self.text = text
        self.fusion = fusion
        self.objective = objective
        self.normalisation = vision.clip.normalisation
        self.normalisations: Mapping[str, Normalisation] = vision.normalisations()

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The losses that are on, unweighted.

        Args:
            batch: `images` [B, 3, H, W], `caption_ids` and `caption_attn_mask` [B, T], `pids` [B];
                of each other part `<part>_images` [B, C, H, W] and `<part>_present`, bool [B].
        """
        assert self.objective is not None, "this model was built to encode"
        rgb_BD = self.vision(batch["images"], RGB)
        ids_BT, mask_BT = (batch[name] for name in self.caption_fields)
        words_BTD = self.text(ids_BT, mask_BT)
        rows_B = torch.arange(len(words_BTD), device=words_BTD.device)
        parts = {"text": words_BTD[rows_B, mask_BT.sum(1) - 1]}
        present = {}
        for name in CHANNELS:
            parts[name] = self.vision(batch[f"{name}_images"], name)
            present[name] = batch[f"{name}_present"]
        return self.objective(rgb_BD, parts, present, batch["pids"], self.fusion)

    def encode_image(self, images: Tensor) -> Tensor:
        return F.normalize(self.vision(images, RGB).float(), dim=-1)

    def encode_text(self, text: dict[str, Tensor]) -> Tensor:
        """`caption_ids` and `caption_attn_mask`, both [B, T], to unit vectors [B, D]."""
        return self.encode_query({"text": text})

    def encode_query(self, parts: Mapping[str, dict[str, Tensor]]) -> Tensor:
        """Queries of the same parts to unit vectors [B, D]; the order of the parts is no matter.

        Args:
            parts: maps "text" to caption fields, and "nir", "cp" and "sk" to `images`, normalised
                as `normalisations` says, [B, C, H, W].

        Raises:
            ValueError: there is no part, one of another name, or not as many of each.
        """
        return self.fuse({name: self.part_tokens(name, inputs) for name, inputs in parts.items()})

    def part_tokens(self, name: str, inputs: dict[str, Tensor]) -> Tensor:
        """What fusion sees of one part of B queries, [B, T, D]: the same in every combination.

        Raises:
            ValueError: there are no parts of that name.
        """
        _check_part(name)
        if name == "text":
            token_BD = self.text.final_token(*(inputs[field] for field in self.caption_fields))
        else:
            token_BD = self.vision(inputs["images"], name)
        return token_BD[:, None]

    def fuse(self, parts: Mapping[str, Tensor]) -> Tensor:
        """The tokens of some parts, [B, T, D] each, to unit vectors [B, D].

        Raises:
            ValueError: as `encode_query`.
        """
        if not parts:
            raise ValueError(f"a query has no parts; give at least one of {', '.join(PARTS)}")
        for name in parts:
            _check_part(name)
        counts = {name: len(tokens) for name, tokens in parts.items()}
        if len(set(counts.values())) > 1:
            told = ", ".join(f"{count} of {name}" for name, count in counts.items())
            raise ValueError(
                f"queries have parts of different counts: {told}; give as many of each"
            )
        return self.fusion.of_parts(parts)

    def single(self, name: str, tokens: Tensor) -> Tensor:
        """The embedding of queries of one part alone, [B, D]."""
        return self.fuse({name: tokens})

    def channels(self, name: str) -> int:
        """Of the pictures of a part."""
        return CHANNELS[name]

    def towers(self) -> dict[str, Any]:
        return {"vision": self.vision.clip, "text": self.text}

    def pretrained_modules(self) -> list[nn.Module]:
        return []  # every part has factors of its own

    def lr_factors(self) -> list[tuple[nn.Module, LrFactors]]:
        return [] if self.objective is None else self.objective.lr_factors(self)

    def saved_parts(self) -> dict[str, nn.Module]:
        return {"model": ClipMer(self.vision, self.text, self.fusion, None)}


def build(network: ClipMerNetwork, vocab_size: int, configs: TowerConfigs) -> ClipMer:
    """The model that only encodes; arguments are those of `clip_towers`.

    Raises:
        ValueError: see `clip_towers`; or the adapters or the heads of the fusion do not fit.
    """
    clip, text = clip_towers(network, vocab_size, configs)
    vision = RoutedTower(clip, network.adapters, network.own, network.attention == "eager")
    if network.adapters.text:
        body = getattr(text.transformer, "text_model", text.transformer)
        adapt_in_place(body.encoder.layers, network.adapters)
    fusion = QueryFusion(network.embedding_dim, network.fusion, network.attention)
    return ClipMer(vision, text, fusion, None)


def _check_part(name: str) -> None:
    if name not in PARTS:
        raise ValueError(f"{name!r} is no part of a query; allowed: {', '.join(PARTS)}")
