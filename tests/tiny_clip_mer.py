"""clip_mer small enough for a test."""

import sections
import torch
from tiny_models import HEIGHT, VOCABULARY, WIDTH, network_of, retrieval_batch, tiny_scale
from tiny_trained import save_trained

from ubg.data.text.tokenizers import clip_tokenizer
from ubg.systems.clip_mer.model import build
from ubg.systems.clip_mer.objective import with_objective
from ubg.systems.clip_mer.parts import CHANNELS

IDENTITIES = 5
ADAPTERS = sections.clip_mer().adapters.model_dump()


def clip_mer_scale(conv_stem=False, attention="eager", adapters=None, **settings):
    params = sections.clip_mer(adapters=ADAPTERS | (adapters or {}), **settings)
    scale = tiny_scale(conv_stem=conv_stem, attention=attention)
    return scale.model_copy(update={"clip_mer": params})


def build_clip_mer(scale, seed=0):
    torch.manual_seed(seed)
    network = network_of("clip_mer", scale)
    model = build(network, VOCABULARY, {})
    return with_objective(model, scale.clip_mer, IDENTITIES, network.embedding_dim)


def part_images(name, size=6, seed=0):
    generator = torch.Generator().manual_seed(seed + CHANNELS[name])
    return torch.randn(size, CHANNELS[name], HEIGHT, WIDTH, generator=generator)


def clip_mer_batch(size=6):
    """All parts of every sample; captions under CLIP's names."""
    batch = retrieval_batch(size)
    fields = {name: batch.pop(f"{name}_t5") for name in ("caption_ids", "caption_attn_mask")}
    for seed, name in enumerate(CHANNELS):
        fields[f"{name}_images"] = part_images(name, size, seed)
        fields[f"{name}_present"] = torch.ones(size, dtype=torch.bool)
    return batch | fields


def query_parts(batch):
    """The batch as `encode_query` takes it."""
    text = {name: batch[name] for name in ("caption_ids", "caption_attn_mask")}
    return {"text": text} | {name: {"images": batch[f"{name}_images"]} for name in CHANNELS}


def give_updates(model, seed=0):
    """Low-rank updates that do something, as after some training."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if name.endswith(".B"):
            parameter.data.normal_(generator=generator)


def save_clip_mer(folder):
    """A model with CLIP's tokenizer as a train stage leaves it; returns it too."""
    scale, tokenizer = clip_mer_scale(), clip_tokenizer()
    words = scale.towers.clip_text.model_copy(update={"vocab_size": len(tokenizer)})
    towers = scale.towers.model_copy(update={"clip_text": words})
    scale = scale.model_copy(update={"towers": towers})
    torch.manual_seed(0)
    model = build(network_of("clip_mer", scale), len(tokenizer), {}).eval()
    give_updates(model)
    save_trained(folder, "clip_mer", scale, model, tokenizer)
    return model
