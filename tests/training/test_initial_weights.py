"""Weights to start from: UBG's folders, published files, and what does not fit."""

import shlex
from types import SimpleNamespace

import pytest
import torch
from open_clip.model import CLIP
from open_clip.transformer import QuickGELU, Transformer
from tiny_irra import IDENTITIES, build_irra, irra_batch, irra_scale
from tiny_models import (
    VOCABULARY,
    build_model,
    build_phase3,
    build_phase4,
    tiny_generation,
    tiny_scale,
)
from tiny_trained import save_trained
from torch import nn

from ubg.data.text.unigram import fit_tokenizer
from ubg.towers.sources import read_state_dict
from ubg.training.initial_weights import load_initial_weights

MLM = {"sdm": 1.0, "id": 1.0, "mlm": 1.0}
WIDTH = 16


class Published(nn.Module):
    """Modules named as in the code of IRRA's authors, every weight drawn at random."""

    def __init__(self, identities=IDENTITIES, words=VOCABULARY):
        super().__init__()
        vision = {"image_size": (64, 32), "layers": 2, "width": 32, "head_width": 16}
        vision |= {"patch_size": 16, "mlp_ratio": 1.5}
        text = {"context_length": 64, "vocab_size": words, "width": 24, "heads": 2, "layers": 2}
        text |= {"mlp_ratio": 2.0}
        self.base_model = CLIP(WIDTH, vision, text, quick_gelu=True)
        del self.base_model.logit_scale
        self.classifier = nn.Linear(WIDTH, identities)
        self.cross_attn = nn.MultiheadAttention(WIDTH, 4, batch_first=True)
        self.cross_modal_transformer = Transformer(WIDTH, 2, 4, act_layer=QuickGELU)
        self.ln_pre_t, self.ln_pre_i, self.ln_post = (nn.LayerNorm(WIDTH) for _ in range(3))
        self.mlm_head = nn.Sequential()
        self.mlm_head.add_module("dense", nn.Linear(WIDTH, WIDTH))
        self.mlm_head.add_module("gelu", QuickGELU())
        self.mlm_head.add_module("ln", nn.LayerNorm(WIDTH))
        self.mlm_head.add_module("fc", nn.Linear(WIDTH, words))
        with torch.no_grad():
            for weight in self.parameters():
                weight.normal_(0.1, 0.2)

    def word_scores(self, text_BTD, image_BND):
        image_BND = self.ln_pre_i(image_BND)
        found, _ = self.cross_attn(self.ln_pre_t(text_BTD), image_BND, image_BND)
        return self.mlm_head(self.ln_post(self.cross_modal_transformer(found)))


def fill(model, source, tokenizer=None):
    return load_initial_weights(SimpleNamespace(model=model, tokenizer=tokenizer), source)


def save_published(path, published, **more):
    """As their training saves it, the optimiser and the epoch beside the weights."""
    optimiser = torch.optim.Adam(published.parameters(), eps=1e-3)
    beside = {"optimizer": optimiser.state_dict(), "scheduler": {"last_epoch": 3}, "epoch": 3}
    torch.save({"model": published.state_dict(), **beside, **more}, path)
    return path


def test_a_published_file_gives_the_features_and_word_scores_of_its_own_code(tmp_path):
    published = Published().eval()
    model = build_irra(irra_scale(MLM)).eval()
    told = fill(model, save_published(tmp_path / "best.pth", published))
    assert told == [f"starting from {tmp_path / 'best.pth'}"]

    batch = irra_batch()
    batch["caption_attn_mask"] = torch.ones_like(batch["caption_attn_mask"])
    images = torch.nn.functional.normalize(published.base_model.encode_image(batch["images"]))
    torch.testing.assert_close(model.encode_image(batch["images"]), images, atol=1e-5, rtol=1e-4)

    masked = batch["mlm_ids"]
    theirs = torch.where(masked == VOCABULARY, VOCABULARY - 3, masked)  # of their mask token
    text = model.text.transformer.embeddings.token_embedding
    torch.testing.assert_close(text(masked), published.base_model.token_embedding(theirs))
    image_BND = model.vision.projected_tokens(batch["images"])
    text_BTD = model.text(masked, batch["caption_attn_mask"])
    model.objective.mlm.activation = QuickGELU()
    scores, _ = model.objective.mlm(
        text_BTD, batch["caption_attn_mask"], image_BND, batch["mlm_labels"]
    )
    expected = published.word_scores(text_BTD, image_BND)[batch["mlm_labels"] != -100]
    torch.testing.assert_close(scores, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(model.objective.classifier.weight, published.classifier.weight)


def test_published_texts_end_in_the_features_of_their_final_token(tmp_path):
    published = Published().eval()
    model = build_irra(irra_scale(MLM)).eval()
    fill(model, save_published(tmp_path / "best.pth", published))
    ids = torch.tensor([[48, 5, 7, 9, 49]])
    hidden = published.base_model
    x = hidden.token_embedding(ids) + hidden.positional_embedding[:5]
    x = hidden.ln_final(hidden.transformer(x, attn_mask=hidden.attn_mask[:5, :5]))
    expected = torch.nn.functional.normalize(x[:, -1] @ hidden.text_projection)
    text = {"caption_ids": ids, "caption_attn_mask": torch.ones_like(ids)}
    torch.testing.assert_close(model.encode_text(text), expected, atol=1e-5, rtol=1e-4)


def test_a_classifier_of_other_identities_starts_at_random_and_is_named(tmp_path):
    model = build_irra(irra_scale(MLM))
    before = model.objective.classifier.weight.clone()
    told = fill(model, save_published(tmp_path / "best.pth", Published(identities=9)))
    assert told[1:] == [
        "  at random, as it is of another number of identities: objective.classifier"
    ]
    assert torch.equal(model.objective.classifier.weight, before)


def test_parts_that_the_losses_do_not_need_are_left_out_and_named(tmp_path):
    model = build_irra(irra_scale({"sdm": 1.0}))
    (told,) = fill(model, save_published(tmp_path / "best.pth", Published()))[1:]
    assert "not used, as the params turn it off: objective.classifier, objective.mlm" in told


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod."])
def test_wrappers_and_prefixes_are_taken_off(tmp_path, wrapper, prefix):
    state = {f"{prefix}{name}": value for name, value in Published().state_dict().items()}
    torch.save(state if wrapper is None else {wrapper: state}, tmp_path / "weights.pt")
    assert read_state_dict(tmp_path / "weights.pt").keys() == Published().state_dict().keys()


def test_what_does_not_fit_is_refused_by_name(tmp_path):
    published = Published()
    path = save_published(tmp_path / "best.pth", published)
    other = irra_scale(MLM)
    clip = other.towers.clip.model_copy(update={"mlp_width": 40})
    other = other.model_copy(update={"towers": other.towers.model_copy(update={"clip": clip})})
    with pytest.raises(ValueError, match=r"6 weights do not fit, .*\(48,\) and not \(40,\)"):
        fill(build_irra(other), path)
    state = published.state_dict()
    torch.save(state | {"base_model.more": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match="1 weights are no part of the model, the first is 'more'"):
        fill(build_irra(irra_scale(MLM)), path)
    del state["base_model.visual.proj"]
    torch.save(state, path)
    with pytest.raises(ValueError, match=r"not in it, the first is 'vision\.projection\.weight'"):
        fill(build_irra(irra_scale(MLM)), path)
    with pytest.raises(ValueError, match="DVC removes a model before it is trained anew"):
        fill(build_irra(irra_scale(MLM)), tmp_path / "models")


def test_pickled_code_is_not_run_and_torchscript_is_refused_with_its_conversion(tmp_path):
    torch.save({"model": print}, tmp_path / "code.pth")
    with pytest.raises(ValueError, match="only tensors are unpickled"):
        fill(build_irra(irra_scale(MLM)), tmp_path / "code.pth")
    archive = tmp_path / "ViT-B-16.pt"
    torch.jit.script(nn.Linear(2, 3)).save(str(archive))
    with pytest.raises(ValueError, match="is a TorchScript archive, which holds code") as refused:
        read_state_dict(archive)
    assert "\n" not in str(refused.value)
    command = shlex.split(str(refused.value).split("`")[1])
    assert command[:2] == ["python", "-c"]
    exec(command[2])
    assert read_state_dict(tmp_path / "ViT-B-16.state_dict.pt").keys() == {"weight", "bias"}


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    captions = ["a woman in a red coat", "a man in a blue shirt", "somebody in green"]
    return fit_tokenizer(captions, VOCABULARY, tmp_path_factory.mktemp("words"))


def build(system, words, seed):
    torch.manual_seed(seed)
    return build_model(system, tiny_scale(), len(words))


def test_a_trained_folder_fills_the_encoders(tmp_path, words):
    trained = build("phase2", words, seed=1)
    save_trained(tmp_path, "phase2", tiny_scale(), trained, words)
    model = build("phase2", words, seed=2)
    assert fill(model, tmp_path, words) == [f"starting from {tmp_path / 'model.safetensors'}"]
    for name, weight in trained.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight), name


def test_another_tokenizer_is_refused_since_its_ids_mean_other_words(tmp_path, words):
    save_trained(tmp_path, "phase2", tiny_scale(), build("phase2", words, seed=1), words)
    other = fit_tokenizer(["zebras zigzag", "a zoo"], VOCABULARY, tmp_path / "other")
    with pytest.raises(ValueError, match=r"set tokenizer\.pretrained to .*tokenizer"):
        fill(build("phase2", words, seed=2), tmp_path, other)


def test_the_step_before_fills_what_the_next_shares_with_it(tmp_path):
    trained = build_phase3(tiny_scale(), seed=1)
    torch.save(trained.state_dict(), tmp_path / "phase3.pt")
    model = build_phase4(tiny_scale(), tiny_generation(), seed=2)
    _, told = fill(model, tmp_path / "phase3.pt")
    assert told.startswith("  at random, as it is not in there: generator")
    for name, weight in trained.state_dict().items():
        assert torch.equal(model.retrieval.state_dict()[name], weight), name
