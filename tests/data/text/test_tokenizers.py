import json
from io import BytesIO

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, CLIPConfig, CLIPTokenizer, T5Config

from ubg.data.text.captions import TokenisedCaptions
from ubg.data.text.normalise import normalise_caption
from ubg.data.text.tokenizers import (
    clip_tokenizer,
    describe_tokenizer,
    load_tokenizer,
    refuse_unknown,
    token_ids,
)
from ubg.data.text.unigram import fit_tokenizer

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


# Where NFKC of SentencePiece's own kind, its special pieces and its blanks show.
ODD = [
    "",
    "a </s> man",
    "</s>",
    "<pad></s><unk> <extra_id_3>",
    "＜/s＞ a",
    "Ｗide ＬＥＴＴＥＲＳ ①",
    "红色 coat",
    "e\u0301 \ufb01ne ▁ red▁coat",
    "un-seen; words?! 🙂",
]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder as google/t5-v1_1-base is, whose only vocabulary is a `spiece.model`; the model."""
    model = BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CAPTIONS),
        model_writer=model,
        vocab_size=120,
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    folder = tmp_path_factory.mktemp("published")
    (folder / "spiece.model").write_bytes(model.getvalue())
    T5Config().save_pretrained(folder)
    settings = {"extra_ids": 100, "tokenizer_class": "T5Tokenizer", "model_max_length": 512}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder, sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def test_a_spiece_model_alone_gives_the_ids_of_sentencepiece(published, tmp_path):
    folder, model = published
    tokenizer = load_tokenizer(folder)
    tokenizer.save_pretrained(tmp_path)
    texts = [normalise_caption(text) for text in [*CAPTIONS[::50], *ODD]]
    expected = [[*model.encode(text), 1] for text in texts]
    for loaded in (tokenizer, load_tokenizer(str(folder)), load_tokenizer(tmp_path)):
        assert len(loaded) == len(model)
        assert token_ids(loaded, texts) == expected
        assert token_ids(loaded, texts, special=False) == [ids[:-1] for ids in expected]


@settings(deadline=None, max_examples=200)
@given(text=st.text(max_size=40) | st.text("a re</s>pdunk\uff1c", max_size=20))
def test_a_spiece_model_gives_the_ids_of_sentencepiece_for_any_text(published, text):
    folder, model = published
    text = normalise_caption(text)
    assert token_ids(load_tokenizer(folder), [text]) == [[*model.encode(text), 1]]


@pytest.mark.parametrize("spoil", [lambda model: model[:200], lambda model: b"no model"])
def test_a_spiece_model_that_is_none_is_named(published, tmp_path, spoil):
    folder, _ = published
    (tmp_path / "spiece.model").write_bytes(spoil((folder / "spiece.model").read_bytes()))
    with pytest.raises(ValueError, match=r"cannot be loaded from spiece\.model: ") as caught:
        load_tokenizer(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_spiece_model_of_another_family_is_refused(tmp_path):
    model = BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CAPTIONS), model_writer=model, vocab_size=40, minloglevel=2
    )
    (tmp_path / "spiece.model").write_bytes(model.getvalue())
    with pytest.raises(ValueError, match="are not its first three pieces, as in T5"):
        load_tokenizer(tmp_path)


def test_a_folder_without_a_vocabulary_is_refused(tmp_path):
    """Transformers would make a tokenizer of it to which every word is unknown."""
    T5Config().save_pretrained(tmp_path)
    for source in (tmp_path, str(tmp_path)):
        with pytest.raises(ValueError, match=r"has no vocabulary: neither tokenizer\.json nor"):
            load_tokenizer(source)
    (tmp_path / "vocab.json").write_text("{}")
    with pytest.raises(ValueError, match=r"has no merges\.txt beside its vocab\.json; add it"):
        load_tokenizer(tmp_path)
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    with pytest.raises(
        ValueError, match=r"which has no use for .*; its tokenizer\.json is missing"
    ):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"version": "1.0", "mod')
    with pytest.raises(ValueError, match=r"cannot be loaded from tokenizer\.json: ") as caught:
        load_tokenizer(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("left", ["vocab.json", "merges.txt"])
def test_a_clip_with_half_a_vocabulary_is_refused(tmp_path, left):
    CLIPConfig().save_pretrained(tmp_path)
    (tmp_path / left).write_text("{}")
    with pytest.raises(ValueError, match=r"has no (vocab\.json|merges\.txt) beside its") as caught:
        clip_tokenizer(tmp_path)
    assert left in str(caught.value)


def test_a_clip_by_name_without_a_vocabulary_is_refused(tmp_path, monkeypatch):
    """As its name and a cache without the tokenizer's files."""
    from huggingface_hub import constants

    for name, value in {"HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": True}.items():
        monkeypatch.setattr(constants, name, value)
    with pytest.raises(
        ValueError, match=r"someone/clip' cannot be loaded: .* hub cannot be reached"
    ):
        clip_tokenizer("someone/clip")
    cached = tmp_path / "models--someone--clip"
    (cached / "snapshots/0123456789abcdef").mkdir(parents=True)
    (cached / "refs").mkdir()
    (cached / "refs/main").write_text("0123456789abcdef")
    CLIPConfig().save_pretrained(cached / "snapshots/0123456789abcdef")
    with pytest.raises(ValueError, match="'someone/clip' has no vocabulary"):
        clip_tokenizer("someone/clip")


def test_what_looks_like_a_special_token_is_plain_text(fitted):
    tokenizer, _ = fitted
    for text in ["a </s> man", "a <PAD> man", "＜/S＞", "<unk>x"]:
        (ids,) = token_ids(tokenizer, [text])
        assert ids[-1] == 1
        assert not {0, 1} & set(ids[:-1])
        captions = TokenisedCaptions(tokenizer, [text, "a man"], 64)
        assert captions.batch(captions.lengths.argsort()[-1:])["caption_ids_t5"].tolist() == [ids]
    assert token_ids(tokenizer, CAPTIONS[:9]) == tokenizer(CAPTIONS[:9])["input_ids"]
    clip = clip_tokenizer()
    (ids,) = token_ids(clip, ["a <|endoftext|> <|startoftext|> man"])
    assert [i for i in ids if i >= 49406] == [49406, 49407]
    assert clip.decode(ids[1:-1]).replace(" ", "") == "a<|endoftext|><|startoftext|>man"


def test_too_many_unknown_tokens_are_an_error_that_a_param_accepts(fitted):
    tokenizer, _ = fitted
    captions = TokenisedCaptions(tokenizer, ["a red coat", "红 a"], 64)
    share = captions.share_of(tokenizer.unk_token_id)
    assert share == pytest.approx(1 / 6)
    assert captions.share_of(None) == 0
    refuse_unknown(share, 0.2)
    with pytest.raises(ValueError, match=r"^tokenizer\.max_unknown: .* 16\.7 % .* 1 % are allowed"):
        refuse_unknown(share, 0.01)
    clip = clip_tokenizer()
    ends = TokenisedCaptions(clip, ["a red coat", ""], 77).share_of(clip.unk_token_id)
    assert ends == 0


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
