from pathlib import Path

import pytest
from tiny_report import write_project


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A miniature of what the stages before the report leave; the test runs in it."""
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path
