"""IRRA's training step written plainly: the conventional side of `irra_step.py`.

Sequence first, `nn.MultiheadAttention` that also returns its weights, captions padded to 77 tokens
and masked as padding, a pass of the text tower for the caption and one for its masked copy, scores
of the whole vocabulary at every token, Adam over one group per tensor. Each lever of the other side
can be pulled on its own.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from ubg.towers.quick_gelu import QuickGELU as LeanQuickGELU

IGNORED = -100


@dataclass(frozen=True)
class Levers:
    """What is done the other way.

    Attributes:
        trim: captions as long as the longest of the batch.
        one_pass: the masked captions serve the contrastive losses too.
        masked_only: scores at the masked tokens alone.
        few_groups: fused Adam over four groups.
        sdpa: attention without its weights.
        batch_first: transformer layers over [B, L, C].
        lean_gelu: the activation keeps its input alone for the gradient.
        products: float32 products by the faster library.
        bf16: autocast.
    """

    trim: bool = False
    one_pass: bool = False
    masked_only: bool = False
    few_groups: bool = False
    sdpa: bool = False
    batch_first: bool = False
    lean_gelu: bool = False
    products: bool = False
    bf16: bool = False


class QuickGELU(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(1.702 * x)


class Block(nn.Module):
    """A residual attention block with the weights of a layer of CLIP in transformers."""

    def __init__(self, layer, levers):
        super().__init__()
        theirs, width = layer.self_attn, layer.self_attn.embed_dim
        self.need_weights, self.batch_first = not levers.sdpa, levers.batch_first
        activation = LeanQuickGELU() if levers.lean_gelu else QuickGELU()
        self.attention = nn.MultiheadAttention(
            width, theirs.num_heads, batch_first=self.batch_first
        )
        projections = theirs.q_proj, theirs.k_proj, theirs.v_proj
        with torch.no_grad():
            self.attention.in_proj_weight.copy_(torch.cat([p.weight for p in projections]))
            self.attention.in_proj_bias.copy_(torch.cat([p.bias for p in projections]))
        self.attention.out_proj.load_state_dict(theirs.out_proj.state_dict())
        self.norm_1, self.norm_2 = copy_norm(layer.layer_norm1), copy_norm(layer.layer_norm2)
        self.mlp = nn.Sequential(copy_linear(layer.mlp.fc1), activation, copy_linear(layer.mlp.fc2))

    def forward(self, x, causal_LL=None, padding_BL=None):
        normed = self.norm_1(x)
        attended, _ = self.attention(
            normed,
            normed,
            normed,
            key_padding_mask=padding_BL,
            attn_mask=causal_LL,
            need_weights=self.need_weights,
        )
        x = x + attended
        return x + self.mlp(self.norm_2(x))


class Blocks(nn.Module):
    """Blocks one after the other: [L, B, C] to [L, B, C]."""

    def __init__(self, layers, levers):
        super().__init__()
        self.blocks = nn.ModuleList(Block(layer, levers) for layer in layers)
        self.batch_first = levers.batch_first

    def forward(self, x_LBC, causal_LL=None, padding_BL=None):
        x = x_LBC.transpose(0, 1).contiguous() if self.batch_first else x_LBC
        for block in self.blocks:
            x = block(x, causal_LL, padding_BL)
        return x.transpose(0, 1) if self.batch_first else x


class PlainIrra(nn.Module):
    """The mathematics of `ubg.systems.irra.model.Irra`, with its weights.

    Args:
        irra: with an objective of SDM, ID and MLM.
        levers: see there.
    """

    def __init__(self, irra, levers):
        super().__init__()
        self.levers = levers
        vision = getattr(irra.vision.transformer, "vision_model", irra.vision.transformer)
        text = getattr(irra.text.transformer, "text_model", irra.text.transformer)
        embeddings, mlm = vision.embeddings, irra.objective.mlm

        self.patches = nn.Conv2d(3, irra.vision.width, 16, 16, bias=False)
        self.patches.load_state_dict(embeddings.patch_embedding.state_dict())
        self.class_token = copy_parameter(embeddings.class_token)
        self.image_positions = copy_parameter(embeddings.position_embedding)
        self.norm_pre = copy_norm(vision.pre_layrnorm)
        self.image_blocks = Blocks(vision.encoder.layers, levers)
        self.norm_post = copy_norm(vision.post_layernorm)
        self.image_projection = copy_linear(irra.vision.projection)

        self.words = copy_embedding(text.embeddings.token_embedding)
        self.text_positions = copy_parameter(text.embeddings.position_embedding.weight)
        self.text_blocks = Blocks(text.encoder.layers, levers)
        self.norm_final = copy_norm(text.final_layer_norm)
        self.text_projection = copy_linear(irra.text.projection)

        self.classifier = copy_linear(irra.objective.classifier)
        self.norm_text, self.norm_image = copy_norm(mlm.text_norm), copy_norm(mlm.image_norm)
        width, heads = mlm.cross_attention.embed_dim, mlm.cross_attention.num_heads
        self.cross_attention = nn.MultiheadAttention(width, heads)
        self.cross_attention.load_state_dict(mlm.cross_attention.state_dict())
        self.fusion_blocks = Blocks(mlm.transformer.layers, levers)
        self.norm_fusion = copy_norm(mlm.final_norm)
        self.dense, self.norm_head = copy_linear(mlm.dense), copy_norm(mlm.head_norm)
        self.head = copy_linear(mlm.head)
        self.logit_scale = irra.objective.fixed_scale

    def encode_image(self, images):
        """[B, 3, H, W] to [1 + N, B, D]."""
        x_BNC = self.patches(images).flatten(2).transpose(1, 2)
        x_BNC = torch.cat([self.class_token.expand(len(x_BNC), 1, -1), x_BNC], dim=1)
        x_NBC = self.norm_pre(x_BNC + self.image_positions).transpose(0, 1)
        return self.image_projection(self.norm_post(self.image_blocks(x_NBC)))

    def encode_text(self, ids_BT, padding_BT):
        """[B, T] to [T, B, D]."""
        length = ids_BT.shape[1]
        x_TBC = (self.words(ids_BT) + self.text_positions[:length]).transpose(0, 1)
        causal_TT = torch.ones(length, length, device=ids_BT.device).triu(1).bool()
        x_TBC = self.text_blocks(x_TBC, causal_TT, padding_BT)
        return self.text_projection(self.norm_final(x_TBC))

    def forward(self, batch):
        labels_BT, mask_BT = batch["mlm_labels"], batch["caption_attn_mask"]
        padding_BT, pids_B = mask_BT == 0, batch["pids"]
        image_NBD = self.encode_image(batch["images"])
        masked_TBD = text_TBD = self.encode_text(batch["mlm_ids"], padding_BT)
        if not self.levers.one_pass:
            text_TBD = self.encode_text(batch["caption_ids"], padding_BT)
        image_BD = image_NBD[0]
        text_BD = text_TBD[mask_BT.sum(1) - 1, torch.arange(len(mask_BT))]
        image_scores, text_scores = self.classifier(image_BD), self.classifier(text_BD)
        id_loss = F.cross_entropy(image_scores.float(), pids_B)
        id_loss = (id_loss + F.cross_entropy(text_scores.float(), pids_B)) / 2
        return {
            "sdm_loss": plain_sdm(image_BD, text_BD, pids_B, self.logit_scale),
            "id_loss": id_loss,
            "mlm_loss": self._mlm_loss(masked_TBD, padding_BT, image_NBD, labels_BT),
        }

    def _mlm_loss(self, text_TBD, padding_BT, image_NBD, labels_BT):
        image_NBD = self.norm_image(image_NBD)
        x_TBD, _ = self.cross_attention(
            self.norm_text(text_TBD), image_NBD, image_NBD, need_weights=not self.levers.sdpa
        )
        x_TBD = self.fusion_blocks(x_TBD, None, padding_BT)
        x_BTD = self.norm_fusion(x_TBD).transpose(0, 1)
        if self.levers.masked_only:
            x_BTD, labels_BT = x_BTD[labels_BT != IGNORED], labels_BT[labels_BT != IGNORED]
        scores = self.head(self.norm_head(F.gelu(self.dense(x_BTD))))
        return F.cross_entropy(
            scores.float().flatten(0, -2), labels_BT.flatten(), ignore_index=IGNORED
        )


def plain_sdm(image_BD, text_BD, pids_B, logit_scale):
    """Equations 5 to 7 of arXiv 2303.12501, the labels normalised by row."""
    image_BD, text_BD = (F.normalize(each.float(), dim=1) for each in (image_BD, text_BD))
    with torch.autocast(image_BD.device.type, enabled=False):
        logits = logit_scale * image_BD @ text_BD.T
    same = (pids_B[:, None] == pids_B).float()
    true = (same / same.sum(1, keepdim=True) + 1e-8).log()
    return sum(
        (each.softmax(1) * (each.log_softmax(1) - true)).sum(1).mean()
        for each in (logits, logits.T)
    )


def plain_optimiser(model, params, few_groups):
    """Adam with the rates of the params, every parameter being new to a random model."""
    groups = []
    for name, parameter in model.named_parameters():
        is_bias = name.endswith("bias")
        rate = params.lr * params.new_module_lr_factor * (params.bias_lr_factor if is_bias else 1)
        decay = 0.0 if is_bias else params.weight_decay
        groups.append({"params": [parameter], "lr": rate, "weight_decay": decay})
    if few_groups:
        by_rate = {}
        for group in groups:
            key = group["lr"], group["weight_decay"]
            by_rate.setdefault(key, {**group, "params": []})["params"] += group["params"]
        groups = list(by_rate.values())
    return torch.optim.Adam(groups, betas=params.betas, fused=few_groups, foreach=False)


def copy_linear(layer):
    copy = nn.Linear(layer.in_features, layer.out_features, bias=layer.bias is not None)
    copy.load_state_dict(layer.state_dict())
    return copy


def copy_norm(norm):
    copy = nn.LayerNorm(norm.normalized_shape, eps=norm.eps)
    copy.load_state_dict(norm.state_dict())
    return copy


def copy_embedding(embedding):
    return nn.Embedding.from_pretrained(embedding.weight.detach().clone(), freeze=False)


def copy_parameter(parameter):
    return nn.Parameter(parameter.detach().clone())
