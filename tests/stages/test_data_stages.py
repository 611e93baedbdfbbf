"""The real scripts of the data stages: a fault is one clear line and leaves nothing behind."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

from ubg.data.images.image_pack import ImagePack
from ubg.data.prepared import load_prepared

REPOSITORY = Path(__file__).parents[2]


def run(script, folder, **variables):
    return subprocess.run(
        [sys.executable, REPOSITORY / "stages" / script],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "src")} | variables,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def project(cuhk_root, tmp_path):
    """A folder with params, presets and the miniature as the data set in use."""
    folder = tmp_path / "project"
    shutil.copytree(REPOSITORY / "configs", folder / "configs")
    params = (REPOSITORY / "params.yaml").read_text().splitlines()
    params = ["dataset: cuhk_pedes" if line.startswith("dataset:") else line for line in params]
    params = ["scale: tiny" if line.startswith("scale:") else line for line in params]
    (folder / "params.yaml").write_text("\n".join(params) + "\n")
    preset = folder / "configs" / "datasets" / "cuhk_pedes.yaml"
    preset.write_text(preset.read_text().replace("other_counts: false", "other_counts: true"))
    scale = folder / "configs/scales/tiny.yaml"
    scale.write_text(scale.read_text().replace("\n  batch_size: 64", "\n  batch_size: 8", 1))
    (folder / "data" / "raw").mkdir(parents=True)
    cuhk_root.rename(folder / "data" / "raw" / "cuhk_pedes")
    return folder


def assert_refused(result, expected, folder):
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    *_, last = result.stderr.splitlines()
    assert last.startswith("error: ")
    assert expected in last
    left = {path.name for path in (folder / "data").iterdir()}
    assert left <= {"raw", "prepared"}


def test_both_stages_write_what_the_loaders_read(project):
    result = run("prepare_annotations.py", project)
    assert result.returncode == 0, result.stderr
    table = load_prepared(project / "data" / "prepared")
    assert len(table) == 60
    assert json.loads((project / "data/prepared/report.json").read_text())["splits"]
    assert "| train |" in (project / "data/prepared/report.md").read_text()
    result = run("pack_images.py", project)
    assert result.returncode == 0, result.stderr
    pack = ImagePack(project / "data" / "images")
    assert pack.image_ids.tolist() == sorted(table["image_id"].unique())
    assert {path.name for path in (project / "data").iterdir()} == {"raw", "prepared", "images"}


def test_models_that_are_not_there_are_told_before_the_images_are_packed(project):
    scale = project / "configs/scales/tiny.yaml"
    values = yaml.safe_load(scale.read_text())
    values["tokenizer"]["pretrained"] = "someone/t5"
    values["vqgan"] |= {"pretrained": "no/last.ckpt", "config": "no/model.yaml", "fit": None}
    scale.write_text(yaml.safe_dump(values))
    result = run("prepare_annotations.py", project, HF_HUB_OFFLINE="1")
    assert result.returncode == 0, result.stderr
    *_, models, vqgan = result.stdout.splitlines()
    assert "not on this machine are someone/t5: stages that need them will fail" in models
    assert "no/last.ckpt is missing: fit_vqgan will fail" in vqgan


def remove_annotations(project):
    (project / "data/raw/cuhk_pedes/annotations/reid_raw.json").unlink()


def truncate_annotations(project):
    path = project / "data/raw/cuhk_pedes/annotations/reid_raw.json"
    path.write_bytes(path.read_bytes()[:-200])


def climb_out(project):
    path = project / "data/raw/cuhk_pedes/annotations/reid_raw.json"
    path.write_text(path.read_text().replace("cam_0/0001_0.jpg", "../../0001_0.jpg"))


def insist_on_counts(project):
    path = project / "configs/datasets/cuhk_pedes.yaml"
    path.write_text(path.read_text().replace("other_counts: true", "other_counts: false"))


def fill_batches_of_64(project):
    path = project / "configs/scales/tiny.yaml"
    path.write_text(path.read_text().replace("\n  batch_size: 8", "\n  batch_size: 64"))


def one_person_for_validation(project):
    path = project / "data/raw/cuhk_pedes/annotations/reid_raw.json"
    records = json.loads(path.read_text())
    first = min(r["id"] for r in records if r["split"] == "val")
    kept = [r for r in records if r["split"] != "val" or r["id"] == first]
    path.write_text(json.dumps(kept))


def mostly_one_person_for_validation(project):
    path = project / "data/raw/cuhk_pedes/annotations/reid_raw.json"
    records = json.loads(path.read_text())
    val = [r for r in records if r["split"] == "val"]
    first, second = sorted({r["id"] for r in val})[:2]
    one_of_second = [r for r in val if r["id"] == second][:1]
    both = [r for r in val if r["id"] == first] + one_of_second
    path.write_text(json.dumps([r for r in records if r["split"] != "val"] + both))


def misspell_scale(project):
    path = project / "params.yaml"
    path.write_text(path.read_text().replace("scale: tiny", "scale: tny"))


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (remove_annotations, "annotations: has no annotations; put reid_raw.json or "),
        (truncate_annotations, "reid_raw.json, record 29: "),
        (climb_out, "record 0: image path '../../0001_0.jpg' leaves"),
        (insist_on_counts, "train images 16 where 34,054 are published, "),
        (fill_batches_of_64, "training.batch_size: 64 is more than the 32 training captions; make"),
        (one_person_for_validation, "all images of the split 'val' are of one identity, whom"),
        (mostly_one_person_for_validation, "identity 9 has 2 of the 3 images of the split 'val'"),
        (misspell_scale, "params.yaml: scale: 'tny' has no preset"),
    ],
)
def test_prepare_annotations_refuses(project, spoil, expected):
    spoil(project)
    result = run("prepare_annotations.py", project)
    assert_refused(result, expected, project)
    assert len(result.stderr.splitlines()) == 1
    assert not (project / "data" / "prepared").exists()


def test_pack_images_refuses_a_broken_image_until_it_is_allowed(project):
    assert run("prepare_annotations.py", project).returncode == 0
    path = project / "data/raw/cuhk_pedes/imgs/cam_0/0001_0.jpg"
    path.write_bytes(path.read_bytes()[:300])
    assert_refused(run("pack_images.py", project), "imgs/cam_0/0001_0.jpg: ", project)

    scale = project / "configs" / "scales" / "tiny.yaml"
    allowed = scale.read_text().replace("max_broken: 0", "max_broken: 1")
    assert "max_broken: 1" in allowed
    scale.write_text(allowed)
    result = run("pack_images.py", project)
    assert result.returncode == 0, result.stderr
    assert "left out: " in result.stdout
    (dropped,) = json.loads((project / "data/images/index.json").read_text())["dropped"]
    assert dropped["image_path"] == "cam_0/0001_0.jpg"


def test_pack_images_without_the_table_says_what_to_run(project):
    assert_refused(run("pack_images.py", project), "dvc repro prepare_annotations", project)


def test_fit_tokenizer_refuses_captions_that_it_does_not_know_until_it_is_allowed(project):
    from ubg.data.text.unigram import fit_tokenizer

    assert run("prepare_annotations.py", project).returncode == 0
    fit_tokenizer(["красная куртка"], 64, project / "russian")
    scale = project / "configs" / "scales" / "tiny.yaml"
    scale.write_text(
        scale.read_text().replace("{pretrained: null, voc", "{pretrained: russian, voc")
    )
    result = run("fit_tokenizer.py", project)
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: tokenizer.max_unknown: the tokenizer does not know ")
    assert not (project / "models/tokenizer").exists()
    scale.write_text(scale.read_text().replace("max_unknown: 0.01", "max_unknown: 1.0"))
    result = run("fit_tokenizer.py", project)
    assert result.returncode == 0, result.stderr


def test_image_of_the_pack_is_the_picture_resized(project):
    assert run("prepare_annotations.py", project).returncode == 0
    assert run("pack_images.py", project).returncode == 0
    pack = ImagePack(project / "data" / "images")
    path = load_prepared(project / "data" / "prepared")["image_path"][0]
    with Image.open(project / "data/raw/cuhk_pedes/imgs" / path) as image:
        expected = image.convert("RGB").resize((pack.width, pack.height), Image.Resampling.BICUBIC)
    assert pack.read(pack.row_of([0]))[0].tobytes() == expected.tobytes()
