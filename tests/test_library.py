"""`ubg.load` gives back the model that was saved, and its embeddings."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from tiny_trained import CAPTIONS, ToyScore, save_small

import ubg
from ubg.data.images.normalisation import Normalisation
from ubg.systems import system_named
from ubg.systems.contract import cosine_alone


@pytest.fixture(scope="module", params=["irra", "phase1", "phase2", "phase4"])
def trained(request, tmp_path_factory):
    return save_small(request.param, tmp_path_factory.mktemp("models") / request.param)


def test_text_embeddings_are_the_models_and_of_unit_length(trained):
    folder, model, tokenizer = trained
    found = ubg.load(folder, device="cpu").encode_text(CAPTIONS)
    encoded = tokenizer(CAPTIONS, padding=True, return_tensors="pt")
    names = ("caption_ids", "caption_attn_mask")
    fields = names if folder.name == "irra" else [f"{name}_t5" for name in names]
    with torch.inference_mode():
        expected = model.encode_text(
            dict(zip(fields, (encoded["input_ids"], encoded["attention_mask"]), strict=True))
        )
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))


def test_image_embeddings_are_the_models_from_paths_and_pictures(trained, tmp_path):
    folder, model, _ = trained
    pixels = np.random.default_rng(0).integers(0, 256, (64, 32, 3), dtype=np.uint8)
    PillowImage.fromarray(pixels).save(tmp_path / "crop.png")
    loaded = ubg.load(folder, device="cpu")
    from_path = loaded.encode_image([tmp_path / "crop.png"])
    from_picture = loaded.encode_image([PillowImage.fromarray(pixels)])
    mean, std = torch.tensor(model.normalisation.mean), torch.tensor(model.normalisation.std)
    images = ((torch.from_numpy(pixels) / 255 - mean) / std).permute(2, 0, 1)[None]
    with torch.inference_mode():
        expected = model.encode_image(images)
    torch.testing.assert_close(from_path, expected, atol=1e-5, rtol=1e-4)
    assert torch.equal(from_path, from_picture)


def test_one_item_counts_as_a_list_of_one(trained, tmp_path):
    loaded, picture = ubg.load(trained[0], device="cpu"), pictures(1)[0]
    picture.save(tmp_path / "crop.png")
    assert torch.equal(loaded.encode_text("a man"), loaded.encode_text(["a man"]))
    expected = loaded.encode_image([picture])
    assert expected.shape == (1, loaded.network.embedding_dim)
    path = tmp_path / "crop.png"
    for one in (picture, path, str(path), np.asarray(picture)):
        assert torch.equal(loaded.encode_image(one), expected)


def test_batches_give_what_one_item_at_a_time_does(trained):
    loaded, shown = ubg.load(trained[0], device="cpu"), pictures(5)
    captions = [*CAPTIONS, "a man " + "in a red coat " * 30, "", "a boy"]
    expected = torch.cat([loaded.encode_text(caption) for caption in captions])
    for batch_size in (1, 2, 64):
        found = loaded.encode_text((text for text in captions), batch_size=batch_size)
        torch.testing.assert_close(found, expected)
    expected = torch.cat([loaded.encode_image(picture) for picture in shown])
    arrays = np.stack([np.asarray(picture) for picture in shown])
    for images in (shown, iter(shown), arrays, tuple(arrays)):
        torch.testing.assert_close(loaded.encode_image(images, batch_size=2), expected)


def test_batches_are_no_larger_than_asked(trained, monkeypatch):
    loaded, sizes = ubg.load(trained[0], device="cpu"), []
    encode_image, encode_query = loaded.model.encode_image, loaded.model.encode_query

    def images(batch):
        sizes.append(len(batch))
        return encode_image(batch)

    def queries(parts):
        sizes.append(parts["text"][loaded.model.caption_fields[1]].numel())
        return encode_query(parts)

    monkeypatch.setattr(loaded.model, "encode_image", images)
    monkeypatch.setattr(loaded.model, "encode_query", queries)
    loaded.encode_image(pictures(5), batch_size=2)
    assert sizes == [2, 2, 1]
    sizes.clear()
    loaded.encode_text(["a man"] * 40 + ["in a red coat " * 30], batch_size=8)
    assert max(sizes) <= max(loaded.network.max_tokens, 8 * 8)  # not 41 rows of the longest


def test_an_empty_list_has_no_rows(trained):
    loaded = ubg.load(trained[0], device="cpu")
    for empty in (loaded.encode_text([]), loaded.encode_image([]), loaded.encode_image(iter([]))):
        assert empty.shape == (0, loaded.network.embedding_dim)
        assert empty.dtype == torch.float32


def test_vectors_of_two_branches_are_as_long_as_both(tmp_path):
    folder, _, _ = save_small("t2i_reid", tmp_path)
    loaded = ubg.load(folder)
    picture = np.zeros((64, 32, 3), np.uint8)
    encoded = loaded.encode_text(["a man in red"]), loaded.encode_image([picture])
    assert [tuple(values.shape) for values in encoded] == [(1, loaded.network.embedding_dim)] * 2
    assert tuple(loaded.encode_image([]).shape) == (0, loaded.network.embedding_dim)


@pytest.mark.parametrize("folder", [None, 3, b"models"])
def test_what_is_no_path_is_told_in_a_line(folder):
    with pytest.raises(ValueError, match=f"^folder: {folder!r} is no path; name that of a trained"):
        ubg.load(folder)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.encode_text(["a man", None]), r"^caption 1: None is no text"),
        (lambda m: m.encode_text(["a man", float("nan")]), r"^caption 1: nan is no text"),
        (lambda m: m.encode_text(None), r"^captions: None is neither a text nor a list"),
        (
            lambda m: m.encode_image([*pictures(1), None]),
            r"^image 1: None is no image; give a path",
        ),
        (
            lambda m: m.encode_image([np.full((4, 4, 3), np.nan)]),
            r"^image 0: an array .* of float64",
        ),
        (
            lambda m: m.encode_image(np.zeros((4, 4), np.uint8)),
            r"^image 0: an array \[4\] of uint8",
        ),
        (
            lambda m: m.encode_image(np.zeros((3, 4, 4), np.uint8)),
            r"^image 0: an array \[3, 4, 4\]",
        ),
        (lambda m: m.encode_image([np.zeros((0, 4, 3), np.uint8)]), r"^image 0: it has no pixels"),
        (lambda m: m.encode_image(7), r"^images: 7 is neither an image nor a list"),
        (lambda m: m.encode_image(pictures(1), batch_size=0), r"^batch_size: 0; give 1 or more"),
        (
            lambda m: m.encode_query({}),
            r"^a query needs a part; this model is asked by text alone$",
        ),
        (
            lambda m: m.encode_query({"text": ["a"], "x": []}),
            r"^this model is asked by text alone, not by x$",
        ),
    ],
)
def test_what_is_no_text_or_image_is_named_by_its_position(trained, call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call(ubg.load(trained[0], device="cpu"))
    assert "\n" not in str(caught.value)


def test_unreadable_image_is_named(trained, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    loaded, good = ubg.load(trained[0], device="cpu"), pictures(2)
    with pytest.raises(ValueError, match=r"^image 2: .*broken\.jpg: is no image of a known format"):
        loaded.encode_image([*good, tmp_path / "broken.jpg"])
    good[0].save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:-600])
    with pytest.raises(ValueError, match=r"^image 2: "):
        loaded.encode_image([*good, PillowImage.open(tmp_path / "cut.png")])


def test_progress_is_shown_on_request_alone(trained, capsys):
    loaded = ubg.load(trained[0], device="cpu")
    loaded.encode_text(CAPTIONS)
    loaded.encode_image(pictures(2))
    assert capsys.readouterr().err == ""
    loaded.encode_text(CAPTIONS, progress=True)
    loaded.encode_image(pictures(2), progress=True)
    told = capsys.readouterr().err
    assert "3/3" in told
    assert "2/2" in told


def test_import_of_the_package_is_light_and_offers_the_interface():
    assert callable(ubg.retrieval.metrics.retrieval_metrics)
    assert callable(ubg.losses.sdm_loss)
    assert callable(ubg.data.annotations.read_annotations)
    alone = "import ubg; ubg.data.annotations.read_annotations; ubg.losses.sdm_loss"
    subprocess.run([sys.executable, "-c", alone], check=True)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ubg.nothing


def test_a_query_is_asked_by_text_alone(trained):
    loaded = ubg.load(trained[0], device="cpu")
    queried, encoded = loaded.encode_query({"text": CAPTIONS}), loaded.encode_text(CAPTIONS)
    assert torch.equal(queried, encoded)
    with pytest.raises(ValueError, match="is asked by text alone, not by sketch"):
        loaded.encode_query({"sketch": CAPTIONS})
    with pytest.raises(ValueError, match=r"is asked by text alone, not by sk$"):
        loaded.encode_query({"text": CAPTIONS, "sk": ["no_such.png"] * 3})


@pytest.fixture
def asked_by_pictures(trained):
    """The model as if its queries could hold two kinds of pictures, one of them grey."""
    loaded = ubg.load(trained[0], device="cpu")
    loaded.model.normalisations = {
        "nir": Normalisation((0.25,), (0.5,)),
        "cp": Normalisation((0.1, 0.2, 0.3), (0.4, 0.5, 0.6)),
    }
    asked = []

    def encode_query(parts):
        """The means of the channels of all images, in the first columns."""
        asked.append(parts)
        means = [part["images"].mean((2, 3)) for part in parts.values() if "images" in part]
        size = len(means[0])
        rest = torch.zeros(size, loaded.network.embedding_dim - sum(x.shape[1] for x in means))
        return torch.cat([*means, rest], dim=1)

    loaded.model.encode_query = encode_query
    return loaded, asked


def test_pictures_of_a_query_are_resized_grey_where_they_are_and_normalised(
    asked_by_pictures, tmp_path
):
    loaded, asked = asked_by_pictures
    shown = pictures(3)
    shown[1].save(tmp_path / "1.png")
    nir = [shown[0], str(tmp_path / "1.png"), np.asarray(shown[2])]
    found = loaded.encode_query({"nir": nir, "text": CAPTIONS, "cp": tuple(shown)}, batch_size=2)
    sizes = [(part["nir"]["images"].shape, part["cp"]["images"].shape) for part in asked]
    assert sizes == [((2, 1, 64, 32), (2, 3, 64, 32)), ((1, 1, 64, 32), (1, 3, 64, 32))]
    assert [len(part["text"][loaded.model.caption_fields[0]]) for part in asked] == [2, 1]
    for row, picture in enumerate(shown):
        grey = np.asarray(picture.convert("L").resize((32, 64), PillowImage.Resampling.BICUBIC))
        colour = np.asarray(picture.resize((32, 64), PillowImage.Resampling.BICUBIC))
        expected = [(grey.mean() / 255 - 0.25) / 0.5]
        expected += ((colour.mean((0, 1)) / 255 - [0.1, 0.2, 0.3]) / [0.4, 0.5, 0.6]).tolist()
        assert found[row, :4].tolist() == pytest.approx(expected, abs=1e-4)


def test_one_picture_is_a_query_and_no_pictures_are_none(asked_by_pictures):
    loaded, _ = asked_by_pictures
    picture = pictures(1)[0]
    one = loaded.encode_query({"nir": picture})
    assert torch.equal(one, loaded.encode_query({"nir": iter([picture])}))
    assert loaded.encode_query({"nir": [], "text": []}).shape == (0, one.shape[1])


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({}, r"^a query needs a part; this model is asked by text, nir, cp$"),
        ({"ir": []}, r"^this model is asked by text, nir, cp, not by ir$"),
        ({"vis": [], "x": []}, r"^this model is asked by text, nir, cp, not by vis, x$"),
        (
            {"text": ["a", "b"], "nir": ["x.png"]},
            r"^each query needs all of its parts, and there are 1 of nir, 2 of text$",
        ),
        ({"text": ["a", None], "nir": ["x.png"] * 2}, r"^caption 1: None is no text"),
        ({"nir": ["x.png"]}, r"^nir 0: x\.png: No such file"),
        ({"cp": [None]}, r"^cp 0: None is no image; give a path"),
        ({"cp": 7}, r"^cp: 7 is neither an image nor a list of images$"),
    ],
)
def test_parts_that_do_not_fit_are_one_clear_error(asked_by_pictures, parts, message):
    loaded, _ = asked_by_pictures
    with pytest.raises(ValueError, match=message) as caught:
        loaded.encode_query(parts)
    assert "\n" not in str(caught.value)


@pytest.fixture
def both(trained, monkeypatch):
    """The model with a second score."""
    folder, *_ = trained

    def code_score(trained_model, given_folder):
        assert given_folder == folder
        return ToyScore()

    declared = replace(system_named(folder.name), code_score=code_score)
    monkeypatch.setattr(f"ubg.systems.{folder.name}.system.SYSTEM", declared)
    return ubg.load(folder, device="cpu", both_scores=True)


def pictures(count):
    pixels = np.random.default_rng(0).integers(0, 256, (count, 96, 32, 3), dtype=np.uint8)
    for picture in pixels:
        picture[:48] //= 2
    return [PillowImage.fromarray(picture) for picture in pixels]


def test_both_scores_are_the_cosine_and_the_evidence_at_the_codes(both, tmp_path):
    images = pictures(4)
    images[3].save(tmp_path / "last.png")
    shown = [*images[:3], str(tmp_path / "last.png")]
    evidence_NLV, codes_ML = both.caption_evidence(CAPTIONS), both.image_codes(shown)
    assert evidence_NLV.shape == (3, 8, 5)
    assert codes_ML.shape == (4, 8)
    expected = both.encode_text(CAPTIONS) @ both.encode_image(shown).T
    for place in range(8):
        expected += evidence_NLV[:, place][:, codes_ML[:, place]]
    torch.testing.assert_close(both.score(CAPTIONS, shown), expected)


def test_both_scores_take_one_item_batches_and_none(both):
    shown = pictures(5)
    expected = both.score(CAPTIONS, shown)
    torch.testing.assert_close(both.score(iter(CAPTIONS), iter(shown), batch_size=2), expected)
    torch.testing.assert_close(both.score(CAPTIONS[1], shown[3]), expected[1:2, 3:4])
    assert both.score([], shown).shape == (0, 5)
    assert both.score(CAPTIONS, []).shape == (3, 0)
    whole, codes = both.caption_evidence(CAPTIONS), both.image_codes(shown)
    assert torch.equal(both.caption_evidence(iter(CAPTIONS), batch_size=1), whole)
    assert np.array_equal(both.image_codes(iter(shown), batch_size=2), codes)
    assert both.caption_evidence([]).shape == (0, 8, 5)
    assert both.image_codes([]).shape == (0, 8)


def test_a_second_score_is_not_read_unless_asked_for(trained, monkeypatch):
    folder, *_ = trained

    def code_score(trained_model, given_folder):
        raise AssertionError("nobody asked for it")

    declared = replace(system_named(folder.name), code_score=code_score)
    monkeypatch.setattr(f"ubg.systems.{folder.name}.system.SYSTEM", declared)
    assert len(ubg.load(folder, device="cpu").encode_text(CAPTIONS)) == 3


def test_a_second_score_must_be_there_and_be_asked_for(trained):
    folder = trained[0]
    alone = ubg.load(folder, device="cpu")
    with pytest.raises(ValueError, match="the second score was not loaded"):
        alone.score(CAPTIONS, pictures(1))
    if system_named(folder.name).code_score is cosine_alone:
        with pytest.raises(ValueError, match=f"^{folder.name} has one score alone; "):
            ubg.load(folder, device="cpu", both_scores=True)
