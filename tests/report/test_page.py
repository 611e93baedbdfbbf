"""The page needs nothing else, says what was measured, and lets no stranger write into it."""

import contextlib
import importlib.util
import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tiny_report import write_project

from ubg.params import load_params
from ubg.report.build import MOST_BYTES, as_html, as_json, build_sections
from ubg.report.cost import cost_section
from ubg.report.dataset import dataset_section
from ubg.report.learning import learning_section
from ubg.report.sources import read_sources

ROOT = Path(__file__).parents[2]
ALL = ["phase1", "phase2", "phase4"]
EMPTY = {"meta", "img", "br", "use", "path", "link"}


class Page(HTMLParser):
    """The elements of a page; every one that is opened must be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def named(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def sections_of(systems):
    return build_sections(read_sources(systems, load_params()))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The sections of all systems, made once."""
    folder = tmp_path_factory.mktemp("project")
    write_project(folder)
    with contextlib.chdir(folder):
        return sections_of(ALL)


@pytest.fixture(scope="module")
def page(built):
    return Page(as_html(built).decode())


def test_page_needs_no_other_file_and_no_script(page):
    assert page.named("script") == page.named("link") == page.named("iframe") == []
    for _, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")
        assert (attributes.get("src") or "data:").startswith("data:image/webp;base64,"[:5])
    (style,) = [page.named("style")]
    assert len(style) == 1
    css = (ROOT / "src/ubg/report/templates/report.css").read_text()
    assert "url(" not in css
    assert "@import" not in css


def test_every_id_is_there_once_and_every_link_leads_to_one(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"][1:] for attributes in page.named("a")]
    assert links
    assert set(links) <= set(ids)


def test_pictures_and_drawings_have_alternative_texts(page):
    assert page.named("img")
    assert all(image["alt"] for image in page.named("img"))
    drawings = page.named("svg")
    assert len(drawings) > 5
    assert all(one["role"] == "img" and one["aria-label"] for one in drawings)


def test_cells_of_tables_that_become_cards_name_their_column(page):
    stacked, labelled = False, 0
    for tag, attributes in page.elements:
        if tag == "table":
            stacked = attributes.get("class") == "stack"
        if tag == "td" and stacked:
            assert attributes["data-label"]
            labelled += 1
    assert labelled > 50


def test_same_inputs_give_the_same_bytes(built, project):
    assert as_html(sections_of(ALL)) == as_html(built)


def test_what_strangers_wrote_stays_text(page):
    assert page.named("h1") == [{}]  # its own alone
    assert "Owned" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "<script>alert(1)</script>" in page.text
    assert "<b>.json" in page.text
    assert "<i>: 3." in page.text
    assert "\x1b" not in page.text
    assert "\x00" not in page.text
    assert "word " * 100 not in page.text


def test_sections_of_what_was_not_run_are_absent(built, project):
    assert {"generation", "foils"} <= set(as_json(built))
    sections = sections_of(["phase1"])
    assert [one.name for one in sections] == [
        "origin", "results", "learning", "foils", "people", "dataset", "cost", "reproduce",
    ]  # fmt: skip
    page = Page(as_html(sections).decode())
    assert "generation" not in page.text.lower()
    assert "None" not in page.text

    Path("plots/phase1/evaluation/foils.csv").write_text("kind,person\n")
    for path in Path("plots/phase1/training/plots/metrics").iterdir():
        path.unlink()
    names = {one.name for one in sections_of(["phase1"])}
    assert names == {"origin", "results", "people", "dataset", "cost", "reproduce"}


def test_synthetic_data_is_said_loudly_and_other_data_are_not_to_be_passed_on(built, page):
    assert "Synthetic data." in page.text
    origin = replace(built[0], data=built[0].data | {"synthetic": False})
    other = Page(as_html([origin, *built[1:]]).decode())
    assert "Synthetic data." not in other.text
    assert "Its terms may not allow you to pass them on" in other.text


def test_numbers_by_hand(built):
    data = as_json(built)
    assert data["results"]["chance_r1"] == pytest.approx(100 / 24, abs=1e-4)
    first, second, alone, both = data["results"]["rows"]
    assert [first["name"], second["name"]] == ["phase1", "phase2"]
    assert [alone["name"], both["name"]] == ["phase4", "phase4, both scores"]
    assert second["compared_with"] == "phase1"
    assert second["differences"]["r1"] == 0
    # phase1 is right for two of three people, phase2 too, and for one of three both are.
    expected = {"row": "phase2", "compared_with": "phase1"}
    expected |= {"both": 8, "won": 8, "lost": 8, "neither": 0}
    assert data["people"]["agreement"] == [expected]
    assert {one["first_rank"]["phase1"] for one in data["people"]["examples"]["won"]} == {7}
    assert {one["first_rank"]["phase2"] for one in data["people"]["examples"]["lost"]} == {4}
    assert data["people"]["found_by_none"] == 0
    hardest = data["people"]["hardest"]  # one in three has 1/7 by phase1, another 1/4 by phase2
    assert [one["pid"] for one in hardest] == [2, 5, 8, 11, 14, 17]
    assert data["learning"]["systems"][0]["selected"] == 2  # the first of equals
    (bars,) = [one["bars"] for one in data["generation"]["systems"]]
    assert [bar["ce"] for bar in bars] == [3.0, 2.8, 2.5]
    assert data["cost"]["systems"][0]["numbers"] == 3 * 4 + 5
    binding = data["foils"]["kinds"][0]
    assert (binding["kind"], binding["cases"]) == ("binding", 24)
    assert binding["right"]["phase1"]["mean"] == 50


def test_no_interval_of_few_people_is_no_fault(project):
    for path in Path("plots").glob("*/evaluation/queries*.csv"):
        path.write_text("\n".join(path.read_text().splitlines()[:9]) + "\n")
    page = Page(as_html(sections_of(["phase1", "phase2"])).decode())
    assert "[–]" in page.text
    assert "No interval over fewer than 20 identities" in page.text


def test_page_that_cannot_be_mailed_is_refused(built, monkeypatch):
    assert MOST_BYTES == 5_000_000
    monkeypatch.setattr("ubg.report.build.MOST_BYTES", 10_000)
    with pytest.raises(ValueError, match="more than the 10,000 of a mail"):
        as_html(built)


@pytest.mark.parametrize(
    ("path", "section"),
    [
        ("models/phase1/model.safetensors", cost_section),
        ("plots/images/report.md", dataset_section),
        ("data/prepared/report.json", dataset_section),
        ("plots/phase1/training/plots/metrics/val_r1.tsv", learning_section),
    ],
)
def test_unreadable_files_are_one_line_that_names_them(project, path, section):
    sources = read_sources(["phase1"], load_params())
    Path(path).write_bytes(b"\xff{")
    with pytest.raises(ValueError, match=f"^{path}: ") as fault:
        section(sources)
    assert "\n" not in str(fault.value)


def test_stage_writes_page_and_json_and_a_fault_leaves_the_earlier_ones(project):
    spec = importlib.util.spec_from_file_location("report_stage", ROOT / "stages/report.py")
    stage = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(stage)
    stage.main(["phase1", "phase2"])
    written = Path("plots/report/report.html").read_bytes()
    assert Page(written.decode()).named("section")
    data = json.loads(Path("plots/report/report.json").read_text())
    assert [row["name"] for row in data["results"]["rows"]] == ["phase1", "phase2"]
    Path("metrics/phase2.json").unlink()
    with pytest.raises(ValueError, match=r"metrics/phase2\.json"):
        stage.main(ALL)
    assert Path("plots/report/report.html").read_bytes() == written
