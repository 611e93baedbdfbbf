"""Features come back in the order of the split, whatever batches they were computed in."""

import numpy as np
import pytest
import sections
import torch
from tiny_trained import Letters
from torch import nn

from ubg.data.annotations.table import read_annotations
from ubg.data.images.image_pack import ImagePack
from ubg.data.images.pack import pack_images
from ubg.data.prepared import NO_IMAGE
from ubg.retrieval.contract import Normalisation, RetrievalModel
from ubg.retrieval.encode import encode_split, make_split


class Means(RetrievalModel):
    """Embeds an image by its mean colour and a caption by its mean token."""

    normalisation = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, batch):
        raise AssertionError("encoding needs no losses")

    def encode_image(self, images):
        return images.mean((2, 3))

    def encode_text(self, text):
        mask = text["caption_attn_mask_t5"]
        mean = (text["caption_ids_t5"] * mask).sum(1) / mask.sum(1)
        return torch.stack([mean, mask.sum(1).float(), torch.zeros_like(mean)], 1)


@pytest.fixture
def data(cuhk_root, tmp_path):
    table = read_annotations("cuhk_pedes", cuhk_root)
    pack_images(table, cuhk_root / "imgs", sections.image(height=32, width=16), tmp_path / "images")
    return table, ImagePack(tmp_path / "images")


def test_split_has_each_image_once_and_each_caption(data):
    table, _ = data
    split = make_split(table, "test", Letters(), 77)
    assert len(split.captions) == len(split.text_pids) == 16
    assert len(split.image_ids) == len(set(split.image_ids)) == 8
    assert split.image_pids.tolist() == [11, 11, 12, 12, 13, 13, 14, 14]


def test_rows_without_image_only_ask_and_rows_without_caption_are_only_found(data):
    table, pack = data
    rows = table[table["split"] == "test"].reset_index(drop=True)
    rows.loc[0:1, "caption"] = ""  # both captions of the first image
    rows.loc[2, ["image_id", "image_path"]] = NO_IMAGE, ""  # one of the second image's two
    split = make_split(pack.rows_present(rows), "test", Letters(), 77)
    assert split.table["caption"].tolist() == rows["caption"].tolist()[2:]
    assert split.text_pids.tolist() == rows["pid"].tolist()[2:]
    assert split.image_ids.tolist() == table[table["split"] == "test"]["image_id"].unique().tolist()


def test_rows_of_images_that_were_not_packed_go(data):
    table, pack = data
    assert pack.rows_present(table).equals(table)
    pack.image_ids = pack.image_ids[1:]
    assert pack.rows_present(table).equals(table[table["image_id"] != 0])


@pytest.mark.parametrize("batch_size", [1, 3, 8, 100])
def test_features_keep_the_order_of_the_split(data, batch_size):
    table, pack = data
    split = make_split(table, "test", Letters(), 77)
    features = encode_split(Means(), split, pack, batch_size, quiet=True)
    pixels = pack.read(pack.row_of(split.image_ids))
    expected_GD = torch.from_numpy(pixels / np.float32(255)).mean((1, 2))
    torch.testing.assert_close(features.image_GD, expected_GD.float())
    captions = split.table["caption"]
    assert features.text_QD[:, 1].tolist() == [len(caption) + 1 for caption in captions]
    means = [(sum(map(ord, caption)) + 1) / (len(caption) + 1) for caption in captions]
    torch.testing.assert_close(features.text_QD[:, 0], torch.tensor(means))
