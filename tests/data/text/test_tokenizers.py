import json

import pytest
import sentencepiece
from transformers import AutoTokenizer, CLIPTokenizer

from ubg.data.text.captions import TokenisedCaptions
from ubg.data.text.normalise import normalise_caption
from ubg.data.text.tokenizers import (
    clip_tokenizer,
    describe_tokenizer,
    fit_tokenizer,
    load_tokenizer,
)

COLOURS = ("red", "blue", "black", "white", "grey", "green", "brown", "yellow", "purple")
GARMENTS = ("coat", "jacket", "t-shirt", "sweater", "hoodie", "trousers", "jeans", "skirt")
CAPTIONS = [
    f"A {who} in a {colour} {garment}, carrying a {other} backpack."
    for who in ("woman", "man", "girl", "boy")
    for colour in COLOURS
    for garment in GARMENTS
    for other in COLOURS
]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fitted") / "tokenizer"
    return fit_tokenizer(CAPTIONS, 1000, folder), folder


def test_whole_words_become_pieces_and_punctuation_stays_apart(fitted):
    tokenizer, _ = fitted
    tokens = tokenizer.tokenize("A woman in a yellow hoodie, carrying a purple backpack.")
    words = "A woman in a yellow hoodie , carrying a purple backpack ."
    marked = [word if word in ",." else f"▁{word.lower()}" for word in words.split()]
    assert tokens == marked
    assert 40 < len(tokenizer) < 100


def test_special_tokens_are_those_of_t5(fitted):
    tokenizer, _ = fitted
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id) == (0, 1, 2)
    assert tokenizer("a man")["input_ids"][-1] == 1
    assert tokenizer("").input_ids == [1]
    assert tokenizer.decode(tokenizer("A Man, red.").input_ids, True) == "a man, red."


def test_ids_equal_those_of_sentencepiece_after_reloading(fitted, monkeypatch, tmp_path):
    _, folder = fitted
    model = {}
    processor = sentencepiece.SentencePieceProcessor

    def keep_model(model_proto):
        model["trained"] = processor(model_proto=model_proto)
        return model["trained"]

    monkeypatch.setattr(sentencepiece, "SentencePieceProcessor", keep_model)
    fit_tokenizer(CAPTIONS, 1000, tmp_path / "again")
    again = (tmp_path / "again/tokenizer.json").read_bytes()
    assert again == (folder / "tokenizer.json").read_bytes()

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    reloaded = AutoTokenizer.from_pretrained(folder)
    odd = ["", "Ｗide ＬＥＴＴＥＲＳ", "红色 coat", "un-seen; words?!", "x\ty", "e\u0301 \ufb01ne"]
    for text in [*CAPTIONS[::50], *odd]:
        normalised = reloaded.backend_tokenizer.normalizer.normalize_str(normalise_caption(text))
        assert reloaded(text)["input_ids"] == [*model["trained"].encode(normalised), 1]


def test_a_vocabulary_keeps_to_its_limit(tmp_path):
    assert len(fit_tokenizer(CAPTIONS, 45, tmp_path / "small")) <= 45


def test_impossible_requests_are_one_clear_line(tmp_path):
    with pytest.raises(ValueError, match="vocab_size: 10 does not fit the captions: Voc") as caught:
        fit_tokenizer(CAPTIONS, 10, tmp_path / "none")
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="no caption has any text"):
        fit_tokenizer([" ", "\n"], 100, tmp_path / "none")
    with pytest.raises(ValueError, match=r"absent.* cannot be loaded") as caught:
        load_tokenizer(tmp_path / "absent")
    assert "\n" not in str(caught.value)


def test_facts_count_tokens_and_unknowns(fitted):
    tokenizer, _ = fitted
    facts = describe_tokenizer(tokenizer, ["a red coat", "红 a"])
    assert facts["captions"] == 2
    # a red coat; then the mark of the second word's beginning, the unknown character, and a.
    assert facts["tokens_per_caption"] == 3.0
    assert facts["longest_caption"] == 3
    assert facts["unknown_percent"] == pytest.approx(16.667)
    assert facts["pieces"][0] == "▁a"
    json.dumps(facts)


def test_clip_ids_are_those_of_open_clip_and_survive_saving(tmp_path):
    from open_clip import SimpleTokenizer

    published = SimpleTokenizer()
    tokenizer = clip_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    again = load_tokenizer(tmp_path)
    assert (len(again), again.bos_token_id, again.eos_token_id) == (49408, 49406, 49407)
    for text in [
        *CAPTIONS[::300],
        "",
        "A woman's T-SHIRT; 2 bags!",
        "caf\u00e9 \u7ea2\u8272 coat!!",
    ]:
        ids = published([text])[0]
        expected = ids[: int(ids.argmax()) + 1].tolist()
        assert tokenizer(text).input_ids == again(text).input_ids == expected
    assert clip_tokenizer(tmp_path).get_vocab() == tokenizer.get_vocab()


def test_a_checkpoint_without_tokenizer_gets_the_vocabulary_that_open_clip_ships(tmp_path):
    (tmp_path / "weights.pt").touch()
    for source in (tmp_path, tmp_path / "weights.pt", "hf-hub:someone/miniature"):
        assert clip_tokenizer(source)("a man").input_ids == [49406, 320, 786, 49407]
    with pytest.raises(ValueError, match="nothing' cannot be loaded"):
        clip_tokenizer(tmp_path / "nothing")


def test_a_clip_brings_its_own_tokenizer(tmp_path):
    vocabulary = {"<|startoftext|>": 0, "<|endoftext|>": 1, "a</w>": 2}
    CLIPTokenizer(vocab=vocabulary, merges=[]).save_pretrained(tmp_path)
    (tmp_path / "weights.pt").touch()
    for source in (tmp_path, tmp_path / "weights.pt"):
        assert clip_tokenizer(source)("a").input_ids == [0, 2, 1]


def test_clip_captions_end_in_eot_where_their_mask_does():
    tokenised = TokenisedCaptions(
        clip_tokenizer(), ["a red coat", "red " * 90], 77, ("ids", "mask")
    )
    batch = tokenised.batch(tokenised.lengths.argsort())
    assert batch["mask"].sum(1).tolist() == [5, 77]
    assert batch["ids"][[0, 1], batch["mask"].sum(1) - 1].tolist() == [49407, 49407]


def test_another_tokenizer_than_clips_is_refused(fitted):
    _, folder = fitted
    with pytest.raises(ValueError, match="give one of a CLIP"):
        clip_tokenizer(folder)
