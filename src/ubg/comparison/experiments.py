"""DVC experiments as they were run: their params, metrics and results per query.

An experiment is a Git commit below `refs/exps`, its larger outputs lie in the local DVC cache. So
everything is read from there, without a remote and without touching the workspace.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ubg.comparison.system_metrics import (
    SystemMetrics,
    queries_files,
    read_all_queries,
    read_metrics,
)
from ubg.evaluation.queries import QueryResults
from ubg.params import Params, load_params

if TYPE_CHECKING:
    from dvc.api import DVCFileSystem


@dataclass(frozen=True)
class Experiment:
    """One run of the pipeline.

    Attributes:
        name: as `dvc exp list` shows it.
        dataset: the data set's label.
        seed: of training.
        params: the other params by dotted key, those of the presets too, as `flatten` has them.
        metrics: by system.
        queries: text-to-image results on test, by row of the ladder.
    """

    name: str
    dataset: str
    seed: int
    params: dict[str, Any]
    metrics: dict[str, SystemMetrics]
    queries: dict[str, QueryResults]


def list_experiments(root: str | Path = ".", baseline: str = "HEAD") -> list[str]:
    """Names of the finished experiments that started from the commit `baseline`, in order.

    Raises:
        ValueError: no such commit, no DVC repository, or no experiment that started there.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo:
            found = repo.experiments.ls(rev=baseline)
    except DvcException as error:
        raise ValueError(f"experiments from {baseline} cannot be listed: {error}") from None
    names = sorted(name for experiments in found.values() for name, _ in experiments)
    if not names:
        raise ValueError(
            f"no finished experiment started from {baseline}; see `dvc queue status`, or name "
            "another commit with --baseline"
        )
    return names


def read_experiment(name: str, systems: list[str], root: str | Path = ".") -> Experiment:
    """Read one experiment with what `systems` scored in it.

    Raises:
        ValueError: no such experiment, a file that is missing or malformed, or results that are not
            those of the experiment's params, because the stage was not among those run.
    """
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException

    with TemporaryDirectory() as copy:
        try:
            source = DVCFileSystem(url=str(root), rev=name)
            for system in systems:
                _require_own_results(source, system)
                _fetch(source, f"metrics/{system}.json", Path(copy))
            for file in ("params.yaml", *source.find("configs")):
                _fetch(source, file, Path(copy))
            params = _params_of(copy)
            metrics = read_metrics(Path(copy) / "metrics", systems)
            for file in queries_files(metrics).values():
                _fetch(source, file, Path(copy))
            return Experiment(
                name=name,
                dataset=params.data.label,
                seed=params.seed,
                params=flatten(params),
                metrics=metrics,
                queries=read_all_queries(metrics, copy),
            )
        except (ValueError, DvcException) as error:
            fault = str(error).replace(f"{copy}/", "")
            raise ValueError(f"experiment {name}: {fault}") from None


def fetch_model(name: str, system: str, folder: Path, root: str | Path = ".") -> Path:
    """Copy the trained model of a system out of an experiment, to `models/<system>` in `folder`.

    Raises:
        ValueError: it is missing, or no longer in the DVC cache.
    """
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException

    model = f"models/{system}"
    try:
        source = DVCFileSystem(url=str(root), rev=name)
        for file in source.find(model) or [model]:
            _fetch(source, file, folder)
    except (ValueError, DvcException) as error:
        raise ValueError(f"experiment {name}: {error}") from None
    return folder / model


def _params_of(copy: str) -> Params:
    try:
        return load_params(copy)
    except ValueError as error:
        raise ValueError(
            f"{error}\nits params are not those of this version of the code; run it again"
        ) from None


def flatten(params: Params) -> dict[str, Any]:
    """All params but the seed by dotted key, each preset's keys as they stand in its file.

    `evaluate_on` is left out too: testing on other data sets changes no result here.
    """
    values = params.model_dump()
    values |= values.pop("preset") | values.pop("data")
    del values["seed"], values["evaluate_on"]
    return dict(_leaves("", values))


def _leaves(prefix: str, value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        return [(prefix, value)]
    inner = [_leaves(f"{prefix}.{key}" if prefix else key, part) for key, part in value.items()]
    return [leaf for leaves in inner for leaf in leaves]


def _fetch(source: "DVCFileSystem", file: str, copy: Path) -> None:
    target = copy / file.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.write_bytes(source.read_bytes(file))
    except FileNotFoundError:
        reason = "not in the DVC cache" if source.exists(file) else "missing"
        raise ValueError(f"{file}: {reason}; run the experiment again") from None


def _require_own_results(source: "DVCFileSystem", system: str) -> None:
    """Check that `metrics/<system>.json` was made with the params of this revision.

    An experiment that ran other targets keeps the file of the commit that it started from.
    """
    import networkx

    index = source.repo.index
    made = {out.def_path: out for out in index.outs}
    out = made.get(f"metrics/{system}.json")
    if out is None:
        raise ValueError(f"no stage of dvc.yaml writes metrics/{system}.json")
    for stage in {out.stage, *networkx.descendants(index.graph, out.stage)}:
        changed = any(params.status() for params in stage.params)
        changed |= any(
            dep.hash_info != made[dep.def_path].hash_info
            for dep in stage.deps
            if dep.def_path in made
        )
        if changed:
            raise ValueError(
                f"{system} was not run with the params of this experiment ({stage.name} is out of "
                f"date); run it with the target evaluate_{system}, or leave it out"
            )
