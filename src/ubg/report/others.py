"""A trained system measured on data sets that it was not trained on."""

from collections.abc import Sequence
from pathlib import Path

from ubg.data.image_pack import ImagePack
from ubg.data.others import OTHERS
from ubg.data.prepare import load_prepared
from ubg.files import write_json
from ubg.model_folder import load_trained
from ubg.params import Params, load_other
from ubg.report.evaluation import best_device, rounded
from ubg.report.overlap import direction, overlap_warning
from ubg.retrieval.encode import encode_split, make_split
from ubg.retrieval.metrics import bidirectional_metrics


def evaluate_on(system: str, names: Sequence[str], params: Params) -> None:
    """Write `metrics/others/<system>_<name>.json` for each data set named.

    Metrics are those of the weights selected on validation of the data set trained on, on the test
    split of the other.

    Args:
        system: a trained one.
        names: data sets that `prepare_other` has prepared.
        params: of the training.

    Raises:
        ValueError: there is no such model or no such prepared data set.
    """
    for name in names:
        if not (OTHERS / name / "images").is_dir():
            raise ValueError(
                f"{OTHERS / name}: is not prepared; put {name} into evaluate_on of params.yaml and "
                f"run `dvc repro prepare_other@{name}`"
            )
    model, tokenizer, trained_with = load_trained(Path("models") / system)
    model.to(best_device())
    max_tokens = trained_with.tokenizer.max_tokens
    for name in names:
        other = load_other(name)
        pack = ImagePack(OTHERS / name / "images")
        table = pack.rows_present(load_prepared(OTHERS / name / "prepared"))
        split = make_split(table, "test", tokenizer, max_tokens, model.caption_fields)
        print(f"{system}, {direction(params, other)}")
        features = encode_split(model, split, pack, params.model.evaluation.batch_size)
        metrics = bidirectional_metrics(
            features.text_QD, features.image_GD, split.text_pids, split.image_pids
        )
        path = Path("metrics/others") / f"{system}_{name}.json"
        write_json(path, {"test": {key: rounded(values) for key, values in metrics.items()}})
        for key, values in metrics.items():
            print(f"test {key}: " + "  ".join(f"{n} {value:.2f}" for n, value in values.items()))
        if (warning := overlap_warning(params, other)) is not None:
            print(f"warning: {warning}")
        print(f"written to {path}")
