"""BERT as text tower: a folder as the hub has it, and what is refused of one."""

import json
from pathlib import Path

import pytest
import sections
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForPreTraining, BertModel

from ubg.data.text.bert_tokens import bert_tokenizer
from ubg.data.text.tokenizers import load_tokenizer, token_ids
from ubg.towers.bert import bert_encoder
from ubg.towers.saved import check_saved

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [*SPECIAL, "a", "red", "coat", "##s", "hat", "blue", "man"]
IDS, MASK = torch.tensor([[2, 5, 6, 3, 0, 0]]), torch.tensor([[1, 1, 1, 1, 0, 0]])
SIZES = {
    "vocab_size": len(WORDS),
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 32,
}


def save_bert(folder, model_class=BertForPreTraining):
    torch.manual_seed(0)
    model = model_class(BertConfig(**SIZES)).eval()
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    return getattr(model, "bert", model)


def load(source, vocab_size=12, max_tokens=24):
    tower = sections.bert_tower(pretrained=str(source))
    return bert_encoder(tower, vocab_size, max_tokens, "eager").eval()


def change(folder, edit):
    path = folder / "model.safetensors"
    state = load_file(path)
    path.unlink()
    save_file(edit(state), path, {"format": "pt"})


@pytest.mark.parametrize("model_class", [BertForPreTraining, BertModel])
def test_a_folder_equals_the_librarys_model(tmp_path, model_class):
    expected = save_bert(tmp_path, model_class)(input_ids=IDS, attention_mask=MASK)
    tower = load(tmp_path)
    torch.testing.assert_close(tower(IDS, MASK), expected.last_hidden_state)
    assert tower.width == 16
    assert tower.pretrained
    assert not any("pooler" in name for name in tower.state_dict())


def test_a_file_of_weights_in_the_folder_and_the_names_of_old_norms_load(tmp_path):
    save_bert(tmp_path)
    expected = load(tmp_path)(IDS, MASK)
    assert torch.equal(load(tmp_path / "model.safetensors")(IDS, MASK), expected)
    old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}

    def as_published(state):
        for new, former in old.items():
            state = {name.replace(new, former): value for name, value in state.items()}
        return state

    change(tmp_path, as_published)
    assert torch.equal(load(tmp_path)(IDS, MASK), expected)


def test_its_saved_config_builds_it_again(tmp_path):
    save_bert(tmp_path)
    tower = load(tmp_path)
    config = json.loads(json.dumps(tower.transformer.config.to_dict()))
    check_saved({"vision": {"model_type": "clip_vision_model"}, "text": config})
    params = sections.bert_tower(pretrained="nowhere")
    again = bert_encoder(params, len(WORDS), 24, "eager", config).eval()
    again.load_state_dict(tower.state_dict())
    assert torch.equal(again(IDS, MASK), tower(IDS, MASK))


def refused(folder, **sizes):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        load(folder, **sizes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_weight_and_one_too_many_are_named(tmp_path):
    save_bert(tmp_path)
    lost = "encoder.layer.1.output.dense.weight"
    change(tmp_path, lambda state: {k: v for k, v in state.items() if not k.endswith(lost)})
    assert lost in refused(tmp_path)
    save_bert(tmp_path)
    change(tmp_path, lambda state: state | {"bert.encoder.extra": torch.ones(2)})
    assert "no part of Bert" in refused(tmp_path)
    save_bert(tmp_path)
    name = "bert.embeddings.LayerNorm.weight"
    change(tmp_path, lambda state: state | {name: torch.full((16,), torch.nan)})
    assert "is not finite" in refused(tmp_path)


def test_another_kind_of_model_is_refused(tmp_path):
    save_bert(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "roberta"}))
    assert "is a 'roberta' model; allowed as text tower: bert" in refused(tmp_path)


def test_a_pickle_is_refused_and_not_run(tmp_path):
    save_bert(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    mark = tmp_path / "mark"
    torch.save({"bert.weight": Touch(mark)}, tmp_path / "pytorch_model.bin")
    assert "holds pickled objects" in refused(tmp_path)
    assert not mark.exists()


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_fewer_tokens_or_positions_than_asked_for_are_refused(tmp_path):
    save_bert(tmp_path)
    assert "has 12 token embeddings for a tokenizer of 13" in refused(tmp_path, vocab_size=13)
    assert "tokenizer.max_tokens: 33 is more than the 32" in refused(tmp_path, max_tokens=33)


def test_its_tokenizer_is_read_from_the_words_and_read_back(tmp_path):
    save_bert(tmp_path)
    tokenizer = bert_tokenizer(str(tmp_path))
    assert token_ids(tokenizer, ["a red coats"]) == [[2, 5, 6, 7, 8, 3]]
    tokenizer.save_pretrained(tmp_path / "kept")
    kept = load_tokenizer(tmp_path / "kept")
    assert token_ids(kept, ["A blue hat"]) == [[2, 5, 10, 9, 3]]
    assert kept.eos_token_id == 3
    assert 3 not in token_ids(kept, ["a [SEP] hat"])[0][:-1]


def test_a_folder_without_words_or_of_another_tokenizer_is_refused(tmp_path):
    save_bert(tmp_path)
    (tmp_path / "vocab.txt").unlink()
    with pytest.raises(ValueError, match=r"neither tokenizer\.json nor vocab\.txt"):
        bert_tokenizer(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("[]")
    with pytest.raises(ValueError, match="is not a JSON object"):
        bert_tokenizer(str(tmp_path))
