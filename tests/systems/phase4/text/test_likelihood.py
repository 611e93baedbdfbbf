"""What a caption says of the classes of codes, and where it starts."""

import pytest
import torch
from tiny_models import PATCHES, build_text, retrieval_batch, text_generation, tiny_scale

from ubg.systems.phase4.text.likelihood import evidence_of_images


@pytest.mark.parametrize("decoder", ["parallel", "linear"])
@pytest.mark.parametrize("clusters", [6, None])
def test_it_starts_at_the_frequencies_and_says_nothing(decoder, clusters):
    model = build_text(tiny_scale(), text_generation(decoder=decoder, clusters=clusters))
    logits = model.generator.logits_of(model.retrieval, retrieval_batch())
    log_f = model.generator.log_frequency_LK
    torch.testing.assert_close(logits, log_f.expand_as(logits))
    torch.testing.assert_close(log_f.exp().sum(1), torch.ones(PATCHES))
    torch.testing.assert_close(model.generator.evidence(logits), torch.zeros_like(logits))


def test_padding_changes_nothing():
    model = build_text(tiny_scale(), text_generation()).eval()
    torch.nn.init.normal_(model.generator.reader.decoder.head.weight)
    batch = retrieval_batch()
    whole = model.generator.logits_of(model.retrieval, batch)
    length = int(batch["caption_attn_mask_t5"][1].sum())
    alone = {name: batch[name][1:2, :length] for name in ("caption_ids_t5", "caption_attn_mask_t5")}
    torch.testing.assert_close(model.generator.logits_of(model.retrieval, alone)[0], whole[1])


def test_evidence_of_images_by_a_loop():
    generator = torch.Generator().manual_seed(0)
    evidence = torch.randn(4, 6, 5, generator=generator)
    classes = torch.randint(5, (3, 6), generator=generator)
    expected = torch.tensor(
        [
            [sum(evidence[b, place, classes[n, place]] for place in range(6)) for n in range(3)]
            for b in range(4)
        ]
    )
    torch.testing.assert_close(evidence_of_images(evidence, classes), expected)
