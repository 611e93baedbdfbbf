"""The page: its sections in their order, put into the templates."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ubg.report.changes import changes_section, reproduce_section
from ubg.report.cost import cost_section
from ubg.report.dataset import dataset_section
from ubg.report.disentanglement import disentanglement_section
from ubg.report.foils import foils_section
from ubg.report.generation import generation_section
from ubg.report.kinds import kinds_section
from ubg.report.learning import learning_section
from ubg.report.origin import origin_section
from ubg.report.people import people_section
from ubg.report.results import results_section, summary
from ubg.report.section import Section
from ubg.report.sources import Sources

MOST_BYTES = 5_000_000


def build_sections(sources: Sources) -> list[Section]:
    """All parts of the page; those about what was not run are absent."""
    origin, changes = origin_section(sources), changes_section(sources)
    found = [
        origin,
        results_section(sources),
        changes,
        learning_section(sources),
        generation_section(sources),
        foils_section(sources),
        kinds_section(sources),
        disentanglement_section(sources),
        people_section(sources),
        dataset_section(sources),
        cost_section(sources),
        reproduce_section(origin, changes),
    ]
    return [section for section in found if section is not None]


def as_json(sections: Sequence[Section]) -> dict[str, Any]:
    """What the page says, for programs; without drawings and pictures."""
    return {section.name: section.data for section in sections}


def as_html(sections: Sequence[Section]) -> bytes:
    """The page, which needs no other file.

    Raises:
        ValueError: it has more than `MOST_BYTES`.
    """
    environment = Environment(
        loader=PackageLoader("ubg.report"),
        autoescape=True,  # captions of strangers stand in it
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    by_name = {section.name: section for section in sections}
    style = files("ubg.report").joinpath("templates/report.css").read_text(encoding="utf-8")
    page = environment.get_template("report.html").render(
        sections=sections,
        origin=by_name["origin"].data,
        summary=summary(by_name["results"]),
        results=by_name["results"].data,
        style=Markup(style),  # noqa: S704 -- our own
    )
    written = page.encode("utf-8")
    if len(written) > MOST_BYTES:
        raise ValueError(
            f"the report has {len(written):,} bytes, more than the {MOST_BYTES:,} of a mail"
        )
    return written
