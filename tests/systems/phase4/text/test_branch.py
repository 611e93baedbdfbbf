"""Validation by both scores, predictions by a loop, and the branch written and read back."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file, save_model
from tiny_held_out import MemoryPack, WordTokenizer, held_out_table
from tiny_models import (
    CODES,
    HEIGHT,
    PATCHES,
    SMALL_VQGAN,
    WIDTH,
    MemoryTokens,
    build_text,
    code_classes,
    network_of,
    targets_of,
    text_generation,
    tiny_scale,
)

from ubg.retrieval.encode import encode_split, make_split
from ubg.systems.phase4 import folder as module
from ubg.systems.phase4.folder import write_generator
from ubg.systems.phase4.joint.branch import hold_out as joint_hold_out
from ubg.systems.phase4.scores import captions_of_others
from ubg.systems.phase4.text import code_score
from ubg.systems.phase4.text.branch import TextBranch
from ubg.systems.phase4.text.held_out import hold_out, score
from ubg.systems.phase4.text.load import load_score, load_text
from ubg.systems.phase4.text.targets import ClassTargets
from ubg.training.task import loss_weights
from ubg.vqgan.model.folder import save_vqgan, vqgan_fingerprint
from ubg.vqgan.model.vqgan import VQGAN

GENERATION = text_generation()
SIZES = {"codes": CODES, "classes": 6, "length": PATCHES}


@pytest.fixture
def model():
    model = build_text(tiny_scale(), GENERATION).eval()
    torch.nn.init.normal_(model.generator.reader.decoder.head.weight)
    return model


@pytest.fixture
def held_out():
    targets = ClassTargets(MemoryTokens(7), code_classes(GENERATION).of_code_V)
    return hold_out(held_out_table(), targets, WordTokenizer(), 9)


TARGETS = ClassTargets(MemoryTokens(7), code_classes(GENERATION).of_code_V)


@pytest.mark.parametrize(
    "hold_out_one",
    [
        lambda table: hold_out(table, TARGETS, WordTokenizer(), 9),
        lambda table: joint_hold_out(
            table, MemoryPack(), WordTokenizer(), 9, targets_of(GENERATION, 7)
        ),
    ],
    ids=["text", "joint"],
)
def test_validation_of_one_identity_is_refused_before_training(hold_out_one):
    with pytest.raises(ValueError, match="captions cannot be exchanged between identities"):
        hold_out_one(held_out_table().assign(pid=0))


def branch_of(model, held_out):
    targets = ClassTargets(MemoryTokens(7), code_classes(GENERATION).of_code_V)
    weights = loss_weights(tiny_scale().losses) | {"gen_loss": 1.0, "gen_itc_loss": 0.1}
    return TextBranch(model, targets, held_out, MemoryPack(), weights, score_share=0.3)


def naive_sums(model, split, tokens):
    """Evidence of every caption for every image, one by one."""
    class_of_code = model.generator.class_of_code_V.tolist()
    found = np.zeros((len(split.captions), len(split.image_ids)))
    for caption in range(len(split.captions)):
        text = split.captions.batch(np.array([caption]))
        with torch.no_grad():
            logits = model.generator.logits_of(model.retrieval, text)
            evidence = model.generator.evidence(logits)[0]
        for column, image in enumerate(split.image_ids):
            codes = tokens.ids_N2L[image, 0]
            found[caption, column] = sum(
                float(evidence[place, class_of_code[code]]) for place, code in enumerate(codes)
            )
    return found


def test_one_caption_of_each_image_is_held_out(held_out):
    assert held_out.table["image_id"].tolist() == list(range(7))
    assert held_out.table["caption_id"].tolist() == list(range(0, 14, 2))


@pytest.mark.parametrize("batch_size", [3, 20])
def test_scores_by_a_loop(model, held_out, batch_size):
    true, shuffled = score(model, held_out, batch_size)
    others = captions_of_others(held_out.table)
    for found, captions in ((true, np.arange(7)), (shuffled, others)):
        assert found.row_P.tolist() == [row for row in range(7) for _ in range(PATCHES)]
        assert found.position_P.tolist() == list(range(PATCHES)) * 7
        for row in range(7):
            text = held_out.captions.batch(captions[row : row + 1])
            with torch.no_grad():
                logits = model.generator.logits_of(model.retrieval, text)[0]
            classes = torch.from_numpy(held_out.classes_NL[row])
            ce = torch.nn.functional.cross_entropy(logits, classes, reduction="none")
            own = found.row_P == row
            np.testing.assert_allclose(found.ce_P[own], ce, atol=1e-5)
            np.testing.assert_array_equal(found.correct_P[own], logits.argmax(1) == classes)


def test_validation_sets_the_weight_and_ranks_by_both_scores(model, held_out):
    split = make_split(held_out_table(), "val", WordTokenizer(), 9)
    features = encode_split(model, split, MemoryPack(), 4, quiet=True)
    found = branch_of(model, held_out).validate(4, split, features)
    cosine = (features.text_QD @ features.image_GD.T).double().numpy()
    sums = naive_sums(model, split, MemoryTokens(7))
    weight = 0.3 * cosine.std(ddof=1) / sums.std()
    assert model.generator.score_weight.item() == pytest.approx(weight, rel=1e-5)
    best = split.image_pids[(cosine + weight * sums).argmax(1)]
    assert found["r1_both_scores"] == pytest.approx(100 * (best == split.text_pids).mean())
    assert found["gen_gradient_ratio"] > 0
    assert found["gen_ce"] > 0


def test_a_branch_that_says_nothing_has_no_weight(held_out):
    model = build_text(tiny_scale(), GENERATION).eval()
    split = make_split(held_out_table(), "val", WordTokenizer(), 9)
    features = encode_split(model, split, MemoryPack(), 4, quiet=True)
    weight, _ = branch_of(model, held_out)._both_scores(4, split, features)
    assert weight == 0.0


@pytest.fixture
def folder(model, tmp_path, monkeypatch):
    """The branch as a train stage leaves it."""
    torch.manual_seed(0)
    (tmp_path / "vqgan").mkdir()
    save_vqgan(VQGAN(SMALL_VQGAN), tmp_path / "vqgan")
    monkeypatch.setattr(module, "VQGAN_FOLDER", tmp_path / "vqgan")
    monkeypatch.setattr(module, "GENERATOR", tmp_path / "generator")
    model.generator.score_weight.fill_(0.25)
    save_model(model.generator, str(tmp_path / "generator.safetensors"))
    write_generator(GENERATION, SIZES, tmp_path)
    return tmp_path / "generator"


def test_written_score_is_the_same_and_needs_nothing_else(model, folder):
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    expected = {"config.json", "generator.safetensors"}
    assert names == expected | {"vqgan/config.json", "vqgan/encoder.safetensors"}
    found = load_score(model.retrieval, network_of("phase4", tiny_scale()), folder)
    assert (found.length, found.codes) == (PATCHES, 6)
    split = make_split(held_out_table(), "val", WordTokenizer(), 9)
    text = split.captions.batch(np.arange(5))
    with torch.no_grad():
        logits = model.generator.logits_of(model.retrieval, text)
        assert torch.equal(found.caption_evidence(text), 0.25 * model.generator.evidence(logits))
    pixels = np.random.default_rng(0).integers(0, 256, (3, HEIGHT, WIDTH, 3), dtype=np.uint8)
    codes = found.image_codes(pixels)
    assert codes.dtype == np.int32
    assert codes.shape == (3, PATCHES)
    np.testing.assert_array_equal(found.image_codes(pixels[1:2])[0], codes[1])


@pytest.mark.parametrize(
    "fault",
    [
        "no folder",
        "no weights",
        "other sizes",
        "broken",
        "no classes",
        "no VQGAN",
        "other VQGAN",
        "no such class",
        "no such code",
        "not finite",
        "classes in fractions",
        "no share",
    ],
)
def test_a_branch_that_does_not_fit_is_one_line(model, folder, fault):
    config = folder / "config.json"
    values = json.loads(config.read_text())
    if fault == "no folder":
        config.unlink()
    elif fault == "no weights":
        (folder / "generator.safetensors").unlink()
    elif fault == "broken":
        (folder / "generator.safetensors").write_bytes(b"not safetensors")
    elif fault == "other sizes":
        config.write_text(json.dumps(values | {"classes": 7}))
    elif fault == "no classes":
        config.write_text(json.dumps({"generation": values["generation"]}))
    elif fault == "no VQGAN":
        (folder / "vqgan" / "config.json").write_text("{}")
    elif fault == "other VQGAN":
        torch.manual_seed(1)
        save_vqgan(VQGAN(SMALL_VQGAN), folder / "vqgan")
    elif fault == "classes in fractions":
        weights = load_file(folder / "generator.safetensors")
        weights["class_of_code_V"] = weights["class_of_code_V"] + 0.5
        save_file(weights, folder / "generator.safetensors")
    elif fault == "no share":
        weights = load_file(folder / "generator.safetensors")
        weights["log_frequency_LK"][0, 0] = 3e38
        save_file(weights, folder / "generator.safetensors")
    else:
        weights = load_file(folder / "generator.safetensors")
        weights["class_of_code_V" if fault == "no such class" else "representative_K"][0] = 99
        if fault == "not finite":
            weights["representative_K"][0] = 0
            weights["score_weight"].fill_(float("nan"))
        save_file(weights, folder / "generator.safetensors")
    with pytest.raises(ValueError, match="dvc repro") as caught:
        load_score(model.retrieval, network_of("phase4", tiny_scale()), folder)
    assert len(str(caught.value).splitlines()) == 1


def put_vqgan(folder, architecture, dtype=torch.float32):
    """Another VQGAN, of which the folder says that it is the one of the training."""
    torch.manual_seed(0)
    save_vqgan(VQGAN(architecture).to(dtype), folder / "vqgan")
    values = json.loads((folder / "config.json").read_text())
    values["vqgan"] = vqgan_fingerprint(folder / "vqgan")
    (folder / "config.json").write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("sizes", "dtype", "told"),
    [
        ({"patch": 4}, torch.float32, f"at {4 * PATCHES} places"),
        ({"patch": 16, "multipliers": (1, 1)}, torch.float32, f"at {PATCHES // 4} places"),
        ({"codes": 4096}, torch.float32, f"of 4096 codes at {PATCHES} places"),
        ({"patch": 7}, torch.float32, "multiples of 14"),
        ({}, torch.float64, "is torch.float64"),
        ({}, torch.float16, "is torch.float16"),
        ({}, torch.bfloat16, "is torch.bfloat16"),
    ],
)
def test_a_vqgan_that_a_folder_claims_to_be_its_own_is_checked(model, folder, sizes, dtype, told):
    put_vqgan(folder, SMALL_VQGAN.model_copy(update=sizes), dtype)
    with pytest.raises(ValueError, match="dvc repro") as caught:
        load_score(model.retrieval, network_of("phase4", tiny_scale()), folder)
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_branch_of_all_codes_is_read_back(folder, tmp_path):
    generation = text_generation(clusters=None)
    model = build_text(tiny_scale(), generation)
    save_model(model.generator, str(tmp_path / "generator.safetensors"))
    write_generator(generation, SIZES | {"classes": CODES}, tmp_path)
    loaded = load_text(model.retrieval, network_of("phase4", tiny_scale()), folder)
    assert loaded.generator.representative_K.tolist() == list(range(CODES))


@pytest.mark.parametrize("beside", ["phase1", "phase2"])
def test_a_branch_beside_another_phase_is_read_back(folder, tmp_path, beside):
    generation = text_generation(beside=beside)
    model = build_text(tiny_scale(), generation).eval()
    torch.nn.init.normal_(model.generator.reader.decoder.head.weight)
    model.generator.score_weight.fill_(0.25)
    save_model(model.generator, str(tmp_path / "generator.safetensors"))
    write_generator(generation, SIZES, tmp_path)
    found = load_score(model.retrieval, network_of("phase4", tiny_scale(), beside), folder)
    text = make_split(held_out_table(), "val", WordTokenizer(), 9).captions.batch(np.arange(5))
    with torch.no_grad():
        logits = model.generator.logits_of(model.retrieval, text)
    assert torch.equal(found.caption_evidence(text), 0.25 * model.generator.evidence(logits))


def test_images_are_encoded_a_few_at_once(model, folder, monkeypatch):
    score = load_score(model.retrieval, network_of("phase4", tiny_scale()), folder)
    pixels = np.random.default_rng(0).integers(0, 256, (5, HEIGHT, WIDTH, 3), dtype=np.uint8)
    whole = score.image_codes(pixels)
    monkeypatch.setattr(code_score, "IMAGES_AT_ONCE", 2)
    np.testing.assert_array_equal(score.image_codes(pixels), whole)
    assert score.image_codes(pixels[:0]).shape == (0, PATCHES)


def test_read_back_model_is_in_evaluation_mode(model, folder):
    assert not load_text(model.retrieval, network_of("phase4", tiny_scale()), folder).training
