"""Results as a table for people, as JSON, as CSV."""

import csv
import io
import json
from typing import Any

from ubg.search.searcher import Result, Results

COLUMNS = ("rank", "id", "score", "share_without_person", "path", "folder", "width", "height")
MORE_COLUMNS = ("captured_at", "tags", "camera", "duplicates")
FORMULA = ("=", "+", "-", "@")  # how one begins
NOBODY = "Nobody fits: scores like these are usual when the person is not there."


def as_record(result: Result) -> dict[str, Any]:
    """One result as JSON has it."""
    entry, share = result.entry, result.share_without_person
    return {
        "rank": result.rank,
        "id": result.id,
        "score": round(result.score, 6),
        "share_without_person": None if share is None else round(share, 4),
        "path": entry.path,
        "folder": entry.folder,
        "width": entry.width,
        "height": entry.height,
        "captured_at": entry.captured_at,
        "tags": list(entry.tags),
        "camera": entry.camera,
        "duplicates": list(entry.duplicates),
    }


def as_json(query: str, results: Results) -> str:
    """A page as JSON."""
    page = {
        "query": query,
        "total": results.total,
        "nobody_fits": results.nobody_fits,
        "results": [as_record(result) for result in results.results],
    }
    text = json.dumps(page, indent=2, ensure_ascii=False)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def as_csv(results: Results) -> str:
    """A page as CSV, with ";" between several values of a field.

    It may be opened in a terminal or a spreadsheet: texts are `printable`, and one that a
    spreadsheet would take for a formula begins with an apostrophe.
    """
    text = io.StringIO()
    table = csv.DictWriter(text, (*COLUMNS, *MORE_COLUMNS), lineterminator="\n")
    table.writeheader()
    for result in results.results:
        record = as_record(result)
        joined = {name: ";".join(record[name]) for name in ("tags", "duplicates")}
        table.writerow({name: _cell(value) for name, value in (record | joined).items()})
    return text.getvalue().rstrip("\n")


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    return f"'{printable(value)}" if value.startswith(FORMULA) else printable(value)


def as_table(results: Results) -> str:
    """A page for people: rank, score, how usual it is without the person, path."""
    lines = []
    if results.nobody_fits:
        lines.append(NOBODY)
    if not results.results:
        lines.append("Nothing found: no image passes, or the ranks end before this page.")
    known = any(result.share_without_person is not None for result in results.results)
    if results.results:
        lines.append("rank   score" + ("  without" if known else "") + "  image")
    for result in results.results:
        share = result.share_without_person
        without = "" if share is None else f"  {100 * share:5.1f} %"
        also = len(result.entry.duplicates)
        copies = f"  (and {also} of the same bytes)" if also else ""
        path = printable(result.entry.path)
        lines.append(f"{result.rank:4}  {result.score:6.3f}{without}  {path}{copies}")
    return "\n".join(lines)


def printable(text: str) -> str:
    """A name of a file without what would steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
