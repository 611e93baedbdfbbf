"""Two branches, one vector: what a sample embeds as, and what it is ranked by."""

import pytest
import torch
from tiny_t2i_reid import build_t2i_reid, t2i_reid_batch, t2i_reid_scale

from ubg.systems.t2i_reid.branches import join, part
from ubg.systems.t2i_reid.model import T2iReid

TEXT = ("caption_ids_bert", "caption_attn_mask_bert")


@pytest.fixture(params=["none", "batch_norm"])
def model(request):
    model = build_t2i_reid(t2i_reid_scale(neck=request.param))
    model.branches.identity_share.fill_(0.3)
    for name, buffer in model.named_buffers():
        if name.endswith("running_var"):
            buffer.fill_(2.0)
    return model.eval()


def test_a_sample_embeds_the_same_alone_and_in_a_batch(model):
    batch = t2i_reid_batch()
    images, texts = model.encode_image(batch["images"]), model.encode_text(batch)
    for row in range(6):
        length = int(batch[TEXT[1]][row].sum())
        alone = {name: batch[name][row : row + 1, :length] for name in TEXT}
        torch.testing.assert_close(model.encode_text(alone)[0], texts[row])
        torch.testing.assert_close(
            model.encode_image(batch["images"][row : row + 1])[0], images[row]
        )


def test_the_cosine_is_the_score_of_both_branches(model):
    batch = t2i_reid_batch()
    image, text = model.image_branches(batch["images"]), model.text_branches(batch)
    joined = model.encode_text(batch) @ model.encode_image(batch["images"]).T
    expected = 0.3 * text["identity"] @ image["identity"].T
    expected += 0.7 * text["clothing"] @ image["clothing"].T
    torch.testing.assert_close(joined, expected)
    for vectors in (*image.values(), *text.values(), model.encode_text(batch)):
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(6))
    assert image["identity"].shape == (6, 16)


def test_a_joined_vector_by_hand_and_taken_apart():
    parts = {"identity": torch.tensor([[1.0, 0.0]]), "clothing": torch.tensor([[0.0, 1.0]])}
    share = torch.tensor(0.64)
    joined = join(parts, share)
    torch.testing.assert_close(joined, torch.tensor([[0.8, 0.0, 0.0, 0.6]]))
    for name, vectors in part(joined, share).items():
        torch.testing.assert_close(vectors, parts[name])


def test_what_is_saved_encodes_with_the_share_and_knows_no_loss(model):
    saved = model.saved_parts()["model"]
    assert isinstance(saved, T2iReid)
    assert "branches.identity_share" in saved.state_dict()
    assert not any(name.startswith("objective") for name in saved.state_dict())
    images = t2i_reid_batch()["images"]
    assert torch.equal(saved.encode_image(images), model.encode_image(images))
