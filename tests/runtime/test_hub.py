from pathlib import Path

import pytest
from huggingface_hub import constants

from ubg.runtime import hub
from ubg.runtime.hub import find_file, unreachable_models


class NoNetwork:
    """A session that reaches nobody."""

    def __init__(self):
        self.asked = 0

    def head(self, url, timeout):
        self.asked += 1
        raise ConnectionError(url)


@pytest.fixture
def network(monkeypatch, tmp_path):
    session = NoNetwork()
    monkeypatch.setattr(hub, "get_session", lambda: session)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    hub.hub_answers.cache_clear()
    yield session
    hub.hub_answers.cache_clear()


def cache_model(name, file):
    repository = Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text("0" * 40)
    (snapshot / file).write_text("{}")


def test_without_a_hub_one_line_says_how_to_go_on_and_nothing_is_tried_again(network, capfd):
    for name in ("tokenizer.json", "spiece.model", "config.json"):
        with pytest.raises(ValueError, match=r"reached.*`hf download google-t5/t5-base") as error:
            find_file("google-t5/t5-base", name)
        assert "\n" not in str(error.value)
    assert network.asked == 1
    assert capfd.readouterr().err == ""


def test_without_a_hub_the_cache_is_read(network):
    cache_model("someone/tower", "config.json")
    found = find_file("someone/tower", "config.json")
    assert found is not None
    assert found.read_text() == "{}"
    assert find_file("someone/tower", "vocab.json") is None


def test_models_that_have_to_be_fetched_are_told_where_the_hub_does_not_answer(network, tmp_path):
    cache_model("someone/tower", "config.json")
    sources = ["someone/tower", "hf-hub:someone/other", "someone/other", str(tmp_path), "no/such/x"]
    assert unreachable_models(sources) == ["someone/other", "no/such/x"]


def test_what_is_here_asks_no_hub(network, tmp_path):
    cache_model("someone/tower", "config.json")
    assert unreachable_models(["someone/tower", str(tmp_path)]) == []
    assert network.asked == 0
