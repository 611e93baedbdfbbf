import csv
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import sections
import torch
from tiny_models import VOCABULARY, build_model, network_of, tiny_scale
from tiny_trained import ToyScore

from ubg.data.text.captions import TokenisedCaptions
from ubg.foils.cases import BINDING, as_rows, read_cases
from ubg.foils.making.drawn import make_drawn_foils
from ubg.foils.measuring import evaluate
from ubg.foils.measuring.images import FoilImages
from ubg.foils.measuring.judge import CHANCE, judge, rank_one, summarise
from ubg.foils.measuring.results import read_results, write_results
from ubg.foils.measuring.sheet import choose_cases, marked_words
from ubg.params import Foils, Image, load_params
from ubg.retrieval.bootstrap import paired_bootstrap
from ubg.retrieval.code_score import score_captions
from ubg.systems.contract import Trained

DATASET = sections.synthpedes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn") / "foils"
    make_drawn_foils(Foils(seed=3, persons=40, cases_per_kind=40), DATASET, folder)
    return folder


@pytest.fixture(scope="module")
def cases(folder):
    return read_cases(folder)[0]


def table_scores(rows, seed=0, levels=None):
    """Any number for each text and image; of few `levels` many are equal."""
    rng = np.random.default_rng(seed)
    shape = (len(rows.texts), len(rows.image_ids))
    score_TG = rng.random(shape) if levels is None else rng.integers(0, levels, shape).astype(float)
    return score_TG, lambda text_P, image_P: score_TG[text_P, image_P]


@pytest.mark.parametrize("levels", [None, 2])
def test_measures_equal_a_loop_over_the_cases(cases, levels):
    rows = as_rows(cases, drawn=True)
    score_TG, score_pairs = table_scores(rows, levels=levels)
    results = judge(rows, score_pairs)
    text = {caption: row for row, caption in enumerate(rows.texts)}
    image = {number: row for row, number in enumerate(rows.image_ids.tolist())}

    def score(caption, number):
        return score_TG[text[caption], image[number]]

    for place, case in enumerate(cases):
        own = score(case.caption, case.image)
        wrong_caption = score(case.foil_caption, case.image)
        wrong_image = score(case.caption, case.foil_image)
        foil = score(case.foil_caption, case.foil_image)
        right = {
            "image_to_text": own > wrong_caption and foil > wrong_image,
            "text_to_image": own > wrong_image and foil > wrong_caption,
            "group": min(own, foil) > max(wrong_caption, wrong_image),
            "paraphrase": score(case.paraphrase, case.image) > wrong_caption,
            "twin_r1": own > wrong_image,
        }
        assert {name: bool(values[place]) for name, values in results.items()} == right


def test_scores_at_random_are_at_the_chance_that_is_told(cases):
    rows = as_rows(cases, drawn=True)
    many = [judge(rows, table_scores(rows, seed)[1]) for seed in range(60)]
    for name in many[0]:
        assert 100 * np.mean([one[name] for one in many]) == pytest.approx(CHANCE[name], abs=1)


def test_ties_are_wrong(cases):
    rows = as_rows(cases, drawn=True)
    results = judge(rows, lambda text_P, image_P: np.zeros(len(text_P)))
    assert not any(values.any() for values in results.values())


def test_exchanging_image_and_foil_image_exchanges_the_results(cases):
    """What a score gets right with all four comparisons, it gets wrong with all four."""
    rows = as_rows(cases, drawn=True)
    _, score_pairs = table_scores(rows)
    exchanged = replace(rows, image_C=rows.foil_image_C, foil_image_C=rows.image_C)
    results, other = judge(rows, score_pairs), judge(exchanged, score_pairs)
    assert np.array_equal(other["twin_r1"], ~results["twin_r1"])

    def negated(text_P, image_P):
        return -score_pairs(text_P, image_P)

    opposite = judge(rows, negated)
    for name in ("text_to_image", "image_to_text", "group"):
        assert np.array_equal(other[name], opposite[name])
        assert not (other[name] & results[name]).any()


def test_exchanging_both_leaves_what_is_symmetric(cases):
    rows = as_rows(cases, drawn=True)
    _, score_pairs = table_scores(rows)
    both = replace(
        rows,
        image_C=rows.foil_image_C,
        foil_image_C=rows.image_C,
        caption_C=rows.foil_caption_C,
        foil_caption_C=rows.caption_C,
    )
    for name in ("text_to_image", "image_to_text", "group"):
        assert np.array_equal(judge(both, score_pairs)[name], judge(rows, score_pairs)[name])


def of_words(words):
    """How frequent its words are among all captions: all that a scorer without eyes can learn."""
    counts = {}
    for text in words:
        for word in text.split():
            counts[word] = counts.get(word, 0) + 1
    return np.array([np.mean([np.log(counts[word]) for word in text.split()]) for text in words])


@pytest.mark.parametrize("of_text", [of_words, lambda texts: np.array([len(t) for t in texts])])
def test_a_scorer_of_texts_alone_is_at_chance(cases, of_text):
    rows = as_rows(cases, drawn=True)
    score_T = of_text(rows.texts)
    alone = replace(rows, foil_image_C=None, paraphrase_C=None)  # one comparison of two captions
    right_C = judge(alone, lambda text_P, image_P: score_T[text_P])["caption"]
    decided = score_T[rows.caption_C] != score_T[rows.foil_caption_C]
    at_chance(right_C[decided], rows.person_C[decided])
    with_twins = judge(rows, lambda text_P, image_P: score_T[text_P])
    assert not with_twins["group"].any()
    assert not with_twins["twin_r1"].any()


def beyond_chance(right_C, person_C, chance=50):
    return paired_bootstrap(100 * right_C.astype(float) - chance, person_C, confidence=0.99)


def at_chance(right_C, person_C, chance=50):
    interval = beyond_chance(right_C, person_C, chance)
    assert interval.low < 0 < interval.high, interval


def test_independent_scores_are_at_chance_within_the_intervals(cases):
    rows = as_rows(cases, drawn=True)
    for name, right_C in judge(rows, table_scores(rows)[1]).items():
        at_chance(right_C, rows.person_C, CHANCE[name])


def test_a_score_that_sees_a_little_is_above_chance_within_the_intervals(cases):
    rows = as_rows(cases, drawn=True)
    score_TG = table_scores(rows)[0]
    for text_C, image_C in (
        (rows.caption_C, rows.image_C),
        (rows.paraphrase_C, rows.image_C),
        (rows.foil_caption_C, rows.foil_image_C),
    ):
        score_TG[text_C, image_C] += 0.2
    results = judge(rows, lambda text_P, image_P: score_TG[text_P, image_P])
    for name, right_C in results.items():
        assert beyond_chance(right_C, rows.person_C, CHANCE[name]).low > 0, name


class OfWords:
    pad_token_id = 0

    def __call__(self, texts, **options):
        ids = [[3 + sum(map(ord, word)) % (VOCABULARY - 3) for word in t.split()] for t in texts]
        return {"input_ids": [[*row, 1] for row in ids]}


def untrained(name, max_tokens=64):
    torch.manual_seed(0)
    scale = tiny_scale()
    network = network_of(name, scale).model_copy(update={"max_tokens": max_tokens})
    return Trained(build_model(name, scale, VOCABULARY).eval(), OfWords(), network)


@pytest.fixture
def params():
    return load_params(Path(__file__).parents[2])


@pytest.mark.parametrize("system", ["phase1", "phase3"])
def test_an_untrained_network_is_at_chance(cases, folder, monkeypatch, params, tmp_path, system):
    monkeypatch.setattr(evaluate, "FOILS", folder)
    metrics = evaluate.evaluate_foils(system, untrained(system), None, None, params, tmp_path)
    assert set(metrics) == {"foils"}
    measures = {"attribute", "binding", "paraphrase", "twin_r1", "twin_errors"}
    assert set(metrics["foils"]) == measures
    results = read_results(tmp_path / "foils.csv")
    assert results.persons.tolist() == [case.person for case in cases]
    for name in ("paraphrase", "twin_r1"):
        at_chance(results.right[name], results.persons)
    # These may be below: a network that does not see the fact prefers the same caption for both
    # pictures, as these are all but the same, and then is right for one of them alone.
    for name in ("image_to_text", "text_to_image", "group"):
        interval = beyond_chance(results.right[name], results.persons, CHANCE[name])
        assert interval.low < 0, interval
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"foils.csv", "foils_right.png", "foils_wrong.png"}


def test_by_both_scores_the_second_one_is_added_to_the_cosine(cases, folder):
    rows, trained, score = as_rows(cases[:20], drawn=True), untrained("phase1"), ToyScore()
    images = FoilImages(folder, rows.image_ids, trained.network.image)
    by = evaluate.score_foils(trained, score, rows, images, 16)
    assert set(by) == {"", "_generative"}
    captions = TokenisedCaptions(trained.tokenizer, rows.texts, trained.network.max_tokens)
    codes_GL = score.image_codes(images.read(np.arange(len(rows.image_ids))))
    added_TG = score_captions(score, captions, codes_GL, 16, "cpu")
    text_P, image_P = rows.foil_caption_C, rows.image_C
    added_P = by["_generative"].pairs(text_P, image_P) - by[""].pairs(text_P, image_P)
    np.testing.assert_allclose(added_P, added_TG[text_P, image_P], atol=1e-6)


def test_the_best_of_others_by_both_scores_equals_a_loop_over_pairs(cases, folder, monkeypatch):
    monkeypatch.setattr(evaluate, "CAPTIONS_AT_ONCE", 7)
    rows, trained, score = as_rows(cases[:20], drawn=True), untrained("phase1"), ToyScore()
    images = FoilImages(folder, rows.image_ids, trained.network.image)
    by = evaluate.score_foils(trained, score, rows, images, 16)
    captions = TokenisedCaptions(trained.tokenizer, rows.texts, trained.network.max_tokens)
    codes_GL = score.image_codes(images.read(np.arange(len(rows.image_ids))))
    added_TG = score_captions(score, captions, codes_GL, 16, "cpu")
    person_of = {case.image: case.person for case in cases[:20]}
    person_of |= {case.foil_image: case.person for case in cases[:20]}
    for case, text in enumerate(rows.caption_C):
        others = [
            (by[""].pairs(np.array([text]), np.array([image])).item(), added_TG[text, image])
            for image, number in enumerate(rows.image_ids.tolist())
            if person_of[number] != rows.person_C[case]
        ]
        assert by[""].other_C[case] == pytest.approx(max(cosine for cosine, _ in others))
        best = max(cosine + added for cosine, added in others)
        assert by["_generative"].other_C[case] == pytest.approx(best, abs=1e-6)


def test_rank_one_of_four_cases_by_hand():
    """Own, twin, best other: right, twin ahead, other ahead of both, twin and own level."""
    rows = SimpleNamespace(
        caption_C=np.arange(4), image_C=np.zeros(4, int), foil_image_C=np.ones(4, int)
    )
    score_C2 = np.array([[0.9, 0.5], [0.4, 0.6], [0.4, 0.6], [0.7, 0.7]])
    other_C = np.array([0.8, 0.5, 0.6, 0.1])
    results = rank_one(rows, lambda text_P, image_P: score_C2[text_P, image_P], other_C)
    assert results["r1"].tolist() == [True, False, False, False]
    assert results["twin_first"].tolist() == [False, True, False, True]
    kinds = np.array(["hat"] * 4)
    results |= {"group": np.ones(4, bool)}
    assert summarise(kinds, results) == {"attribute": 100.0, "twin_errors": 66.667}


def test_captions_alone_are_measured_on_the_images_of_the_data_set(
    cases, folder, monkeypatch, params, tmp_path
):
    """As of a data set that is not drawn: the pictures are in the pack, two are not."""
    captions = [replace(case, foil_image=None, paraphrase=None) for case in cases[:30]]
    monkeypatch.setattr(evaluate, "read_cases", lambda folder: (captions, False))
    numbers = np.unique([case.image for case in captions])[2:]
    pack = FoilImages(folder, numbers, Image(height=64, width=32, max_broken=0))
    metrics = evaluate.evaluate_foils("phase1", untrained("phase1"), None, pack, params, tmp_path)
    assert metrics["foils"]
    assert set(metrics["foils"]) <= {"attribute", "binding"}
    rows = list(csv.DictReader((tmp_path / "foils.csv").open()))
    assert list(rows[0]) == ["kind", "person", "caption"]
    assert len(rows) == sum(case.image in numbers for case in captions) < 30


def test_a_data_set_without_cases_has_no_metrics(monkeypatch, params, tmp_path):
    monkeypatch.setattr(evaluate, "read_cases", lambda folder: ([], True))
    assert evaluate.evaluate_foils("phase1", None, None, None, params, tmp_path) == {}
    assert len(read_results(tmp_path / "foils.csv").kinds) == 0


def test_metrics_are_over_binding_and_over_the_rest():
    kinds = np.array(["hat", "hat", BINDING, "bag"])
    results = {"group": [1, 0, 1, 0], "paraphrase": [1, 1, 1, 0], "twin_r1": [0, 0, 0, 1]}
    found = summarise(kinds, {name: np.array(right) == 1 for name, right in results.items()})
    expected = {"attribute": 33.333, "binding": 100.0, "paraphrase": 75.0, "twin_r1": 25.0}
    assert found == expected
    none_of_binding = summarise(kinds[:2], {"caption": np.array([True, False])})
    assert none_of_binding == {"attribute": 50.0}


def test_results_are_read_as_they_were_written(cases, tmp_path):
    path = tmp_path / "foils.csv"
    rows = as_rows(cases, drawn=True)
    right = judge(rows, table_scores(rows)[1])
    write_results(path, cases, right)
    found = read_results(path)
    assert found.kinds.tolist() == [case.kind for case in cases]
    assert {name: values.tolist() for name, values in found.right.items()} == {
        name: values.tolist() for name, values in right.items()
    }
    path.write_text("kind,person,group\nhat,x,1\n")
    with pytest.raises(ValueError, match=r"foils\.csv: .*; run the evaluation"):
        read_results(path)
    path.unlink()
    with pytest.raises(ValueError, match=r"foils\.csv: missing"):
        read_results(path)


def test_foils_that_cannot_be_read_say_what_to_run(tmp_path):
    for content in (None, "{", "{}", '{"drawn": true, "cases": [{"kind": "hat"}]}'):
        if content is not None:
            (tmp_path / "cases.json").write_text(content)
        with pytest.raises(ValueError, match=r"cases\.json: .*make_foils"):
            read_cases(tmp_path)


def test_sheets_show_many_kinds_and_nobody_twice():
    kinds = np.array(["hat"] * 6 + ["bag"] * 6 + [BINDING] * 3)
    persons = np.array([*range(6), *range(6), 9, 9, 10])
    chosen = choose_cases(kinds, np.ones(15, bool), persons, 4)
    assert kinds[chosen][0] == BINDING
    assert set(kinds[chosen][:3]) == {"hat", "bag", BINDING}
    assert len(set(persons[chosen])) == len(chosen) == 4
    assert len(choose_cases(kinds, np.zeros(15, bool), persons, 4)) == 0


def test_differing_words_are_marked():
    assert marked_words(["a", "red", "coat"], ["a", "light", "blue", "coat"]) == [
        False,
        True,
        False,
    ]
    one, other = ["red", "coat,", "blue", "hat"], ["blue", "coat,", "red", "hat"]
    assert marked_words(one, other) == [True, False, True, False]
