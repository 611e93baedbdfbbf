"""A trained system measured on data sets that it was not trained on."""

from collections.abc import Sequence
from pathlib import Path

from ubg.data.images.image_pack import ImagePack
from ubg.data.prepared import OTHERS, load_prepared
from ubg.evaluation.headline import headline, write_headline
from ubg.evaluation.measure import best_device, measure_split, metrics_lines
from ubg.evaluation.overlap import direction, overlap_warning
from ubg.params import Params
from ubg.runtime.files import write_json
from ubg.systems import system_named
from ubg.trained import load_trained


def evaluate_on(system: str, names: Sequence[str], params: Params) -> None:
    """Write `metrics/others/<system>_<name>.json` for each data set named.

    The weights are those selected on the validation split of the training data set; the metrics are
    those on the test split of the other data set.

    Args:
        system: a trained one.
        names: data sets that `prepare_other` has prepared.
        params: of the training.

    Raises:
        ValueError: there is no such model or no such prepared data set.
    """
    from ubg.params import load_other

    for name in names:
        if not (OTHERS / name / "images").is_dir():
            raise ValueError(
                f"{OTHERS / name}: is not prepared; put {name} into evaluate_on of params.yaml and "
                f"run `dvc repro prepare_other@{name}`"
            )
    folder = Path("models") / system
    trained = load_trained(folder)
    trained.model.to(best_device())
    score = system_named(system).code_score(trained, folder)
    for name in names:
        other = load_other(name)
        pack = ImagePack(OTHERS / name / "images")
        table = pack.rows_present(load_prepared(OTHERS / name / "prepared"))
        print(f"{system}, {direction(params, other)}")
        batch_size = params.preset.evaluation.batch_size
        metrics = measure_split(trained, table, "test", pack, batch_size, score).metrics()
        path = Path("metrics/others") / f"{system}_{name}.json"
        write_json(path, {"test": metrics})
        write_headline(f"{system}_{name}", headline({"test": metrics}))
        print(metrics_lines("test", metrics))
        if (warning := overlap_warning(params, other)) is not None:
            print(f"warning: {warning}")
        print(f"written to {path}")
