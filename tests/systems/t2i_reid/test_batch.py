"""What a sample of t2i_reid holds: who, what is worn, whose captions, and which words."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ubg.systems.t2i_reid.batch import CaptionsOfImages, ClothingFields
from ubg.systems.t2i_reid.task import with_clothing

IDENTITY = ["a man", "a man", "a woman", "", ""]
CLOTHING = ["red coat", "blue coat", "red coat", "green hat", "grey shoes"]


class WordTokenizer:
    """A token a word, then the final one."""

    pad_token_id, all_special_ids = 0, [0, 1]
    words = sorted({word for text in IDENTITY + CLOTHING for word in text.split()})

    def __call__(self, texts, **options):
        return {"input_ids": [[*(2 + self.words.index(w) for w in t.split()), 1] for t in texts]}


def fields_of(drawn_share=0.0, seed=0):
    rows = pd.DataFrame({"person": [7, 7, 9, 4, 5], "outfit": [1, 2, 2, 5, 6]})
    tokenizer = WordTokenizer()
    identity = CaptionsOfImages("identity", IDENTITY, tokenizer, 16)
    clothing = CaptionsOfImages("clothing", CLOTHING, tokenizer, 16)
    return ClothingFields(rows, identity, clothing, drawn_share, seed)


def samples(rows, epoch=0):
    rows = np.array(rows)
    return SimpleNamespace(epoch=epoch, rows=rows, caption_ids=10 + rows)


def test_labels_by_hand():
    batch = fields_of().add_to({}, samples([3, 0, 1, 2]))
    assert batch["persons"].tolist() == [0, 2, 2, 3]
    assert batch["outfits"].tolist() == [5, 1, 2, 2]
    assert batch["is_matched"].all()
    assert batch["identity_there"].tolist() == [False, True, True, True]
    none, *there = batch["identity_texts"].tolist()
    assert there == [0, 0, 1]
    assert none < 0
    assert batch["clothing_texts"].tolist() == [2, 0, 1, 0]
    assert batch["grl_alpha"].tolist() == pytest.approx([0.1] * 4)
    later = fields_of().add_to({}, samples([0], epoch=5))
    assert later["grl_alpha"].tolist() == pytest.approx([0.2])


def test_missing_captions_have_no_words_in_common():
    numbers = fields_of().identity.numbers
    assert numbers[3] != numbers[4]


def test_words_of_a_caption_are_its_tokens_alone():
    fields = fields_of()
    batch = fields.add_to({}, samples([0, 2, 3]))
    words = batch["clothing_words"]
    assert words.shape == (3, 7)
    assert words.sum(1).tolist() == [2, 2, 2]
    assert words[0].tolist() == words[1].tolist()
    assert not (words[0] & words[2]).any()
    assert batch["identity_words"].sum(1).tolist() == [2, 2, 0]


def test_drawn_captions_are_of_other_clothes_and_keep_the_words_of_their_own():
    fields, own = fields_of(drawn_share=0.9), fields_of()
    drawn = 0
    for epoch in range(40):
        found = fields.add_to({}, samples([0, 1, 2, 3, 4], epoch))
        plain = own.add_to({}, samples([0, 1, 2, 3, 4], epoch))
        for row, is_matched in enumerate(found["is_matched"].tolist()):
            same = found["clothing_ids"][row].tolist() == plain["clothing_ids"][row].tolist()
            assert same == is_matched
            drawn += not is_matched
        for name in ("clothing_words", "clothing_texts", "outfits", "identity_ids"):
            assert found[name].tolist() == plain[name].tolist()
    assert 40 < drawn < 0.9 * 200  # some draws hit the same outfit or the same words


def test_a_draw_depends_on_seed_epoch_and_caption_alone():
    fields = fields_of(drawn_share=0.5)
    together = fields.add_to({}, samples([0, 1, 2, 3], epoch=3))["is_matched"].tolist()
    alone = [fields.add_to({}, samples([row], epoch=3))["is_matched"].item() for row in range(4)]
    assert alone == together
    others = [fields_of(0.5, seed) for seed in range(1, 9)]
    assert any(
        other.add_to({}, samples([0, 1, 2, 3], epoch=3))["is_matched"].tolist() != together
        for other in others
    )


def test_rows_get_what_their_image_shows_in_their_order():
    rows = pd.DataFrame({"image_id": [5, 3, 5], "caption": ["x", "y", "z"]})
    clothing = pd.DataFrame(
        {
            "image_id": [3, 5],
            "person": [1, 0],
            "outfit": [8, 9],
            "identity_caption": ["a", "b"],
            "clothing_caption": ["c", "d"],
        }
    )
    found = with_clothing(rows, clothing)
    assert found["caption"].tolist() == ["x", "y", "z"]
    assert found["outfit"].tolist() == [9, 8, 9]
    with pytest.raises(ValueError, match=r"clothing\.csv: has no image 5"):
        with_clothing(rows, clothing[:1])


def test_captions_that_the_annotations_bring_do_not_stand_beside_those_of_the_table():
    rows = pd.DataFrame(
        {"image_id": [4], "identity_caption": ["old"], "clothing_caption": ["old"], "caption": "x"}
    )
    clothing = pd.DataFrame(
        {
            "image_id": [4],
            "person": [1],
            "outfit": [8],
            "identity_caption": ["tall"],
            "clothing_caption": ["red"],
        }
    )
    found = with_clothing(rows, clothing)
    assert found.loc[0, ["identity_caption", "clothing_caption"]].tolist() == ["tall", "red"]
