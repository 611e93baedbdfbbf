"""What the API answers, over a gallery of plain pictures."""

import base64
import io
import shutil

import pytest
from PIL import Image
from starlette.testclient import TestClient
from toy_search import COLOURS, PER_COLOUR, library_of, toy_gallery

from ubg.search.gallery import Gallery
from ubg.search.indexing import Request, index
from ubg.search.labels import Label
from ubg.search.searcher import MAX_DEPTH, Searcher
from ubg.search.serving.app import create_app, guarded
from ubg.search.serving.guard import HEADERS, Rules
from ubg.search.serving.messages import MAX_BODY
from ubg.search.serving.pictures import UPLOAD_BYTES

COUNT = PER_COLOUR * len(COLOURS)


@pytest.fixture
def root(tmp_path):
    return tmp_path


@pytest.fixture
def model(root, monkeypatch):
    return toy_gallery(root, monkeypatch)


@pytest.fixture
def client(root, model):
    app = guarded(library_of(root), Rules(None, None, MAX_BODY))
    return TestClient(app, raise_server_exceptions=False)


def found(client, **question):
    response = client.post("/api/search", json=question)
    assert response.status_code == 200, response.text
    return response.json()


def colours_of(answer):
    return [match["image"]["path"].split("/")[0] for match in answer["matches"]]


def encoded(content):
    return base64.b64encode(content).decode()


def test_a_sentence_finds_its_colour_as_the_library_does(client, root, model):
    answer = found(client, text="a man in violet", top=PER_COLOUR)
    assert colours_of(answer) == ["violet"] * PER_COLOUR
    assert answer["total"] == COUNT
    assert answer["nobody_fits"] is None, "nothing was calibrated"
    searcher = Searcher(Gallery.open(root / "gallery"))
    from ubg.search.query import Query

    (results,) = searcher.search(searcher.encode([Query.parse("a man in violet")]))
    expected = [(result.rank, result.id, result.score) for result in results.results[:PER_COLOUR]]
    assert expected == [
        (match["rank"], match["image"]["id"], match["score"]) for match in answer["matches"]
    ]


def test_plus_and_minus_between_blanks(client):
    answer = found(client, text="red + green - 0.9 * red", top=PER_COLOUR)
    assert colours_of(answer) == ["green"] * PER_COLOUR


def test_pages_follow_one_another(client):
    whole = [match["image"]["id"] for match in found(client, text="red", top=50)["matches"]]
    pages = [found(client, text="red", top=10, offset=offset) for offset in range(0, 50, 10)]
    assert [match["image"]["id"] for page in pages for match in page["matches"]] == whole
    assert [match["rank"] for match in pages[3]["matches"]] == list(range(31, 41))
    assert found(client, text="red", offset=COUNT)["matches"] == []


def test_the_last_rank_that_can_be_seen_is_the_searchs(client):
    assert client.get("/api/gallery").json()["limits"]["ranks"] == MAX_DEPTH
    assert found(client, text="red", top=1, offset=MAX_DEPTH - 1)["matches"] == []
    for top, offset in ((2, MAX_DEPTH - 1), (1, MAX_DEPTH)):
        refused = client.post("/api/search", json={"text": "red", "top": top, "offset": offset})
        assert refused.status_code == 422
        assert refused.json()["error"].startswith("offset: ")


def test_the_next_page_is_not_encoded_anew(client, model):
    for offset in (0, 10, 20):
        found(client, text="red", top=10, offset=offset)
    assert model.batches == [1]


def test_more_like_this_and_a_picture_find_the_image_itself_first(client, root):
    first = found(client, text="blue")["matches"][3]["image"]
    assert found(client, like=[first["id"]])["matches"][0]["image"] == first
    picture = encoded((root / "crops" / first["path"]).read_bytes())
    assert found(client, images=[{"data": picture}])["matches"][0]["image"] == first
    both = found(client, text="red", images=[{"data": picture}], top=COUNT)
    assert {"red", "blue"} & {*colours_of(both)[:2]} or colours_of(both)[0] == "violet"


def test_pictures_may_be_as_large_together_as_is_promised(client, root):
    file = io.BytesIO()
    Image.open(root / "crops/blue/05.png").save(file, "PNG")
    picture = file.getvalue()
    sizes = (UPLOAD_BYTES - 3 * len(picture), *[len(picture)] * 3)
    four = [{"data": encoded(picture.ljust(size, b"\0"))} for size in sizes]
    answer = found(client, text="blue" + 1996 * " ", images=four)
    assert answer["matches"][0]["image"]["path"] == "blue/05.png"
    four[1]["data"] = encoded(picture + bytes(20))
    refused = client.post("/api/search", json={"images": four})
    assert refused.status_code == 422
    assert "are larger than 10,485,760 bytes together" in refused.json()["error"]


def test_a_picture_is_turned_upright_as_files_are(client, root):
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(root / "crops/green/03.png").transpose(Image.Transpose.ROTATE_90).save(
        file, "PNG", exif=exif
    )
    answer = found(client, images=[{"data": encoded(file.getvalue())}])
    assert answer["matches"][0]["image"]["path"] == "green/03.png"


def test_a_sketch_is_read_together_with_the_text_where_the_model_reads_sketches(
    client, root, monkeypatch
):
    def sketch(colour):
        file = io.BytesIO()
        Image.new("RGB", (50, 100), colour).save(file, "PNG")
        return {"data": encoded(file.getvalue()), "kind": "sk"}

    refused = client.post("/api/search", json={"images": [sketch("black")]})
    assert refused.status_code == 422
    assert refused.json()["error"] == "the model takes no sketch; it takes text, photograph"
    sketches = toy_gallery(root / "other", monkeypatch, kinds=("sk", "nir"))
    asked = TestClient(guarded(library_of(root / "other"), Rules(None, None, MAX_BODY)))
    assert asked.get("/api/gallery").json()["kinds"] == ["image", "sk", "nir"]
    assert colours_of(found(asked, images=[sketch("black")], top=3)) == ["violet"] * 3
    assert colours_of(found(asked, text="red", images=[sketch("white")], top=3)) == ["red"] * 3
    assert colours_of(found(asked, text="red", images=[sketch("black")], top=3)) == ["blue"] * 3
    for refused in (
        {"images": [sketch("black"), sketch("white")]},
        {"text": "red - blue", "images": [sketch("black")]},
        {"text": "2 * red", "images": [sketch("black")]},
    ):
        assert asked.post("/api/search", json=refused).status_code == 422
    assert sketches.batches == [1, 1, 1], "no text is encoded apart from its sketch"


def test_a_filter_leaves_out_what_does_not_pass(client, root):
    labels = {"red/00.png": Label(("night",), "2"), "blue/01.png": Label(("night", "rain"), "3")}
    index(root / "gallery", Request([], labels=labels))
    summary = client.get("/api/gallery").json()
    assert (summary["cameras"], summary["tags"]) == (["2", "3"], ["night", "rain"])
    assert colours_of(found(client, text="red", filter={"tags": ["night"]})) == ["red", "blue"]
    assert colours_of(found(client, text="red", filter={"cameras": ["3"]})) == ["blue"]
    answer = found(client, text="red", filter={"path": "green/*"})
    assert (answer["total"], {*colours_of(answer)}) == (PER_COLOUR, {"green"})
    assert found(client, text="red", filter={"min_height": 97})["total"] == 0


def test_the_summary_and_one_image(client, root, model):
    summary = client.get("/api/gallery").json()
    assert (summary["name"], summary["count"], summary["faults"]) == ("gallery", COUNT, 0)
    assert summary["kinds"] == ["image"]
    image = found(client, text="red")["matches"][0]["image"]
    assert client.get(f"/api/images/{image['id']}").json() == image
    assert (image["width"], image["height"]) == (40, 96)


def test_thumbnails_are_small_jpegs_without_what_the_file_said(client, root):
    exif = Image.Exif()
    exif[0x010E] = "the name of somebody"
    Image.new("RGB", (500, 1000), "red").save(root / "crops/large.jpg", exif=exif)
    index(root / "gallery", Request([root / "crops"]))
    answer = found(client, text="red", filter={"path": "large.jpg"})
    (image,) = (match["image"] for match in answer["matches"])
    for name, size in (("thumbnail", (192, 384)), ("picture", (500, 1000))):
        response = client.get(image[name])
        assert response.headers["content-type"] == "image/jpeg"
        assert "private" in response.headers["cache-control"]
        for other in (image[name].partition("?")[0], image[name][:-1]):  # another gallery's, maybe
            assert client.get(other).headers["cache-control"] == "no-store"
        shown = Image.open(io.BytesIO(response.content))
        assert shown.size == size
        assert b"somebody" not in response.content


def test_images_that_were_indexed_meanwhile_are_found(client, root):
    assert found(client, text="red")["total"] == COUNT
    shutil.copy(root / "crops/red/00.png", root / "crops/other.png")
    (root / "crops/broken.png").write_bytes(b"no picture")
    shutil.rmtree(root / "crops/green")
    index(root / "gallery", Request([root / "crops"]))
    answer = found(client, text="red", top=60)
    assert answer["total"] == COUNT - PER_COLOUR, "a twin is folded into its like"
    twins = [match["image"]["duplicates"] for match in answer["matches"]]
    assert [names for names in twins if names] == [[str(root / "crops/other.png")]]
    assert [fault["reason"] for fault in client.get("/api/faults").json()] != []


def test_an_image_whose_file_is_gone_or_is_a_link_now_is_not_served(client, root):
    image = found(client, text="red")["matches"][0]["image"]
    path = root / "crops" / image["path"]
    path.unlink()
    assert client.get(image["thumbnail"]).status_code == 404
    shutil.copy(root / "crops/blue/00.png", root / "secret.png")
    path.symlink_to(root / "secret.png")
    response = client.get(image["picture"])
    assert response.status_code == 404
    assert response.json()["error"].startswith(f"image {image['id']}: ")


@pytest.mark.parametrize("damage", ["removed", "no database", "short vectors"])
def test_a_broken_gallery_is_told_in_a_line(client, root, damage):
    found(client, text="red")
    gallery = root / "gallery"
    if damage == "removed":
        shutil.rmtree(gallery)
    elif damage == "no database":
        (gallery / "gallery.sqlite").write_bytes(b"nothing" * 1000)
    else:
        shutil.rmtree(root / "crops/red")
        index(gallery, Request([root / "crops"]))
        for vectors in gallery.glob("vectors.*"):
            vectors.write_bytes(b"")
    for response in (
        client.post("/api/search", json={"text": "green"}),
        client.get("/api/gallery"),
    ):
        assert response.status_code == 503, response.text
        error = response.json()["error"]
        assert error.startswith("the gallery cannot be read: ")
        assert len(error.splitlines()) == 1


def test_a_mistake_of_the_server_is_told_without_its_trace(client, model, monkeypatch):
    monkeypatch.setattr(model, "encode_text", lambda *_, **__: 1 / 0)
    response = client.post("/api/search", json={"text": "red"})
    assert response.status_code == 500
    assert "division" not in response.text
    assert response.headers["x-content-type-options"] == "nosniff"


def test_openapi_tells_every_address_and_the_page_is_complete(client, root):
    schema = client.get("/api/openapi.json").json()
    assert {*schema["paths"]} == {
        "/api/search",
        "/api/gallery",
        "/api/faults",
        "/api/session",
        "/api/images/{id}",
        "/api/images/{id}/thumbnail",
        "/api/images/{id}/picture",
    }
    assert schema == create_app(library_of(root), None).openapi()
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert HEADERS.items() <= dict(page.headers).items()
    assert "http" not in page.text.replace("http-equiv", ""), "nothing comes from another host"
    for address in ("/page.css", "/page.js", "/api.js", "/icon.svg"):
        assert client.get(address).status_code == 200
