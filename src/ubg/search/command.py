"""The command line, `ubg`: index folders, search them, serve the search."""

import argparse
import os
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from ubg.runtime.cli import run_script

if TYPE_CHECKING:
    from collections.abc import Callable

    from ubg.search.engines.contract import Index
    from ubg.search.gallery import Gallery
    from ubg.search.searcher import Searcher

PLACE = "a folder, or http://host:19530[/NAME] for vectors on a Milvus server"
SHOWN_FAULTS, SHOWN_PATHS = 20, 5
# What a query may have beside photographs, where the model reads it, and its option.
DRAWINGS = {"sk": "--sketch", "nir": "--infrared", "cp": "--colour-pencil"}


def main() -> None:
    """Run `ubg` with the arguments of the process; what is wrong with them is said in a line."""
    parser = _parser()
    arguments = parser.parse_args()
    for argument in sys.argv[1:]:
        if not _is_text(argument):
            parser.error(f"{os.fsencode(argument)!r} is no UTF-8; rename it, or write it in UTF-8")
    warnings.filterwarnings("ignore", module=r"PIL\.")  # of EXIF, in lines of its own
    run_script(lambda: arguments.run(arguments))


def _is_text(argument: str) -> bool:
    try:
        argument.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8 come as lone surrogates
        return False
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ubg", description="Search pictures of people by words.")
    parser.add_argument("--version", action="version", version=f"ubg {version('ubg')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_index(commands.add_parser("index", help="make a gallery, or bring it up to date"))
    _add_search(commands.add_parser("search", help="find images"))
    _add_serve(commands.add_parser("serve", help="search on a page and through an HTTP API"))
    _add_accelerate(
        commands.add_parser("accelerate", help="approximate search, for 100,000 images or more")
    )
    _add_calibrate(
        commands.add_parser("calibrate", help="measure how high sentences score that fit nobody")
    )
    return parser


def _add_index(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_index)
    parser.add_argument(
        "folders",
        nargs="*",
        type=Path,
        metavar="FOLDER",
        help="of pictures; none: those known before",
    )
    parser.add_argument("--gallery", required=True, metavar="GALLERY", help=PLACE)
    parser.add_argument("--model", type=Path, help="folder of a trained model")
    parser.add_argument("--both-scores", action="store_true", help="keep codes for a second score")
    parser.add_argument("--float16", action="store_true", help="keep vectors in half the space")
    parser.add_argument("--exclude", action="append", metavar="PATTERN", help="skip such files")
    parser.add_argument("--labels", type=Path, help="CSV with the columns path, tags, camera")
    parser.add_argument(
        "--forget",
        action="append",
        default=[],
        type=Path,
        metavar="FOLDER",
        help="remove its pictures",
    )


def _index(arguments: argparse.Namespace) -> None:
    from ubg.search.accelerating import bring_up_to_date
    from ubg.search.gallery import Gallery
    from ubg.search.indexing import Request, index
    from ubg.search.labels import read_labels
    from ubg.search.output import printable
    from ubg.search.place import Place

    place = Place.parse(arguments.gallery)
    request = Request(
        folders=arguments.folders,
        model=arguments.model,
        both_scores=arguments.both_scores,
        float16=arguments.float16,
        exclude=arguments.exclude,
        labels=read_labels(arguments.labels) if arguments.labels else {},
        forget=arguments.forget,
    )
    report = index(place.folder, request)
    with Gallery.open(place.folder) as gallery:
        if place.server:
            bring_up_to_date(gallery, place.server)
        broken = report.unreadable + gallery.faults()
        print(
            f"{gallery.count:,} images in {arguments.gallery}: {report.added:,} new, "
            f"{report.changed:,} changed, {report.gone:,} gone, {report.unchanged:,} as they were"
        )
    if request.labels:
        print(f"{report.labelled:,} images labelled")
    if report.unmatched:
        some = ", ".join(map(printable, report.unmatched[:SHOWN_PATHS]))
        print(
            f"{len(report.unmatched):,} paths of the labels match no image: {some}"
            f"{', ...' if len(report.unmatched) > SHOWN_PATHS else ''}"
        )
    for path, reason in broken[:SHOWN_FAULTS]:
        print(f"left out: {printable(path)}: {printable(reason)}")
    if len(broken) > SHOWN_FAULTS:
        print(f"left out: and {len(broken) - SHOWN_FAULTS:,} more")


def _add_search(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_search)
    parser.add_argument("gallery", help=PLACE)
    parser.add_argument("sentence", nargs="?", help='"a red coat", "a coat + a hat - 0.5 * jeans"')
    parser.add_argument("--image", action="append", default=[], type=Path, help="like this picture")
    for kind, name in DRAWINGS.items():
        shown = name.removeprefix("--").replace("-", " ")
        parser.add_argument(name, dest=kind, type=Path, metavar="FILE", help=f"{shown} image")
    parser.add_argument(
        "--like",
        action="append",
        default=[],
        type=int,
        metavar="ID",
        help="search by an image in it",
    )
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="camera, tag, folder, path, from, to, min_height",
    )
    parser.add_argument("--top", type=int, default=10, help="results per page")
    parser.add_argument("--page", type=int, default=1)
    parser.add_argument("--model", type=Path, help="where the gallery's model is now")
    parser.add_argument("--both-scores", action="store_true", help="rank by the sum of both scores")
    parser.add_argument("--approximate", action="store_true", help="see `ubg accelerate`")
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="draw the results")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true")
    form.add_argument("--csv", action="store_true")


def _search(arguments: argparse.Namespace) -> None:
    from ubg.search.accelerating import open_file, open_server
    from ubg.search.filters import Filter
    from ubg.search.output import NOBODY, as_csv, as_json, as_table
    from ubg.search.picture import open_picture
    from ubg.search.place import Place
    from ubg.search.query import Query
    from ubg.search.searcher import Page

    page = Page(arguments.top, (arguments.page - 1) * arguments.top)
    wanted = Filter.parse(arguments.filter)
    texts = Query.parse(arguments.sentence).texts if arguments.sentence else ()
    images = [open_picture(path) for path in arguments.image]
    given = [(kind, getattr(arguments, kind)) for kind in DRAWINGS]
    drawings = [(kind, open_picture(path)) for kind, path in given if path is not None]
    query = Query(texts, images, arguments.like, drawings)
    searcher = _open_searcher(arguments)
    place = Place.parse(arguments.gallery)
    if place.server:
        searcher.use(open_server(searcher.gallery, place.server))
    elif arguments.approximate:
        searcher.use(open_file(searcher.gallery))
    (results,) = searcher.search(searcher.encode([query]), page, wanted)
    shown = arguments.sentence or "like an image"
    if arguments.sheet:  # first: whoever reads what is printed may leave
        from ubg.search.sheet import draw_sheet

        title = f"Nobody fits: {shown}" if results.nobody_fits else shown
        draw_sheet(arguments.sheet, title, searcher.gallery, results.results)
    if arguments.json:
        print(as_json(shown, results))
    elif arguments.csv:
        print(as_csv(results))
        if results.nobody_fits:
            print(NOBODY, file=sys.stderr)
    else:
        print(as_table(results))


def _open_searcher(arguments: argparse.Namespace) -> "Searcher":
    from ubg.search.gallery import Gallery
    from ubg.search.place import Place
    from ubg.search.searcher import Searcher

    place = Place.parse(arguments.gallery)
    place.require()
    return Searcher(Gallery.open(place.folder), arguments.model, arguments.both_scores)


def _engine_finder(arguments: argparse.Namespace) -> "Callable[[Gallery], Index | None] | None":
    from ubg.search.accelerating import find_file, open_server
    from ubg.search.place import Place

    server = Place.parse(arguments.gallery).server
    if server:
        return lambda gallery: open_server(gallery, server)
    return find_file if arguments.approximate else None


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_serve)
    parser.add_argument("gallery", help=PLACE)
    parser.add_argument("--host", default="127.0.0.1", help="other addresses need a token")
    parser.add_argument("--port", default=8000, type=int, help="0: any free one")
    parser.add_argument("--model", type=Path, help="where the gallery's model is now")
    parser.add_argument("--both-scores", action="store_true", help="rank by the sum of both scores")
    parser.add_argument("--approximate", action="store_true", help="see `ubg accelerate`")


def _serve(arguments: argparse.Namespace) -> None:
    try:
        from ubg.search.serving.library import Library
        from ubg.search.serving.serve import Address, serve
    except ModuleNotFoundError as error:
        raise ValueError(f"{error.name} is missing; pip install 'ubg[search]'") from None
    if not 0 <= arguments.port < 2**16:
        raise ValueError(f"--port {arguments.port}; give 0 to 65535")
    library = Library(lambda: _open_searcher(arguments), _engine_finder(arguments))
    serve(library, Address(arguments.host, arguments.port))


def _add_accelerate(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_accelerate)
    parser.add_argument("gallery", help="a folder")
    parser.add_argument(
        "--recall", type=float, default=0.98, help="share of the ten nearest to find"
    )


def _accelerate(arguments: argparse.Namespace) -> None:
    from ubg.search.accelerating import build_file
    from ubg.search.gallery import Gallery
    from ubg.search.place import Place

    if not 0 < arguments.recall <= 1:
        raise ValueError(f"--recall {arguments.recall:g}; give a share above 0, 1 at most")
    place = Place.parse(arguments.gallery)
    if place.server:
        raise ValueError(
            f"{arguments.gallery}: a Milvus server has an index of its own; name a folder"
        )
    with Gallery.open(place.folder) as gallery:
        index = build_file(gallery, arguments.recall)
    print(
        f"{index.count():,} images in {index.index.nlist:,} cells, {index.index.nprobe} of them "
        f"searched: {100 * index.recall:.1f} % of the ten nearest are found"
    )


def _add_calibrate(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_calibrate)
    parser.add_argument("gallery", help=PLACE)
    parser.add_argument("--model", type=Path, help="where the gallery's model is now")
    parser.add_argument(
        "--data", required=True, type=Path, help="folder with prepared/ and images/"
    )


def _calibrate(arguments: argparse.Namespace) -> None:
    from ubg.search.calibrating import calibrate_gallery
    from ubg.search.place import Place

    place = Place.parse(arguments.gallery)
    place.require()
    measured = calibrate_gallery(place.folder, arguments.model, arguments.data)
    print(
        f"{len(measured.cosine):,} sentences, each among {measured.images:,} images of other "
        f"persons; median of their best scores {measured.cosine[len(measured.cosine) // 2]:.3f}"
    )
