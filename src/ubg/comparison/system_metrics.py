"""What evaluation wrote of systems: their metrics, and their results per query."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ubg.comparison.ladder import both_scores, in_order
from ubg.evaluation.queries import METRICS, QueryResults, read_queries
from ubg.runtime.faults import first_fault
from ubg.runtime.opening import Kind, read_text

COLUMNS = {
    "r1": "R@1",
    "r5": "R@5",
    "r10": "R@10",
    "map": "mAP",
    "minp": "mINP",
    "i2t_r1": "image-to-text R@1",
}


ROUNDING = 1e-3  # percent; metrics are written to three digits


Percent = Annotated[float, Field(ge=0, le=100)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


M = TypeVar("M", bound=_Part)


class Direction(_Part):
    """Retrieval metrics in percent."""

    r1: Percent
    r5: Percent
    r10: Percent
    map: Percent
    minp: Percent


class Directions(_Part):
    """Text-to-image and image-to-text; of a system with a second score also by both scores."""

    t2i: Direction
    i2t: Direction
    t2i_generative: Direction | None = None
    i2t_generative: Direction | None = None


class LastWeights(_Part):
    """Results of the last weights instead of the selected ones."""

    test: Directions


class OtherMetrics(_Part):
    """What `metrics/others/<system>_<data set>.json` must hold."""

    test: Directions


class SystemMetrics(_Part):
    """What `metrics/<system>.json` must hold; more is allowed."""

    test: Directions
    val: Directions
    last: LastWeights
    generation: dict[str, Any] = {}
    kinds: dict[str, Any] = {}
    controls: dict[str, dict[str, float]] = {}


def read_metrics(folder: str | Path, systems: Iterable[str]) -> dict[str, SystemMetrics]:
    """Read `<folder>/<system>.json` of each of `systems`, in the order of the ladder.

    Raises:
        ValueError: a file is missing, is not JSON or does not hold what it should; one line
            naming file, key and what to do. Or a system has no place in the ladder.
    """
    return {
        name: read_metrics_file(
            SystemMetrics, Path(folder) / f"{name}.json", f"run `dvc repro evaluate_{name}`"
        )
        for name in in_order(systems)
    }


def scores_by_row(tests: Mapping[str, Directions]) -> dict[str, dict[str, float]]:
    """What systems scored, a row each, or two where they have a second score.

    Args:
        tests: by system.

    Returns:
        Percent by row and by the keys of `COLUMNS`, in the order of `tests`.
    """
    scores = {}
    for system, test in tests.items():
        scores[system] = _columns(test.t2i, test.i2t)
        if test.t2i_generative is not None and test.i2t_generative is not None:
            scores[both_scores(system)] = _columns(test.t2i_generative, test.i2t_generative)
    return scores


def queries_files(metrics: Mapping[str, SystemMetrics]) -> dict[str, str]:
    """The paths of the results per query on test, by the rows of `scores_by_row`."""
    files = {}
    for system, found in metrics.items():
        folder = f"plots/{system}/evaluation"
        files[system] = f"{folder}/queries.csv"
        if found.test.t2i_generative is not None:
            files[both_scores(system)] = f"{folder}/queries_generative.csv"
    return files


def read_all_queries(
    metrics: Mapping[str, SystemMetrics], root: str | Path = "."
) -> dict[str, QueryResults]:
    """Read the files of `queries_files` below `root`, by row.

    Raises:
        ValueError: see `read_queries`; or a file is of another evaluation than the metrics.
    """
    results = {}
    for system, found in metrics.items():
        scores = scores_by_row({system: found.test})
        for row, name in queries_files({system: found}).items():
            file = Path(root) / name
            results[row] = read_queries(file)
            for metric in METRICS:
                mean, told = results[row].values(metric).mean(), scores[row][metric]
                if abs(mean - told) > ROUNDING:
                    raise ValueError(
                        f"{file} and metrics/{system}.json are of two evaluations: "
                        f"{COLUMNS[metric]} is {mean:.3f} in one and {told:.3f} in the other; "
                        f"run `dvc repro evaluate_{system}`"
                    )
    return results


def read_metrics_file(kind: type[M], path: Path, again: str) -> M:
    """Read one file of metrics; `again` says in faults what makes it anew.

    Raises:
        ValueError: as `read_metrics`.
    """
    try:
        content = json.loads(read_text(path, Kind.CONFIG))
    except FileNotFoundError:
        raise ValueError(f"{path}: missing; {again}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: cannot be read: {error}; {again}") from None
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"{path}: {first_fault(error)}; {again}") from None


def _columns(t2i: Direction, i2t: Direction) -> dict[str, float]:
    return t2i.model_dump() | {"i2t_r1": i2t.r1}
