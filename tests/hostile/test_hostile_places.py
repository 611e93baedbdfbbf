"""The real scripts where nobody may write, and on a full disk: one line that names the output."""

import os
import re
import resource
import subprocess
import sys
from functools import partial

import pytest
from tiny_project import DRAWN, write_code
from told import contents

DENIED = r"(Permission denied|Operation not permitted|Read-only file system)"
TINY = {"height: 192, width: 64": "height: 64, width: 32"}
STAGES = {  # in their order, and where each writes
    "make_synthpedes.py synthpedes": "data/raw/synthpedes",
    "prepare_annotations.py": "data/prepared",
    "pack_images.py": "data/images",
    "make_foils.py": "data/foils",
    "fit_tokenizer.py": "models/tokenizer",
}


def run(stage, project, **options):
    script, *arguments = stage.split()
    return subprocess.run(
        [sys.executable, project / "stages" / script, *arguments],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project / "src")},
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )


def assert_told(result, line):
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr
    *_, last = result.stderr.splitlines()
    assert re.fullmatch(line, last), last


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """All outputs of `STAGES`."""
    project = tmp_path_factory.mktemp("places") / "project"
    write_code(project, DRAWN, TINY)
    for stage in STAGES:
        result = run(stage, project)
        assert result.returncode == 0, result.stderr
    return project


@pytest.mark.parametrize("stage", STAGES)
def test_a_full_disk_is_told_with_the_output_and_what_was_there_stays(project, stage):
    """Files may have 3,000 bytes: the system refuses more, whoever writes them."""
    before = contents(project / "data"), contents(project / "models")
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (3_000, 3_000))
    result = run(stage, project, preexec_fn=limit)
    assert_told(result, f"error: {STAGES[stage]}: File too large; free some space, .*")
    assert (contents(project / "data"), contents(project / "models")) == before


@pytest.mark.parametrize(
    ("stage", "top", "output"),
    [
        ("pack_images.py", "plots", "plots/images"),
        ("fit_tokenizer.py", "models", "models/tokenizer"),
    ],
)
def test_a_place_where_nobody_may_write_is_told_with_the_output(project, stage, top, output):
    """Not even root may write to /sys."""
    aside = project / "aside"
    (project / top).rename(aside)
    (project / top).symlink_to("/sys")
    try:
        result = run(stage, project)
    finally:
        (project / top).unlink()
        aside.rename(project / top)
    assert_told(result, f"error: {output}: {DENIED}; allow writing there, .*")
