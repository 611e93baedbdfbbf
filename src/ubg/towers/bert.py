"""BERT as text tower."""

from typing import Any

from transformers import BertConfig, BertModel

from ubg.params import BertTower
from ubg.towers.pretrained import load_bert, read_config
from ubg.towers.text import TextEncoder


class Bert(BertModel):
    """BERT without its pooler."""

    def __init__(self, config: BertConfig):
        super().__init__(config, add_pooling_layer=False)


def bert_encoder(
    params: BertTower,
    vocab_size: int,
    max_tokens: int,
    attention: str,
    config: dict[str, Any] | None = None,
) -> TextEncoder:
    """BERT (arXiv 1810.04805) without its pooler, for captions of up to `max_tokens` tokens.

    Args:
        params: sizes or the name of a pretrained model.
        vocab_size: tokens that the tokenizer knows.
        max_tokens: positions of a new one.
        attention: implementation, "sdpa" or "eager".
        config: architecture of a tower saved earlier; its weights are to be loaded by the caller.

    Raises:
        ValueError: the pretrained model cannot be loaded or is of another kind, or has fewer tokens
            than the tokenizer or fewer positions than `max_tokens`.
    """
    if config is not None:
        model = Bert(BertConfig.from_dict(config))
    elif params.pretrained is not None:
        kind = read_config(params.pretrained)
        if kind.model_type != "bert":
            raise ValueError(
                f"{params.pretrained}: is a {kind.model_type!r} model; allowed as text tower: bert"
            )
        kind.hidden_dropout_prob = kind.attention_probs_dropout_prob = params.dropout
        model = load_bert(Bert, params.pretrained, kind)
    else:
        sizes = BertConfig(
            vocab_size=vocab_size,
            hidden_size=params.width,
            num_hidden_layers=params.layers,
            num_attention_heads=params.heads,
            intermediate_size=params.mlp_width,
            max_position_embeddings=max_tokens,
            hidden_dropout_prob=params.dropout,
            attention_probs_dropout_prob=params.dropout,
        )
        model = Bert(sizes)
    embeddings = model.get_input_embeddings().num_embeddings
    if embeddings < vocab_size:
        raise ValueError(
            f"{params.pretrained}: has {embeddings} token embeddings for a tokenizer of "
            f"{vocab_size}; give the tower that the tokenizer belongs to"
        )
    if (positions := model.config.max_position_embeddings) < max_tokens:
        raise ValueError(
            f"tokenizer.max_tokens: {max_tokens} is more than the {positions} positions of "
            f"{params.pretrained}; give so many at most"
        )
    model.set_attn_implementation(attention)
    return TextEncoder(model, params.pretrained is not None)
