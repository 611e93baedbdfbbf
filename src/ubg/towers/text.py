"""The T5 encoder as text tower: T5 (v1.0, v1.1, Flan) and T5Gemma."""

from typing import Any

from torch import Tensor, nn
from transformers import (
    AutoConfig,
    PretrainedConfig,
    PreTrainedModel,
    T5Config,
    T5EncoderModel,
    T5GemmaEncoderModel,
)

from ubg.params import TextTower
from ubg.towers.position_bias import local_position_bias
from ubg.towers.pretrained import load_encoder, read_config


class TextEncoder(nn.Module):
    """Token ids [B, T] and their mask [B, T] to token features [B, T, C]."""

    def __init__(self, transformer: PreTrainedModel, pretrained: bool):
        super().__init__()
        self.transformer = transformer
        self.width: int = transformer.get_input_embeddings().embedding_dim
        self.pretrained = pretrained

    def forward(self, caption_ids: Tensor, attention_mask: Tensor) -> Tensor:
        output = self.transformer(input_ids=caption_ids, attention_mask=attention_mask)
        return output.last_hidden_state


def t5_encoder(
    params: TextTower, vocab_size: int, attention: str, config: dict[str, Any] | None = None
) -> TextEncoder:
    """The encoder half of T5 (arXiv 1910.10683) or T5Gemma (arXiv 2504.06225).

    Args:
        params: sizes or the name of a pretrained model.
        vocab_size: tokens that the tokenizer knows.
        attention: implementation, "sdpa" or "eager".
        config: architecture of a tower saved earlier; its weights are to be loaded by the caller.

    Raises:
        ValueError: the pretrained model cannot be loaded, or its vocabulary is smaller than the
            tokenizer's.
    """
    if config is not None:
        kind = AutoConfig.for_model(**config)
        model = _encoder_class(kind, params)(kind)
    elif params.pretrained is not None:
        kind = read_config(params.pretrained)
        model_class = _encoder_class(kind, params)
        model = load_encoder(model_class, params.pretrained, kind)
    else:
        assert params.width
        assert params.heads
        model = T5EncoderModel(
            T5Config(
                vocab_size=vocab_size,
                d_model=params.width,
                d_kv=params.width // params.heads,
                d_ff=params.mlp_width,
                num_layers=params.layers,
                num_heads=params.heads,
                dropout_rate=params.dropout,
                feed_forward_proj="gated-gelu",
            )
        )
        # The library initialises this bias near 0: a token then attends to all others alike and
        # takes long to learn which are its neighbours, such as "red" and "jacket".
        bias = model.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight
        if params.position_bias == "local":
            bias.data.copy_(local_position_bias(params.heads))
        else:
            nn.init.normal_(bias, std=params.position_bias_std)
    embeddings = model.get_input_embeddings().num_embeddings
    if embeddings < vocab_size:
        raise ValueError(
            f"{params.pretrained}: has {embeddings} token embeddings for a tokenizer of "
            f"{vocab_size}; name the tokenizer that belongs to it in tokenizer.pretrained"
        )
    # T5 v1.0's ReLU has four times the width: a new tensor for it costs 7 to 15 % of the CPU time.
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = True
    # T5Gemma caps its attention scores, which SDPA cannot.
    is_t5gemma = isinstance(model, T5GemmaEncoderModel)
    model.set_attn_implementation("eager" if is_t5gemma else attention)
    return TextEncoder(model, params.pretrained is not None)


def masked_mean(tokens: Tensor, attention_mask: Tensor) -> Tensor:
    """Mean over the tokens that are not padding: [B, T, C] and [B, T] to [B, C]."""
    weights = attention_mask.to(tokens.dtype).unsqueeze(-1)
    return (tokens * weights).sum(1) / weights.sum(1)


def _encoder_class(config: PretrainedConfig, params: TextTower) -> type[PreTrainedModel]:
    """The class for a config, which is set to the encoder alone and to the dropout of `params`."""
    if config.model_type == "t5":
        config.dropout_rate = params.dropout
        return T5EncoderModel
    if config.model_type == "t5gemma":
        config.is_encoder_decoder = False
        config.encoder.dropout_rate = params.dropout
        return T5GemmaEncoderModel
    raise ValueError(
        f"{params.pretrained}: is a {config.model_type!r} model; allowed as text tower: t5, t5gemma"
    )
