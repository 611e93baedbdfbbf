"""Trained models asked who somebody is and what they wear: what the stage calls."""

from collections.abc import Sequence
from pathlib import Path

from ubg.data.clothing import FILE as CLOTHING_FILE
from ubg.data.clothing import load_clothing
from ubg.data.images.image_pack import IMAGES, ImagePack
from ubg.data.prepared import PREPARED, load_prepared
from ubg.disentanglement.attributes import FILE, read_attributes
from ubg.disentanglement.compare import differences
from ubg.disentanglement.embed import embed_images, untrained
from ubg.disentanglement.figure import draw_disentanglement
from ubg.disentanglement.markdown import write_markdown
from ubg.disentanglement.measure import Measured, measure, measure_attributes
from ubg.disentanglement.people import People, people_of
from ubg.disentanglement.tables import (
    chances,
    metrics_of,
    rows_of,
    write_attributes,
    write_differences,
    write_rows,
)
from ubg.evaluation.measure import best_device
from ubg.params import Params
from ubg.retrieval.contract import RetrievalModel
from ubg.runtime.files import replace_folder, write_json
from ubg.runtime.passed_over import NOTE
from ubg.trained import load_trained

IDEAL = "the attributes"  # in place of a model


def lack_of_attributes(params: Params) -> str | None:
    """That nothing is known of the persons of the data set in use, as a sentence, or None."""
    if _attributes_file(params).exists() and (PREPARED / CLOTHING_FILE).exists():
        return None
    return f"{params.data.title} has no attributes of persons and of what they wear"


def evaluate_disentanglement(
    systems: Sequence[str], beside: Sequence[Path], name: str, params: Params
) -> None:
    """Write `metrics/<name>.json` and tables and a figure to `plots/<name>/`.

    Every trained model stands beside an untrained one of its sizes, and the first one is compared
    with all others. Systems that were passed over in training are left out.

    Args:
        systems: trained ones.
        beside: folders of other trained models, such as the first system without some loss.
        name: of the outputs.
        params: of the experiment.

    Raises:
        ValueError: a model or `attributes.json` cannot be read, no model was trained, or two have
            the same name.
    """
    folders = {system: Path("models") / system for system in systems}
    folders = {system: path for system, path in folders.items() if not (path / NOTE).exists()}
    if not folders:
        raise ValueError(f"models of {', '.join(systems)}: all were passed over; name another")
    for path in beside:
        if path.name in folders:
            raise ValueError(f"{path}: another model is called {path.name} too; rename the folder")
        folders[path.name] = path
    pack = ImagePack(IMAGES)
    table = pack.rows_present(load_prepared(PREPARED))
    attributes, clothing = read_attributes(_attributes_file(params)), load_clothing(PREPARED)
    people = {split: people_of(split, table, clothing, attributes) for split in ("val", "test")}
    batch_size = params.preset.evaluation.batch_size

    measured: dict[str, Measured] = {}
    without: dict[str, Measured] = {}
    for model, folder in folders.items():
        trained = load_trained(folder)
        measured[model] = _measured(model, trained.model, people, pack, batch_size)
        if model in systems:
            label = f"{model}, untrained"
            without[label] = _measured(label, untrained(model, trained), people, pack, batch_size)
    measured |= without
    _write(name, measured, people, params.data.label)


def _measured(
    name: str, model: RetrievalModel, people: dict[str, People], pack: ImagePack, batch_size: int
) -> Measured:
    model.to(best_device())
    val, test = (
        embed_images(name, model, people[split].image_ids, pack, batch_size)
        for split in ("val", "test")
    )
    return measure(name, val, test, people)


def _write(
    name: str, measured: dict[str, Measured], people: dict[str, People], dataset: str
) -> None:
    first, *others = measured
    test = people["test"]
    compared = [
        one
        for other in others
        for one in differences(measured[first], measured[other], other, test)
    ]
    shown = measured | {IDEAL: measure_attributes(IDEAL, people)}
    rows, chance_of = rows_of(shown, test), chances(measured[first])
    alignments = {
        model: found.alignment for model, found in measured.items() if found.alignment is not None
    }
    title = f"Who it is, and what they wear: {dataset}, test"
    with replace_folder(Path("plots") / name) as folder:
        write_rows(folder / "measures.csv", rows, chance_of)
        write_attributes(folder / "attributes.csv", shown)
        write_differences(folder / "differences.csv", compared, first)
        report = folder / "disentanglement.md"
        write_markdown(report, title, rows, chance_of, alignments, compared)
        draw_disentanglement(folder / "disentanglement.png", title, rows, chance_of)
        print(report.read_text(encoding="utf-8"), end="")
    write_json(Path("metrics") / f"{name}.json", metrics_of(rows, alignments, chance_of))
    print(f"written to metrics/{name}.json and plots/{name}")


def _attributes_file(params: Params) -> Path:
    return params.raw_root / "annotations" / FILE
