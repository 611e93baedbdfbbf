"""The HTTP API and the page, as an ASGI application."""

import logging
from importlib.resources import files
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException

from ubg.runtime.faults import key_of
from ubg.search.database import MAX_ID
from ubg.search.serving.batching import Busy
from ubg.search.serving.desk import Desk
from ubg.search.serving.guard import COOKIE, Guard, Rules, same
from ubg.search.serving.library import Broken, Library, reading_gallery
from ubg.search.serving.messages import (
    Answer,
    Fault,
    Found,
    Question,
    Summary,
    Token,
    version_of,
)
from ubg.search.serving.pictures import PICTURE, THUMBNAIL, jpeg

PAGE = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
DAY = 86_400
MAX_FAULTS = 1_000


class Problem(BaseModel):
    """Why a request got no answer, in one line."""

    error: str


_JPEG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}}}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem} for status in (401, 404, 422, 503)
}
Id = Annotated[int, Path(ge=0, le=MAX_ID)]


def guarded(library: Library, rules: Rules) -> Guard:
    """The application as it faces the network."""
    return Guard(create_app(library, rules.token), rules)


def create_app(library: Library, token: str | None) -> FastAPI:
    """The application behind its guard."""
    app = FastAPI(
        title="UBG search",
        description="Finds the images of a gallery that a sentence or an image describes.",
        version="1",
        openapi_url="/api/openapi.json",
        docs_url=None,  # they load their code from another host
        redoc_url=None,
        redirect_slashes=False,
        responses=_PROBLEMS,
    )
    _answer_problems(app)
    _serve_page(app)
    _serve_gallery(app, library)
    _serve_session(app, token)
    desk = Desk(library)

    @app.post("/api/search")
    async def search(question: Question) -> Answer:
        """The images that fit best, best first."""
        try:
            return await desk.answer(question)
        except ValueError as error:
            raise HTTPException(422, str(error)) from None

    return app


def _serve_page(app: FastAPI) -> None:
    """The page lies in memory under fixed addresses: no request becomes a path."""
    folder = files("ubg.search.serving") / "page"
    scripts = [file.name for file in folder.iterdir() if file.name.endswith(".js")]
    kinds = PAGE | dict.fromkeys(scripts, "text/javascript; charset=utf-8")
    for name, kind in kinds.items():
        _serve_file(app, name, (folder / name).read_bytes(), kind)


def _serve_file(app: FastAPI, name: str, content: bytes, kind: str) -> None:
    address = "/" if name == "index.html" else f"/{name}"

    @app.get(address, include_in_schema=False)
    def page() -> Response:
        return Response(content, media_type=kind, headers={"cache-control": "no-cache"})


def _serve_gallery(app: FastAPI, library: Library) -> None:
    @app.get("/api/gallery")
    def gallery() -> Summary:
        """What the gallery holds, and what may be asked."""
        searcher = library.current()
        with reading_gallery():
            facets, faults = searcher.gallery.facets(), searcher.gallery.faults()
        return Summary(
            name=searcher.gallery.path.resolve().name,
            model=searcher.gallery.manifest.model,
            count=searcher.gallery.count,
            both_scores=searcher.both_scores,
            kinds=list(searcher.kinds),
            cameras=facets.cameras,
            tags=facets.tags,
            folders=facets.folders,
            faults=len(faults),
        )

    @app.get("/api/faults")
    def faults() -> list[Fault]:
        """The first of the files that could not be indexed, and why."""
        searcher = library.current()
        with reading_gallery():
            some = searcher.gallery.faults()[:MAX_FAULTS]
        return [Fault(path=path, reason=reason) for path, reason in some]

    @app.get("/api/images/{id}")
    def image(id: Id) -> Found:
        """What is known of an image."""
        try:
            return Found.of(library.current().gallery.entry(id))
        except ValueError as error:
            raise HTTPException(404, str(error)) from None

    @app.get("/api/images/{id}/thumbnail", response_class=Response, responses=_JPEG)
    def thumbnail(id: Id, v: str = "") -> Response:
        """The image, small, as a JPEG; of a version `v` it may be kept."""
        return _picture(library, id, v, THUMBNAIL)

    @app.get("/api/images/{id}/picture", response_class=Response, responses=_JPEG)
    def picture(id: Id, v: str = "") -> Response:
        """The image, large, as a JPEG, drawn anew: nothing else of the file is given."""
        return _picture(library, id, v, PICTURE)


def _picture(library: Library, id: int, version: str, size: tuple[int, int]) -> Response:
    gallery = library.current().gallery
    try:
        content = jpeg(gallery.open_image(id), size)
        # Another gallery has another image of this id, at the same address.
        keep = version == version_of(gallery.entry(id))
    except ValueError as error:
        raise HTTPException(404, str(error)) from None
    kept = {"cache-control": f"private, max-age={DAY}"} if keep else {}
    return Response(content, media_type="image/jpeg", headers=kept)


def _serve_session(app: FastAPI, token: str | None) -> None:
    @app.post("/api/session", status_code=204)
    def session(given: Token, request: Request) -> Response:
        """Take the token once and keep it in a cookie that scripts cannot read."""
        if token is not None and not same(given.token, token):
            raise HTTPException(401, "that is not the token that the server printed")
        response = Response(status_code=204)
        response.set_cookie(
            COOKIE,
            given.token if token is not None else "",
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return response


def _answer_problems(app: FastAPI) -> None:
    """Whatever goes wrong is answered as a `Problem`."""

    @app.exception_handler(RequestValidationError)
    async def refused(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        # What was sent is not sent back: it may be an image.
        where = key_of(first["loc"][1:])
        reason = " ".join(str(first["msg"]).split())
        return _problem(422, f"{where}: {reason}" if where else reason)

    @app.exception_handler(StarletteHTTPException)
    async def known(_: Request, error: StarletteHTTPException) -> JSONResponse:
        return _problem(error.status_code, str(error.detail))

    @app.exception_handler(Broken)
    async def broken(_: Request, error: Broken) -> JSONResponse:
        return _problem(503, f"the gallery cannot be read: {error}")

    @app.exception_handler(Busy)
    async def busy(_: Request, error: Busy) -> JSONResponse:
        return _problem(503, "too many searches wait; try again in a moment")

    @app.exception_handler(Exception)
    async def unforeseen(_: Request, error: Exception) -> JSONResponse:
        logging.getLogger("ubg.search").error("a request failed", exc_info=error)
        return _problem(500, "the server made a mistake; its own output says more")


def _problem(status: int, reason: str) -> JSONResponse:
    return JSONResponse({"error": " ".join(reason.split())[:500]}, status)
