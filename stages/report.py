"""Put what a run found on one page: `python stages/report.py phase1 phase2`.

The systems are named on the command line, as for `stages/compare.py`.
"""

from ubg.runtime.cli import run_systems_stage
from ubg.systems import system_names


def main(systems: list[str]) -> None:
    """Write `report.html`, which needs no other file, and `report.json` to `plots/report`."""
    from pathlib import Path

    from ubg.params import load_params
    from ubg.report.build import as_html, as_json, build_sections
    from ubg.report.sources import read_sources
    from ubg.runtime.files import replace_folder, write_json
    from ubg.runtime.passed_over import was_passed_over

    systems = [name for name in systems if not was_passed_over(Path(f"metrics/{name}.json"))]
    sections = build_sections(read_sources(systems, load_params()))
    page = as_html(sections)
    with replace_folder("plots/report") as folder:
        (folder / "report.html").write_bytes(page)
        write_json(folder / "report.json", as_json(sections))
    print(f"written to plots/report: report.html, {len(page) / 1e6:.1f} MB, and report.json")


if __name__ == "__main__":
    run_systems_stage("Put what the systems given found on one page.", main, system_names())
