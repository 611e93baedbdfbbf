"""The page in a browser: headless Chromium, driven by Playwright.

Debian's browser is installed by `apt-get install chromium`, as `.ci/run` does; Playwright (extra
`dev`) brings none of its own. Where `UBG_SCREENSHOTS` names a folder, what was seen is kept there.
"""

import os
import re
import shutil
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from toy_search import COLOURS, PER_COLOUR, library_of, running, toy_gallery

from ubg.calibration import Calibration, write_calibration
from ubg.search import searcher
from ubg.search.calibration import CALIBRATION
from ubg.search.gallery import Gallery
from ubg.search.indexing import Request, index
from ubg.search.labels import Label
from ubg.search.serving.messages import Limits, Summary
from ubg.search.serving.pictures import UPLOAD_BYTES

CHROMIUM = shutil.which("chromium")
QUIET = [
    "--no-sandbox",  # CI is root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE, NARROW, PHONE = (1280, 860), (375, 760), (400, 760)
TOKEN = "a-token-that-nobody-guesses"
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: apt-get install chromium"
)


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def model(tmp_path, monkeypatch):
    return toy_gallery(tmp_path, monkeypatch, kinds=("sk",))


@pytest.fixture
def base(tmp_path, model):
    with running(library_of(tmp_path)) as (host, port):
        yield f"http://{host}:{port}/"


@pytest.fixture
def page(browser, base):
    with opened(browser, base, WIDE, "light") as page:
        yield page


@contextmanager
def opened(browser, base, size, scheme):
    """A page that asks no other host and makes no mistake."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme
    )
    page = context.new_page()
    mistakes, asked = [], []
    page.on("pageerror", lambda error: mistakes.append(str(error)))
    page.on("console", lambda said: "Content Security" in said.text and mistakes.append(said.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(base)
    yield page
    context.close()
    assert mistakes == []
    own = (base.partition("#")[0], "blob:", "data:")
    assert [url for url in asked if not url.startswith(own)] == []


def search(page, text):
    page.fill("#text", text)
    page.press("#text", "Enter")
    page.wait_for_function("text => document.title.startsWith(text)", arg=text)
    page.wait_for_selector(".result:not(.skeleton)")
    page.wait_for_selector("#pages:not([hidden])")


def colours(page):
    titles = page.eval_on_selector_all(".result .open", "all => all.map(each => each.title)")
    return [title.split("/")[0] for title in titles]


def shot(page, name):
    if "UBG_SCREENSHOTS" in os.environ:
        page.wait_for_timeout(500)
        page.screenshot(path=Path(os.environ["UBG_SCREENSHOTS"]) / f"{name}.png")


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_type_and_search(browser, base, size, scheme):
    with opened(browser, base, size, scheme) as page:
        search(page, "a man in yellow")
        assert colours(page)[:PER_COLOUR] == ["yellow"] * PER_COLOUR
        assert page.inner_text(".result .rank >> nth=0") == "1"
        assert re.fullmatch(r"[01]\.\d{3}", page.inner_text(".result .score >> nth=0"))
        assert f"{PER_COLOUR * len(COLOURS)} images" in page.inner_text("#notice")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= size[0], "nothing is cut off at the side"
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        bright = sum(map(int, re.findall(r"\d+", ground))) > 3 * 128
        assert bright == (scheme == "light")
        shown = page.wait_for_function("() => document.querySelector('.result img').naturalWidth")
        assert shown.json_value() == 40
        shot(page, f"search_{size[0]}_{scheme}")


def test_what_is_asked_before_the_gallery_has_come_is_not_lost(browser, base):
    context = browser.new_context()
    page = context.new_page()
    held = []
    page.route("**/api/gallery", lambda route: held.append(route))
    page.goto(base)
    page.wait_for_selector("#text")
    page.fill("#text", "blue")
    page.press("#text", "Enter")
    page.wait_for_timeout(200)
    held[0].continue_()
    page.wait_for_selector("#pages:not([hidden])")
    assert colours(page)[0] == "blue"
    context.close()


def test_more_like_this_by_button_and_by_key(page):
    search(page, "red")
    page.click(".result .like >> nth=0")
    page.wait_for_selector("#chips li")
    page.wait_for_selector("#pages:not([hidden])")
    assert page.input_value("#text") == ""
    assert page.inner_text(".result .score >> nth=0") == "1.000"
    assert colours(page)[0] == "red"
    page.go_back()
    page.wait_for_function("() => document.querySelector('#text').value === 'red'")
    page.wait_for_selector("#pages:not([hidden])")
    page.press("#text", "ArrowDown")
    page.keyboard.press("ArrowRight")
    title = page.evaluate("document.activeElement.title")
    page.keyboard.press("m")
    page.wait_for_selector("#chips li")
    page.wait_for_selector("#pages:not([hidden])")
    assert page.get_attribute(".result .open >> nth=0", "title") == title


def test_drop_an_image(page, tmp_path):
    picture = (tmp_path / "crops/blue/05.png").read_bytes()
    transfer = page.evaluate_handle(
        """bytes => {
            const transfer = new DataTransfer();
            const file = new File([new Uint8Array(bytes)], "somebody.png", { type: "image/png" });
            transfer.items.add(file);
            return transfer;
        }""",
        [*picture],
    )
    page.wait_for_selector("#notice .card")
    page.dispatch_event("body", "dragenter", {"dataTransfer": transfer})
    assert page.is_visible("#drop")
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    page.wait_for_selector("#pages:not([hidden])")
    assert not page.is_visible("#drop")
    assert page.get_attribute(".result .open >> nth=0", "title") == "blue/05.png"
    assert page.inner_text("#chips .name") == "somebody.png"
    shot(page, "dropped")
    page.click("#chips button")
    page.wait_for_selector("#notice .card")
    assert page.query_selector(".result") is None


def test_a_search_by_a_dropped_picture_says_after_a_reload_that_it_is_gone(page, tmp_path):
    page.wait_for_selector("#notice .card")
    page.set_input_files("#file", tmp_path / "crops/blue/05.png")
    page.wait_for_selector("#pages:not([hidden])")
    page.reload()
    page.wait_for_selector("#notice .card")
    assert page.inner_text("#notice h2") == "The picture has to be given again"
    page.set_input_files("#file", tmp_path / "crops/red/01.png")
    page.wait_for_selector("#pages:not([hidden])")
    assert colours(page)[0] == "red"
    page.go_back()
    page.wait_for_selector("#notice .card")
    assert page.inner_text("#notice h2") == "The picture has to be given again"
    search(page, "green")
    assert colours(page)[0] == "green"


def test_pictures_that_are_too_large_together_are_told(page, tmp_path):
    page.wait_for_selector("#notice .card")
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"x" * (UPLOAD_BYTES // 2 + 1))
    page.set_input_files("#file", [tmp_path / "a.png", tmp_path / "b.png"])
    page.wait_for_selector("#notice .failure")
    assert "10 MB together at most" in page.inner_text("#notice")


def test_a_file_that_is_no_image_is_told(page, tmp_path):
    (tmp_path / "letter.png").write_text("Dear Sir or Madam")
    page.wait_for_selector("#notice .card")
    page.set_input_files("#file", tmp_path / "letter.png")
    page.wait_for_selector("#notice .failure")
    assert "is no image of a known format" in page.inner_text("#notice")


def test_next_page_and_back(page):
    search(page, "green")
    first = page.eval_on_selector_all(".result .open", "all => all.map(each => each.title)")
    assert page.inner_text("#place") == "Page 1 of 3"
    assert page.is_disabled("#previous")
    page.click("#next")
    page.wait_for_function("() => document.querySelector('#place').textContent === 'Page 2 of 3'")
    assert page.inner_text(".result .rank >> nth=0") == "25"
    second = page.eval_on_selector_all(".result .open", "all => all.map(each => each.title)")
    assert not {*first} & {*second}
    page.click("#place")
    page.keyboard.press("n")
    page.wait_for_function("() => document.querySelector('#place').textContent === 'Page 3 of 3'")
    assert page.is_disabled("#next")
    page.reload()
    page.wait_for_function("() => document.querySelector('#place').textContent === 'Page 3 of 3'")
    page.go_back()
    page.wait_for_function("() => document.querySelector('#place').textContent === 'Page 2 of 3'")


def test_no_page_is_offered_that_is_refused(browser, base, monkeypatch):
    ranks = 40
    monkeypatch.setattr(searcher, "MAX_DEPTH", ranks)
    told = partial(Summary, limits=Limits(ranks=ranks))
    monkeypatch.setattr("ubg.search.serving.app.Summary", told)
    with opened(browser, base, WIDE, "light") as page:
        search(page, "green")
        assert "60 images ranked" in page.inner_text("#notice")
        assert page.inner_text("#notice").endswith("; the first 40 can be seen")
        assert page.inner_text("#place") == "Page 1 of 2"
        page.click("#next")
        page.wait_for_function("() => document.querySelectorAll('.result').length === 16")
        assert page.inner_text(".result .rank >> nth=15") == "40"
        assert page.is_disabled("#next")


def test_an_image_is_seen_large_by_keys_alone(page):
    page.wait_for_selector("#notice .card")
    page.keyboard.press("/")
    page.keyboard.type("red")
    page.keyboard.press("Enter")
    page.wait_for_selector("#pages:not([hidden])")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("#viewer[open]")
    assert page.inner_text("#viewer-title").startswith("Rank 1, score ")
    title = page.get_attribute(".result .open >> nth=1", "title")
    page.keyboard.press("ArrowRight")
    assert title in page.inner_text("#viewer-facts")
    assert "40 × 96" in page.inner_text("#viewer-facts")
    shot(page, "viewer")
    page.keyboard.press("Escape")
    assert not page.is_visible("#viewer")
    # The focus is where one left off.
    page.wait_for_function("title => document.activeElement.title === title", arg=title)


def test_a_filter_is_kept_and_cleared(page):
    search(page, "red")
    page.click("#filter-button")
    page.fill("#path", "blue/*")
    page.press("#path", "Tab")
    page.wait_for_function(f"() => document.querySelectorAll('.result').length === {PER_COLOUR}")
    assert {*colours(page)} == {"blue"}
    assert page.inner_text("#filter-count") == "1"
    page.fill("#path", "nowhere/*")
    page.press("#path", "Tab")
    page.wait_for_selector("#notice .card")
    assert "No image passes this filter" in page.inner_text("#notice")
    shot(page, "filter")
    page.click("#notice button")
    page.wait_for_selector("#pages:not([hidden])")
    assert len(colours(page)) == 24


def label(tmp_path):
    """Cameras and tags for the filter."""
    labels = {"red/00.png": Label(("night",), "2"), "blue/01.png": Label(("night", "rain"), "3")}
    index(tmp_path / "gallery", Request([], labels=labels))


def fits(page):
    """Whether nothing is cut off at the side."""
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_cameras_and_tags_are_chosen(browser, base, tmp_path, size):
    label(tmp_path)
    with opened(browser, base, size, "light") as page:
        search(page, "red")
        page.click("#filter-button")
        page.select_option("#tags", "night")
        page.wait_for_function("() => document.querySelectorAll('.result').length === 2")
        assert colours(page) == ["red", "blue"]
        page.select_option("#cameras", "3")
        page.wait_for_function("() => document.querySelectorAll('.result').length === 1")
        assert colours(page) == ["blue"]
        assert page.inner_text("#filter-count") == "2"
        assert page.inner_text("#notice").startswith("1 image ranked")
        assert fits(page)
        shot(page, f"filter_{size[0]}")
        page.click("#filter-clear")
        page.wait_for_function("() => document.querySelectorAll('.result').length === 24")


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_that_nobody_fits_is_said_with_the_share_of_each_result(browser, base, tmp_path, size):
    fingerprint = Gallery.open(tmp_path / "gallery").manifest.fingerprint
    measured = Calibration(fingerprint=fingerprint, images=9, cosine=[0, 0, 2, 2, 2], both=[])
    write_calibration(tmp_path / "gallery" / CALIBRATION, measured)
    with opened(browser, base, size, "light") as page:
        search(page, "red")
        assert "Perhaps nobody here fits: 60 % of searches" in page.inner_text("#notice .warning")
        assert page.inner_text(".result .share >> nth=0") == "false alarm 60 %"
        assert fits(page)
        shot(page, f"nobody_{size[0]}")
        page.click(".result .open >> nth=0")
        assert "60 % had a best score as high" in page.inner_text("#viewer-share")


def test_a_phone_shows_an_image_large_and_an_error(browser, base, tmp_path):
    label(tmp_path)
    with opened(browser, base, PHONE, "dark") as page:
        search(page, "red")
        page.click(".result .open >> nth=0")
        page.wait_for_function("() => document.querySelector('#viewer-picture').naturalWidth")
        shot(page, "viewer_phone")
        assert fits(page)
        for name in ("#viewer-picture", "#viewer-facts", "#viewer-like", "#viewer [data-close]"):
            place = page.locator(name).bounding_box()
            assert place["x"] >= 0, name
            assert place["x"] + place["width"] <= PHONE[0], name
        for name in ("#viewer-picture", "#viewer-like", "#viewer [data-close]"):
            place = page.locator(name).bounding_box()
            assert place["y"] >= 0, name
            assert place["y"] + place["height"] <= PHONE[1], name
        page.click("#viewer [data-close]")
        (tmp_path / "gallery/gallery.sqlite").write_bytes(b"nothing" * 1000)
        page.fill("#text", "green")
        page.press("#text", "Enter")
        page.wait_for_selector("#notice .failure")
        assert fits(page)
        assert page.is_visible("#notice .failure button")
        shot(page, "error_phone")


def test_a_sketch_is_drawn_where_the_model_reads_one(page):
    search(page, "red")
    page.click("#sketch-button")
    assert page.is_disabled("#sketch-done")
    page.evaluate("document.querySelector('#pen').value = 14")
    frame = page.locator("#canvas").bounding_box()
    page.mouse.move(frame["x"] + 40, frame["y"] + 40)
    page.mouse.down()
    page.mouse.move(frame["x"] + 160, frame["y"] + 300, steps=8)
    page.mouse.up()
    shot(page, "sketch")
    page.click("#sketch-done")
    page.wait_for_selector("#chips select")
    page.wait_for_selector("#pages:not([hidden])")
    assert page.input_value("#chips select") == "sk"
    assert colours(page)[0] == "red", "a thin line leaves the sketch bright"
    page.select_option("#chips select", "image")
    page.wait_for_function("() => document.querySelector('#chips select').value === 'image'")
    page.wait_for_selector("#pages:not([hidden])")


def test_a_slow_answer_is_told_and_can_be_stopped(page, model):
    page.wait_for_selector("#notice .card")
    model.gate.clear()
    page.fill("#text", "red")
    page.press("#text", "Enter")
    page.wait_for_selector(".skeleton")
    assert "Searching" in page.inner_text("#notice")
    page.wait_for_function("() => document.querySelector('#notice').textContent.includes('busy')")
    shot(page, "slow")
    page.click("#notice button")
    assert "Stopped" in page.inner_text("#notice")
    model.gate.set()
    page.click("#notice button")
    page.wait_for_selector("#pages:not([hidden])")
    assert colours(page)[0] == "red"


def test_a_broken_gallery_is_told(page, tmp_path, base):
    search(page, "red")
    (tmp_path / "gallery/gallery.sqlite").write_bytes(b"nothing" * 1000)
    page.fill("#text", "green")
    page.press("#text", "Enter")
    page.wait_for_selector("#notice .failure")
    assert "the gallery cannot be read: " in page.inner_text("#notice")
    shot(page, "broken")
    page.reload()
    page.wait_for_selector("#notice .card h2")
    assert page.inner_text("#notice h2") == "The gallery cannot be opened"


def test_a_file_that_is_gone_leaves_its_place(page, tmp_path):
    shutil.rmtree(tmp_path / "crops/red")
    search(page, "red")
    page.wait_for_selector(".result.gone")
    shot(page, "gone")


def test_nobody_answers(browser, tmp_path, model):
    with running(library_of(tmp_path)) as (host, port):
        base = f"http://{host}:{port}/"
        context = browser.new_context()
        page = context.new_page()
        page.goto(base)
        page.wait_for_selector("#notice .card")
    page.fill("#text", "red")
    page.press("#text", "Enter")
    page.wait_for_selector("#notice .failure")
    assert "does not answer" in page.inner_text("#notice")
    context.close()


def test_an_empty_gallery_says_how_to_fill_it(page, tmp_path):
    shutil.rmtree(tmp_path / "crops")
    (tmp_path / "crops").mkdir()
    index(tmp_path / "gallery", Request([tmp_path / "crops"]))
    page.reload()
    page.wait_for_selector("#notice code")
    assert "ubg index FOLDER" in page.inner_text("#notice")


def test_the_token_is_asked_for_and_taken_from_the_link(browser, tmp_path, model):
    with running(library_of(tmp_path), TOKEN) as (host, port):
        base = f"http://{host}:{port}/"
        with opened(browser, base, WIDE, "light") as page:
            page.wait_for_selector("#login[open]")
            page.fill("#token", "a guess")
            page.press("#token", "Enter")
            page.wait_for_function("() => document.querySelector('#login-fault').textContent")
            shot(page, "token")
            page.fill("#token", TOKEN)
            page.press("#token", "Enter")
            page.wait_for_selector("#login", state="hidden")
            search(page, "blue")
        with opened(browser, f"{base}#token={TOKEN}", WIDE, "light") as page:
            search(page, "red")
            assert TOKEN not in page.url
            assert TOKEN not in page.evaluate("document.cookie"), "no script can read it"
