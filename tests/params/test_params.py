"""A wrong value is one line: file, key, value, what is allowed."""

import re
import shutil
from pathlib import Path

import pytest

from ubg.data.batches.samplers import samples_drawn_together
from ubg.params import load_other, load_params

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path):
    shutil.copy(REPOSITORY / "params.yaml", tmp_path)
    shutil.copytree(REPOSITORY / "configs", tmp_path / "configs")
    return tmp_path


def edit(path, old, new):
    text, count = re.subn(old, new, path.read_text(), count=1)
    assert count == 1, f"{old!r} is not in {path}"
    path.write_text(text)


DATASETS = sorted(path.stem for path in (REPOSITORY / "configs" / "datasets").iterdir())


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("scale", ["tiny", "base"])
def test_every_shipped_preset_is_valid(project, dataset, scale):
    edit(project / "params.yaml", "dataset: synthpedes", f"dataset: {dataset}")
    edit(project / "params.yaml", "scale: tiny", f"scale: {scale}")
    params = load_params(project)
    assert (params.dataset, params.scale) == (dataset, scale)
    assert params.raw_root == Path("data/raw") / dataset


@pytest.mark.parametrize(
    ("dataset", "images", "identities", "captions"),
    [("cuhk_pedes", 40_206, 13_003, 80_440), ("rstpreid", 20_505, 4_101, 41_010)],
)
def test_published_counts_add_up_to_the_published_sums(
    project, dataset, images, identities, captions
):
    edit(project / "params.yaml", "dataset: synthpedes", f"dataset: {dataset}")
    versions = load_params(project).data.counts
    assert versions
    for splits in versions.values():
        assert sum(counts.images for counts in splits.values()) == images
        assert sum(counts.identities for counts in splits.values()) == identities
        assert sum(counts.captions for counts in splits.values()) == captions


def test_another_data_set_comes_with_its_own_preset_and_without_noise(project):
    edit(project / "params.yaml", "rate: 0.0", "rate: 0.3")
    other = load_other("rstpreid", project)
    assert (other.dataset, other.data.title) == ("rstpreid", "RSTPReid")
    assert other.raw_root == Path("data/raw/rstpreid")
    assert other.noise.rate == 0
    assert other.preset == load_params(project).preset
    with pytest.raises(ValueError, match=r"'mars' has no preset; allowed: .*rstpreid"):
        load_other("mars", project)


def test_scientific_notation_without_a_point_is_a_number(project):
    edit(project / "params.yaml", "gen_weight: 10.0", "gen_weight: 1e-5")
    assert load_params(project).gen_weight == 1e-5


RATIO = r"mask_ratio: \[0.5, 1.0\]"
IRRA = r"(?<=irra:\n  )losses: \{.*\}"
NO_LOSS = "losses: {sdm: null, itc: null, cmpm: null, id: null, mlm: null}"


def with_only_id(setting: str) -> tuple[str, str]:
    """What to exchange in irra's section for one loss, id, and a setting that does not fit it."""
    key = setting.partition(":")[0]
    only_id = NO_LOSS.replace("id: null", "id: 1.0")
    return rf"{IRRA}((.*\n)+?)  {key}: \S+", rf"{only_id}\1  {setting}"


FAULTS = [
    ("params.yaml", "seed: 1", "seed: -1", ["params.yaml: seed: -1", "greater than or equal to 0"]),
    ("params.yaml", "seed: 1", "seed: abc", ["params.yaml: seed: 'abc'", "valid integer"]),
    ("params.yaml", "seed: 1", "seed: 1.5", ["params.yaml: seed: 1.5", "valid integer"]),
    ("params.yaml", "seed: 1", "seed: true", ["params.yaml: seed: True", "valid integer"]),
    ("params.yaml", "seed: 1", "seed: 1\nsead: 1", ["params.yaml: sead: unknown key"]),
    ("params.yaml", "seed: 1", "", ["params.yaml: seed: missing"]),
    ("params.yaml", "seed: 1", "seed: 1\nseed: 2", ["'seed' is given twice"]),
    ("params.yaml", "seed: 1", "seed: [1", ["params.yaml, line"]),
    ("params.yaml", "gen_weight: 10.0", "gen_weight: .nan", ["gen_weight: nan", "finite"]),
    ("params.yaml", "processes: 1", "processes: 0", ["launcher.processes: 0", "greater than 0"]),
    (
        "params.yaml",
        "labelled_identities: null",
        "labelled_identities: 0",
        ["params.yaml: labelled_identities: 0", "greater than 0"],
    ),
    ("params.yaml", "scale: tiny", "scale: huge", ["scale: 'huge' has no preset", "base, tiny"]),
    ("params.yaml", "scale: tiny", "scale: ../tiny", ["scale: '../tiny' is not allowed"]),
    ("params.yaml", "dataset: synthpedes", "dataset: mars", ["rstpreid, synthpedes"]),
    (
        "params.yaml",
        r"evaluate_on: \[\]",
        "evaluate_on: [mars]",
        ["evaluate_on.0: 'mars' has no preset"],
    ),
    ("params.yaml", r"evaluate_on: \[\]", "evaluate_on: rstpreid", ["evaluate_on: 'rstpreid'"]),
    (
        "configs/scales/tiny.yaml",
        "name: adamw",
        "name: sgd",
        ["configs/scales/tiny.yaml: optimiser.name: 'sgd'", "'adam' or 'adamw'"],
    ),
    (
        "configs/scales/tiny.yaml",
        r"sdm: [\d.]+,",
        "sdm: 0,",
        ["configs/scales/tiny.yaml: losses.sdm: 0", "greater than 0"],
    ),
    (
        "configs/scales/tiny.yaml",
        r"\[0.02, 0.4\]",
        "[0.5, 0.4]",
        ["configs/scales/tiny.yaml: augmentation", "low <= high"],
    ),
    (
        "configs/scales/tiny.yaml",
        r"(t5:\n(    .*\n)+?)    width: 128\n",
        r"\1",
        ["configs/scales/tiny.yaml: towers.t5.width: missing"],
    ),
    *[
        ("params.yaml", old, new, [f"params.yaml: generation{key}", allowed])
        for old, new, key, allowed in (
            (
                "decoder: parallel",
                "decoder: diffusion",
                ".decoder: 'diffusion'",
                "'autoregressive'",
            ),
            ("target: masked", "target: all", ".target: 'all'", "'masked' or 'whole'"),
            (
                r"mask_ratio: \[0.5, 1.0\]",
                "mask_ratio: [0.5, 1.5]",
                ".mask_ratio.1: 1.5",
                "equal to 1",
            ),
            ("beside: phase3", "beside: clip_mer", ".beside: 'clip_mer'", "'phase2' or 'phase3'"),
            (
                "condition: text((.*\n)+?)  beside: phase3",
                r"condition: joint\1  beside: phase1",
                ": ",
                "beside: phase1 does not go with condition: joint",
            ),
            (
                "contrast_positives: image",
                "contrast_positives: caption",
                ".contrast_positives: 'caption'",
                "'identity'",
            ),
            (RATIO, "mask_ratio: [0.9, 0.6]", ": ", "0 < low <= high <= 1"),
            (RATIO, "mask_ratio: [0.0, 0.6]", ": ", "0 < low <= high <= 1"),
            (RATIO, "mask_ratio: [0.5]", ".mask_ratio.1: missing", "add it"),
            (
                "mask_schedule: cosine",
                "mask_schedule: linear",
                ".mask_schedule: 'linear'",
                "'uniform'",
            ),
            ("block_size: 2", "block_size: 0", ".block_size: 0", "greater than 0"),
            ("masked_patch: drop", "masked_patch: black", ".masked_patch: 'black'", "'grey'"),
            ("reveal: 0.5", "reveal: 1.1", ".reveal: 1.1", "equal to 1"),
            ("text_dropout: 0.1", "text_dropout: -0.1", ".text_dropout: -0.1", "equal to 0"),
            (
                "label_smoothing: 0.1",
                "label_smoothing: 1.0",
                ".label_smoothing: 1.0",
                "less than 1",
            ),
            ("warmup_epochs: 1", "warmup_epochs: -1", ".warmup_epochs: -1", "equal to 0"),
            ("decoder_layers: 1", "decoder_layers: 0", ".decoder_layers: 0", "greater than 0"),
            ("  decoder_layers: 1", "", ".decoder_layers: missing", "add it"),
            ("enable_gen: true", "enable_gen: 1", ".enable_gen: 1", "boolean"),
            ("enable_gen: true", r"\g<0>\n  enable: true", ".enable: unknown key", "spelling"),
        )
    ],
    *[
        ("configs/scales/tiny.yaml", old, new, [f"configs/scales/tiny.yaml: {key}", allowed])
        for old, new, key, allowed in (
            ("pooling: mean", "pooling: max", "shared_encoder.pooling: 'max'", "'cls' or 'last'"),
            ("pooling: mean", "pooling: cls", "shared_encoder: ", "cls needs cls_token: true"),
            ("positions: 2d", "positions: 3d", "shared_encoder.image_positions: '3d'", "or '2d'"),
            ("cls_token: false", r"\g<0>\n  kind: 1", "shared_encoder.kind: unknown", "spelling"),
            (IRRA, NO_LOSS, "irra.losses: ", "at least one of sdm, itc, cmpm, id, mlm"),
            ("mlm: 0.1", "mlm: 0", "irra.losses.mlm: 0", "greater than 0"),
            ("mlm: 0.1", "mlm: 0.1, gen: 1", "irra.losses.gen: unknown key", "spelling"),
            (*with_only_id("contrast_on: masked"), "irra: ", "needs losses.mlm"),
            (*with_only_id("soft_labels: 0.3"), "irra: ", "needs losses.sdm"),
            (*with_only_id("learn_temperature: true"), "irra: ", "losses.itc"),
            ("schedule: cosine", "schedule: cosin", "optimiser.schedule: 'cosin'", "'poly'"),
            ("schedule: cosine", "schedule: step", "optimiser: ", "milestones belong together"),
            (r"milestones: \[\]", "milestones: [3]", "optimiser: ", "milestones belong together"),
            (
                r"schedule: cosine((.*\n)+?)  milestones: \[\]",
                r"schedule: step\1  milestones: [3, 2]",
                "optimiser: ",
                "must rise and come after warmup_epochs",
            ),
            (
                r"schedule: cosine((.*\n)+?)  final_factor: 0.0",
                r"schedule: exp\1  final_factor: 0.1",
                "optimiser: ",
                "not for schedule: exp",
            ),
            (
                r"sampler: random((.*\n)+?)  images_per_identity: 4",
                r"sampler: identity\1  images_per_identity: 5",
                "training: ",
                "batch_size must be a multiple of images_per_identity",
            ),
        )
    ],
    ("params.yaml", "index: null", "index: x.npy", ["params.yaml: noise: ", "needs the rate"]),
    ("params.yaml", "index: null", "index: ../x.npy", ["params.yaml: noise.index: '../x.npy'"]),
    (
        "configs/datasets/synthpedes.yaml",
        "format: cuhk_pedes",
        "format: cuhk",
        ["configs/datasets/synthpedes.yaml: format: 'cuhk'", "'cuhk_pedes'"],
    ),
    (
        "configs/datasets/synthpedes.yaml",
        "carve_val: null",
        "carve_val: {identities: 0, seed: 1}",
        ["synthpedes.yaml: carve_val.identities: 0 is not allowed", "greater than 0"],
    ),
    (
        "configs/datasets/synthpedes.yaml",
        r"counts: \{\}",
        "counts: {first: {train: {images: 1, identities: 1}}}",
        ["synthpedes.yaml: counts.first.train.captions: missing; add it"],
    ),
    (
        "configs/datasets/synthpedes.yaml",
        "source: null",
        "",
        ["synthpedes.yaml: source: missing; add it"],
    ),
]


@pytest.mark.parametrize(("file", "old", "new", "expected"), FAULTS)
def test_fault_is_one_line_that_names_it(project, file, old, new, expected):
    edit(project / file, old, new)
    with pytest.raises(ValueError, match=r"\.yaml") as raised:
        load_params(project)
    message = str(raised.value)
    assert "\n" not in message
    for part in expected:
        assert part in message


def test_ratios_are_read_from_a_list(project):
    edit(project / "params.yaml", RATIO, "mask_ratio: [0.6, 0.6]")
    assert load_params(project).generation.mask_ratio == (0.6, 0.6)


def test_shared_encoder_may_pool_its_class_token(project):
    scale = project / "configs/scales/tiny.yaml"
    edit(scale, "pooling: mean", "pooling: cls")
    edit(scale, "cls_token: false", "cls_token: true")
    shared = load_params(project).preset.shared_encoder
    assert (shared.pooling, shared.cls_token, shared.image_positions) == ("cls", True, "2d")


def test_every_fault_of_a_file_is_told_at_once(project):
    edit(project / "params.yaml", "seed: 1", "seed: x\nextra: 2")
    with pytest.raises(ValueError, match=r"yaml") as raised:
        load_params(project)
    assert len(str(raised.value).splitlines()) == 2


def test_missing_and_undecodable_files_are_named(project):
    (project / "params.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(ValueError, match=r"params\.yaml: cannot be read"):
        load_params(project)
    (project / "params.yaml").unlink()
    with pytest.raises(ValueError, match=r"params\.yaml: cannot be read"):
        load_params(project)


def test_labels_say_synthetic_once(project):
    data = load_params(project).data
    for title, synthetic, label in (
        ("Drawn", True, "Drawn (synthetic)"),
        ("SynthPEDES (synthetic)", True, "SynthPEDES (synthetic)"),
        ("CUHK-PEDES", False, "CUHK-PEDES"),
    ):
        changed = data.model_copy(update={"title": title, "synthetic": synthetic})
        assert changed.label == label


def test_the_sampler_alone_can_be_changed(project):
    edit(project / "configs/scales/tiny.yaml", "sampler: random", "sampler: identity")
    training = load_params(project).preset.training
    assert samples_drawn_together(training) == training.images_per_identity == 4


def test_a_value_is_found_as_dvc_names_it(project):
    params = load_params(project)
    assert params.value("params.yaml", "noise.rate") == params.noise.rate
    assert params.value("configs/scales/tiny.yaml", "towers.t5")["width"] == 128
    assert params.value("configs/datasets/synthpedes.yaml", "title") == params.data.title
