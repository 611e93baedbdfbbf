"""The T5 encoder as text tower: T5 (v1.0, v1.1, Flan) and T5Gemma."""

from torch import Tensor, nn
from transformers import (
    AutoConfig,
    PreTrainedModel,
    T5Config,
    T5EncoderModel,
    T5GemmaEncoderModel,
)

from ubg.models.towers.pretrained import load_pretrained
from ubg.params import TextTower


class TextEncoder(nn.Module):
    """Token ids [B, T] and their mask [B, T] to token features [B, T, C]."""

    def __init__(self, transformer: nn.Module, width: int, pretrained: bool):
        super().__init__()
        self.transformer = transformer
        self.width = width
        self.pretrained = pretrained

    def forward(self, caption_ids: Tensor, attention_mask: Tensor) -> Tensor:
        output = self.transformer(input_ids=caption_ids, attention_mask=attention_mask)
        return output.last_hidden_state


def t5_encoder(params: TextTower, vocab_size: int) -> TextEncoder:
    """The encoder half of T5 (arXiv 1910.10683), pretrained or built from its sizes.

    Raises:
        ValueError: the pretrained model cannot be loaded, or its vocabulary is smaller than the
            tokenizer's.
    """
    if params.pretrained is None:
        config = T5Config(
            vocab_size=vocab_size,
            d_model=params.width,
            d_kv=params.width // params.heads,
            d_ff=params.mlp_width,
            num_layers=params.layers,
            num_heads=params.heads,
            dropout_rate=params.dropout,
            feed_forward_proj="gated-gelu",
            attn_implementation="sdpa",
        )
        return TextEncoder(T5EncoderModel(config), config.d_model, pretrained=False)
    model = _load_encoder(params.pretrained, params.dropout)
    embeddings = model.get_input_embeddings()
    if embeddings.num_embeddings < vocab_size:
        raise ValueError(
            f"{params.pretrained}: has {embeddings.num_embeddings} token embeddings for a tokenizer "
            f"of {vocab_size}; name the tokenizer that belongs to it in tokenizer.pretrained"
        )
    return TextEncoder(model, embeddings.embedding_dim, pretrained=True)


def masked_mean(tokens: Tensor, attention_mask: Tensor) -> Tensor:
    """Mean over the tokens that are not padding: [B, T, C] and [B, T] to [B, C]."""
    weights = attention_mask.to(tokens.dtype).unsqueeze(-1)
    return (tokens * weights).sum(1) / weights.sum(1)


def _load_encoder(source: str, dropout: float) -> PreTrainedModel:
    try:
        config = AutoConfig.from_pretrained(source)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"{source}: has no readable config: {reason}") from error
    if config.model_type == "t5":
        config.dropout_rate = dropout
        return load_pretrained(T5EncoderModel, source, config)
    if config.model_type == "t5gemma":
        config.is_encoder_decoder = False
        config.encoder.dropout_rate = dropout
        return load_pretrained(T5GemmaEncoderModel, source, config)
    raise ValueError(
        f"{source}: is a {config.model_type!r} model; allowed as text tower: t5, t5gemma"
    )
