"""Run stages that see of the params only what `dvc.yaml` lists for them.

`python listed_params.py train_irra evaluate_irra`, in the root of a project: a stage that reads any
other key ends with an AttributeError that names it.
"""

import runpy
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path("src").resolve()))

import ubg.params
from ubg.params import Experiment, Section
from ubg.runtime.pipeline import Stage, read_stages

LOAD_PARAMS, LOAD_OTHER = ubg.params.load_params, ubg.params.load_other


def pruned(section: Section, keys: set[str]) -> Any:
    """The section with nothing but these dotted keys."""
    values = {}
    for name in {key.partition(".")[0] for key in keys}:
        inner = {key.partition(".")[2] for key in keys if key.partition(".")[0] == name}
        value = getattr(section, name)
        values[name] = value if "" in inner else pruned(value, inner)
    return type(section).model_construct(**values)


def keys_of(stage: Stage, file: str, section: Section) -> set[str]:
    """The keys listed for a file: all of them where it is listed as a whole."""
    listed = stage.params.get(file)
    return set(type(section).model_fields) if listed == () else set(listed or ())


def seen_by(stage: Stage, params: ubg.params.Params) -> Any:
    own = Experiment(**{name: getattr(params, name) for name in Experiment.model_fields})
    experiment = pruned(own, keys_of(stage, "params.yaml", own))
    file = f"configs/datasets/{params.dataset}.yaml"
    data = pruned(params.data, keys_of(stage, file, params.data))
    file = f"configs/scales/{params.scale}.yaml"
    preset = pruned(params.preset, keys_of(stage, file, params.preset))
    return type(params).model_construct(**dict(experiment), data=data, preset=preset)


def run(stage: Stage) -> None:
    def load_params(root: str = ".") -> Any:
        return seen_by(stage, LOAD_PARAMS(root))

    def load_other(name: str) -> Any:
        ubg.params.load_params = LOAD_PARAMS
        other = LOAD_OTHER(name)
        ubg.params.load_params = load_params
        given = {"dataset": name, "noise": other.noise}  # by the caller and the code, not by a file
        return seen_by(stage, other).model_copy(update=given)

    ubg.params.load_params, ubg.params.load_other = load_params, load_other
    sys.argv = stage.command.split()[2:]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        if "accelerate.state" in sys.modules:  # it keeps the precision of the first training
            state = sys.modules["accelerate.state"].AcceleratorState
            state._reset_state(reset_partial_state=True)


if __name__ == "__main__":
    stages = read_stages()
    for name in sys.argv[1:]:
        print(f"== {name}", flush=True)
        run(stages[name])
