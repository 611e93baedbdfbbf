import numpy as np
import pytest
import torch
from PIL import Image, ImageColor
from toy_mer import ToyMer, queries_of, toy_gallery, toy_modalities

from ubg.systems.clip_mer.evaluation.grown import ORDER, choose_rows, grow
from ubg.systems.clip_mer.evaluation.parts import encode_parts
from ubg.systems.clip_mer.evaluation.sheet import (
    CAPTION_WIDTH,
    FRAME,
    GAP,
    HEADER,
    HIT,
    MARGIN,
    MISS,
    THUMB_HEIGHT,
    ShownQuery,
    draw_query_sheet,
)

STEP = 44 + 2 * FRAME + GAP
FIRST_PART = MARGIN + CAPTION_WIDTH + 2 * GAP


def read_images(items):
    """Image i is of the one grey 10 * i."""
    grey = (10 * np.asarray(items, np.uint8))[:, None, None, None]
    return np.broadcast_to(grey, (len(items), 132, 44, 3)).copy()


def test_parts_and_matches_stand_in_their_columns(tmp_path):
    images = {"sk": np.full((132, 44, 1), 77, np.uint8), "cp": np.full((132, 44, 3), 55, np.uint8)}
    query = ShownQuery(5, "a man", images, np.array([3, 0]), np.array([0.9, 0.1]), 2, 0.5)
    path = tmp_path / "sheet.png"
    draw_query_sheet(path, "clip_mer", [query], np.array([5, 6, 6, 7]), read_images)
    with Image.open(path) as picture:
        sheet = np.asarray(picture.convert("RGB"))
    middle = HEADER + FRAME + 60
    assert (sheet[middle, FIRST_PART + FRAME + 20] == 77).all()
    assert (sheet[middle, FIRST_PART + STEP + FRAME + 20] == 55).all()
    first_match = FIRST_PART + 2 * STEP + 2 * GAP
    for place, (colour, grey) in enumerate(((MISS, 30), (HIT, 0))):
        left = first_match + place * STEP
        assert (sheet[HEADER : HEADER + THUMB_HEIGHT, left] == ImageColor.getrgb(colour)).all()
        assert (sheet[middle, left + FRAME + 20] == grey).all()


@pytest.fixture
def grown():
    torch.manual_seed(0)
    toy, queries, gallery = ToyMer().eval(), queries_of(toy_modalities()), toy_gallery()
    encoded = encode_parts(toy, queries, 8, quiet=True)
    rows = choose_rows(queries, 3, seed=0)
    return toy, queries, encoded, gallery, rows, grow(toy, queries, encoded, gallery, rows)


def test_a_query_grows_from_one_part_to_all(grown):
    toy, queries, encoded, gallery, rows, shown = grown
    assert (queries.table["kind"].iloc[rows] == "TEXT+NIR+CP+SK").all()
    assert len(set(queries.pids[rows])) == 3
    assert len(shown) == 12
    for place, row in enumerate(rows):
        for length, query in enumerate(shown[4 * place : 4 * place + 4], 1):
            assert list(query.images) == list(ORDER[1:length])
            assert query.pid == queries.pids[row]
            tokens = {part: encoded.of(part, rows[place : place + 1]) for part in ORDER[:length]}
            with torch.no_grad():
                score_G = (gallery.features_GD @ toy.fuse(tokens)[0]).numpy()
            order = np.argsort(-score_G, kind="stable")
            assert query.top.tolist() == order[:10].tolist()
            assert np.allclose(query.scores, score_G[query.top], atol=1e-6)
            hits = np.flatnonzero(gallery.pids[order] == query.pid)
            assert query.first_rank == 1 + hits[0]


def test_the_images_are_those_of_the_query(grown):
    _, queries, _, _, rows, shown = grown
    for place, row in enumerate(rows):
        pack, image = queries.packs["sk"], queries.table["sk"].iloc[row]
        expected = pack.pixels[list(pack.image_ids).index(image)]
        assert np.array_equal(shown[4 * place + 3].images["sk"], expected)
