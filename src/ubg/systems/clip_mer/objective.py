"""What clip_mer is trained by: every combination of query parts drawn to RGB, and identities."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ubg.losses.itc import itc_loss
from ubg.losses.sdm import sdm_loss
from ubg.params import ClipMer as ClipMerParams
from ubg.params import LrFactors
from ubg.runtime.distributed import gather_features, gather_labels, mean_over_processes
from ubg.systems.clip_mer.fusion import QueryFusion
from ubg.systems.clip_mer.low_rank import LowRank
from ubg.systems.clip_mer.model import ClipMer
from ubg.systems.clip_mer.parts import COMBINATIONS, PARTS, SINGLE_PARTS
from ubg.towers.batch_norm import FeatureNorm


class ClipMerObjective(nn.Module):
    """The losses of a step, with the identity classifier behind its batch norm.

    A sample that lacks a part counts in no loss of it, on neither side. Over several processes
    every loss is that of all their samples together.

    Legend: B batch, N batches of all processes, K combinations, P parts, D joint space, I
    training identities.

    Args:
        params: which losses, and how.
        width: D.
        identities: I.
    """

    def __init__(self, params: ClipMerParams, width: int, identities: int):
        super().__init__()
        self.params = params
        self.neck, self.classifier = None, None
        if params.losses.id is not None:
            self.neck = FeatureNorm(width)
            self.classifier = nn.Linear(width, identities, bias=False)
            nn.init.normal_(self.classifier.weight, std=0.001)

    def forward(
        self,
        rgb_BD: Tensor,
        parts: dict[str, Tensor],
        present: dict[str, Tensor],
        pids_B: Tensor,
        fusion: QueryFusion,
    ) -> dict[str, Tensor]:
        """The losses that are on, unweighted, each float32.

        Args:
            rgb_BD: of the images.
            parts: of each part [B, D]; where a sample has none, of somebody else's.
            present: of all parts but text, bool [B]: which are the sample's.
            pids_B: identities.
            fusion: of the parts.
        """
        everyone_B = torch.ones_like(pids_B, dtype=torch.bool)
        present_BP = torch.stack([present.get(name, everyone_B) for name in PARTS], dim=1)
        parts_BPD = torch.stack([parts[name] for name in PARTS], dim=1)
        losses = self._alignment(rgb_BD, parts_BPD, present_BP, pids_B, fusion)
        embedded_BMD = torch.cat([rgb_BD[:, None], parts_BPD], dim=1).float()
        there_BM = torch.cat([everyone_B[:, None], present_BP], dim=1)
        if self.classifier is not None:
            assert self.neck is not None
            logits_BMI = self.classifier(self.neck(embedded_BMD.flatten(0, 1))).float()
            pids_BM = pids_B[:, None].expand_as(there_BM)
            entropy_BM = F.cross_entropy(logits_BMI, pids_BM.flatten(), reduction="none")
            losses["id_loss"] = _mean_where(entropy_BM.view_as(there_BM), there_BM)
        if self.params.losses.norm is not None:
            low, high = self.params.norm_band
            length_BM = embedded_BMD.norm(dim=2)
            outside_BM = (length_BM - high).relu() + (low - length_BM).relu()
            losses["norm_loss"] = _mean_where(outside_BM.square(), there_BM)
        return losses

    def lr_factors(self, model: ClipMer) -> list[tuple[nn.Module, LrFactors]]:
        """All modules of `model` with the factors that they learn at; the last one named holds."""
        own, vision = self.params.optimiser, model.vision
        adapters = [module for module in model.modules() if isinstance(module, LowRank)]
        projections = [vision.clip.projection, model.text.projection]
        found: list[tuple[nn.Module, LrFactors]] = [(model.fusion, own.rest), (self, own.rest)]
        found += [(vision.clip, own.trunk), (model.text, own.trunk)]
        found += [(part, own.patches) for part in vision.patch_embeddings()]
        found += [(part, own.projections) for part in projections if part is not None]
        found += [(part, own.adapters) for part in adapters]
        return found

    def _alignment(
        self,
        rgb_BD: Tensor,
        parts_BPD: Tensor,
        present_BP: Tensor,
        pids_B: Tensor,
        fusion: QueryFusion,
    ) -> dict[str, Tensor]:
        """SDM and InfoNCE to RGB, each the mean over the combinations of the step."""
        chosen_KP = self._combinations(pids_B.device)
        shape = len(pids_B), len(chosen_KP)
        tokens_BKP1D = parts_BPD[:, None, :, None].expand(-1, shape[1], -1, -1, -1)
        used_BKP = chosen_KP.expand(shape[0], -1, -1)
        fused_BKD = fusion(tokens_BKP1D.flatten(0, 1), used_BKP.flatten(0, 1)).unflatten(0, shape)
        whole_BK = (present_BP[:, None] | ~chosen_KP).all(2)
        rgb_ND, fused_NKD = gather_features(rgb_BD), gather_features(fused_BKD)
        whole_NK, pids_N = gather_labels(whole_BK), gather_labels(pids_B)
        names = [name for name in ("sdm", "itc") if getattr(self.params.losses, name) is not None]
        sums: dict[str, Tensor] = dict.fromkeys(names, 0 * fused_NKD.sum())
        scale = 1 / self.params.temperature
        for fused_ND, whole_N in zip(fused_NKD.unbind(1), whole_NK.unbind(1), strict=True):
            if not whole_N.any():
                continue
            rows, queries = rgb_ND[whole_N], fused_ND[whole_N]
            sums["sdm"] = sums["sdm"] + sdm_loss(rows, queries, pids_N[whole_N], scale)
            if "itc" in sums:
                sums["itc"] = sums["itc"] + itc_loss(rows, queries, scale)
        return {f"{name}_loss": total / shape[1] for name, total in sums.items()}

    def _combinations(self, device: torch.device) -> Tensor:
        """The single parts and some combinations, the same on every process, bool [K, P]."""
        drawn = torch.randperm(len(COMBINATIONS), device=device)
        count = self.params.combinations_per_step
        places = gather_labels(drawn)[: len(COMBINATIONS)][:count].tolist()
        chosen = [*SINGLE_PARTS, *(COMBINATIONS[place] for place in sorted(places))]
        return torch.tensor([[part in parts for part in PARTS] for parts in chosen], device=device)


def with_objective(model: ClipMer, params: ClipMerParams, identities: int, width: int) -> ClipMer:
    """The model as it trains; what is new in it is drawn after the weights of `model`.

    Args:
        model: whose towers and fusion are shared with the result.
        params: which losses, and how.
        identities: in the training split.
        width: of the joint space.
    """
    model.vision.add_patch_noise(params.patch_noise)
    if params.freeze_trunk:
        freeze_trunk(model)
    objective = ClipMerObjective(params, width, identities)
    return ClipMer(model.vision, model.text, model.fusion, objective)


def freeze_trunk(model: ClipMer) -> None:
    """Let CLIP's transformers learn by adapters, patch embeddings and projections alone."""
    towers, vision = (model.vision.clip, model.text), model.vision
    open_parts = [*vision.patch_embeddings(), vision.clip.projection, model.text.projection]
    open_parts += [module for module in model.modules() if isinstance(module, LowRank)]
    for module in towers:
        module.requires_grad_(False)
    for part in open_parts:
        assert part is not None
        part.requires_grad_(True)


def _mean_where(values_BM: Tensor, there_BM: Tensor) -> Tensor:
    """The mean over what is there, of all processes."""
    return mean_over_processes((values_BM * there_BM).sum(), there_BM.sum())
