import numpy as np
import pandas as pd
import pytest

from ubg.evaluation.queries import parse_queries, read_queries, require_same_queries, write_queries
from ubg.retrieval.metrics import summarise
from ubg.retrieval.ranking import relevant_ranks

HEADER = "caption_id,image_id,pid,first_rank,average_precision,inp\n"


@pytest.fixture
def ranked():
    """30 captions of 5 identities, ranked against 20 images."""
    rng = np.random.default_rng(0)
    text_pids, image_pids = np.arange(30) % 5, np.arange(20) % 5
    ranking = relevant_ranks(
        rng.normal(size=(30, 8)), rng.normal(size=(20, 8)), text_pids, image_pids
    )
    captions = pd.DataFrame(
        {"caption_id": np.arange(30) + 7, "image_id": np.arange(30) % 20, "pid": text_pids}
    )
    return captions, ranking


def test_the_mean_over_the_queries_is_the_metric(ranked, tmp_path):
    captions, ranking = ranked
    write_queries(tmp_path / "q.csv", captions, ranking)
    queries = read_queries(tmp_path / "q.csv")
    np.testing.assert_array_equal(queries.ids, captions[["caption_id", "image_id", "pid"]])
    np.testing.assert_array_equal(queries.pids, captions["pid"])
    for metric, value in summarise(ranking).items():
        assert queries.values(metric).mean() == pytest.approx(value, abs=1e-4)


def test_file_is_written_the_same_twice_and_reads_as_it_looks(ranked, tmp_path):
    for name in "ab":
        write_queries(tmp_path / name, *ranked)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    header, first, *_ = (tmp_path / "a").read_text().splitlines()
    assert header + "\n" == HEADER
    ranking = ranked[1]
    precision, inp = ranking.average_precision[0], ranking.inverse_negative_penalty[0]
    assert first == f"7,0,0,{ranking.first_rank[0]},{precision:.6f},{inp:.6f}"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "its columns must be caption_id"),
        ("caption_id,pid\n1,2\n", "its columns must be caption_id"),
        (HEADER, "holds no queries"),
        (HEADER + "1,2,3,4,0.5\n", "rows must hold 6 values"),
        (HEADER + "1,2,3,4,0.5,0.5\n1,2,3\n", "columns changed"),
        (HEADER + "1,2,3,4,0.5,x\n", "could not convert"),
        (HEADER + "1,2,3,4,0.5,0.5\n1,2,3,0,0.5,0.5\n", "line 3: "),
        (HEADER + "1,2,3,1.5,0.5,0.5\n", "line 2: "),
        (HEADER + "1,2,inf,1,0.5,0.5\n", "line 2: "),
        (HEADER + "1,2,3,1,nan,0.5\n", "line 2: "),
        (HEADER + "1,2,3,1,0.5,1.01\n", "line 2: "),
    ],
)
def test_a_malformed_file_is_one_line_that_names_it(text, fault):
    with pytest.raises(ValueError, match=fault) as error:
        parse_queries(text, "x/queries.csv")
    assert str(error.value).startswith("x/queries.csv")
    assert "\n" not in str(error.value)


def test_too_many_queries_are_refused(monkeypatch):
    monkeypatch.setattr("ubg.evaluation.queries.MAX_QUERIES", 2)
    row = "1,2,3,4,0.5,0.5\n"
    assert len(parse_queries(HEADER + 2 * row, "x").ids) == 2
    with pytest.raises(ValueError, match="more than 2"):
        parse_queries(HEADER + 3 * row, "x")


def test_a_missing_or_binary_file_is_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"q\.csv: missing; run the evaluation"):
        read_queries(tmp_path / "q.csv")
    (tmp_path / "q.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"q\.csv: cannot be read"):
        read_queries(tmp_path / "q.csv")


def test_other_queries_are_named():
    one, two = "1,2,3,4,0.5,0.5\n", "5,2,3,4,0.5,0.5\n"
    ours = parse_queries(HEADER + one + one, "a")
    require_same_queries(ours, parse_queries(HEADER + one + one.replace("4", "9"), "b"), "a", "b")
    with pytest.raises(ValueError, match=r"a and b hold other queries \(line 3 "):
        require_same_queries(ours, parse_queries(HEADER + one + two, "b"), "a", "b")
    with pytest.raises(ValueError, match=r"\(2 and 1 queries\)"):
        require_same_queries(ours, parse_queries(HEADER + one, "b"), "a", "b")
