"""Typed parameters: the only reader of `params.yaml` and `configs/`.

`params.yaml` is the experiment. It names a data set and a scale, whose presets are
`configs/datasets/<dataset>.yaml` and `configs/scales/<scale>.yaml`. Unknown keys, wrong types and
values out of range are refused with one line: file, key, value, what is allowed. No section has a
default: every value stands in a file where DVC sees it.
"""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from ubg.params.aligned import AlignedNetwork, Losses, Neck, SharedEncoder, SharedNetwork
from ubg.params.clip_mer import Adapters, ClipMer, ClipMerNetwork, Fusion
from ubg.params.dataset import Dataset, DrawnModalities, Foils, ModalityQueries, SynthPedes
from ubg.params.irra import Irra, IrraLosses, IrraNetwork, LrFactors
from ubg.params.network import ClipNetwork, Network
from ubg.params.noise import Noise
from ubg.params.phase4 import Generation, Phase4Network
from ubg.params.read import read_section
from ubg.params.section import NonNegative, Positive, PositiveFloat, Section
from ubg.params.t2i_reid import T2iReid, T2iReidLosses, T2iReidNetwork
from ubg.params.towers import (
    BertTower,
    ClipTextTower,
    ClipTower,
    Image,
    TextTower,
    Tokenizer,
    Tower,
    Towers,
    VisionTower,
)
from ubg.params.training import Augmentation, Evaluation, Launcher, Optimiser, Training
from ubg.params.vqgan import Vqgan, VqganDiscriminator, VqganFit, VqganPerceptual, VqTokens

__all__ = [
    "Adapters",
    "AlignedNetwork",
    "Augmentation",
    "BertTower",
    "ClipMer",
    "ClipMerNetwork",
    "ClipNetwork",
    "ClipTextTower",
    "ClipTower",
    "Dataset",
    "DrawnModalities",
    "Evaluation",
    "Experiment",
    "Foils",
    "Fusion",
    "Generation",
    "Image",
    "Irra",
    "IrraLosses",
    "IrraNetwork",
    "Launcher",
    "Losses",
    "LrFactors",
    "ModalityQueries",
    "Network",
    "Noise",
    "Optimiser",
    "Params",
    "Phase4Network",
    "Scale",
    "Section",
    "SharedEncoder",
    "SharedNetwork",
    "SynthPedes",
    "T2iReid",
    "T2iReidLosses",
    "T2iReidNetwork",
    "TextTower",
    "Tokenizer",
    "Tower",
    "Towers",
    "Training",
    "VisionTower",
    "VqTokens",
    "Vqgan",
    "VqganDiscriminator",
    "VqganFit",
    "VqganPerceptual",
    "load_other",
    "load_params",
    "load_synthpedes",
]

PresetName = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]


class Scale(Section):
    """One file of `configs/scales/`: sizes, optimisation, pretrained names."""

    image: Image
    tokenizer: Tokenizer
    vqgan: Vqgan
    towers: Towers
    shared_encoder: SharedEncoder
    embedding_dim: Positive
    neck: Neck
    temperature: PositiveFloat
    losses: Losses
    irra: Irra
    clip_mer: ClipMer
    t2i_reid: T2iReid
    augmentation: Augmentation
    optimiser: Optimiser
    training: Training
    evaluation: Evaluation
    vq_tokens: VqTokens


class Experiment(Section):
    """The keys of `params.yaml` itself.

    Attributes:
        labelled_identities: so many identities of the training split are what systems train on,
            always the same ones; null: all. Tokenizer, VQGAN and codes are of all images.
        initial_weights: a trained model's folder or a file of weights that training starts from.
    """

    dataset: PresetName
    data_root: str
    scale: PresetName
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    gen_weight: NonNegative
    labelled_identities: Positive | None
    noise: Noise
    evaluate_on: tuple[PresetName, ...]
    generation: Generation
    launcher: Launcher
    initial_weights: str | None


class Params(Experiment):
    """Everything that a stage may ask for: the experiment and its two presets.

    Attributes:
        data: the preset of the data set in use.
        preset: that of the scale.
    """

    data: Dataset
    preset: Scale

    @property
    def raw_root(self) -> Path:
        """The folder of the data set in use: `annotations/` and `imgs/`."""
        return Path(self.data_root) / self.dataset

    def value(self, file: str, key: str) -> Any:
        """The value of a dotted key of `params.yaml` or of one of the presets in use."""
        section: Any = self
        if file.startswith("configs/"):
            section = self.preset if file.startswith("configs/scales/") else self.data
        for name in key.split("."):
            section = getattr(section, name)
        return section.model_dump(mode="json") if isinstance(section, Section) else section


def load_params(root: str | Path = ".") -> Params:
    """Read `params.yaml` and the two presets that it names.

    Raises:
        ValueError: unreadable file, unknown key, wrong type or a value out of range; one line for
            each fault, naming file, key, value and what is allowed.
    """
    root = Path(root)
    experiment = read_section(Experiment, root / "params.yaml", root)
    for place, name in enumerate(experiment.evaluate_on):
        _preset(root, "datasets", name, f"evaluate_on.{place}")
    dataset_file = _preset(root, "datasets", experiment.dataset, "dataset")
    scale_file = _preset(root, "scales", experiment.scale, "scale")
    return Params(
        **dict(experiment),
        data=read_section(Dataset, dataset_file, root),
        preset=read_section(Scale, scale_file, root),
    )


def load_other(name: str, root: str | Path = ".") -> Params:
    """`load_params` with the data set `name` in use instead, and without noise.

    Raises:
        ValueError: as `load_params`.
    """
    root = Path(root)
    params = load_params(root)
    data = read_section(Dataset, _preset(root, "datasets", name, "evaluate_on"), root)
    return params.model_copy(
        update={"dataset": name, "data": data, "noise": Noise(rate=0.0, seed=0, index=None)}
    )


def load_synthpedes(name: str, root: str | Path = ".") -> SynthPedes:
    """Read what is to be drawn from `configs/datasets/<name>.yaml`, for any data set in use.

    Raises:
        ValueError: as `load_params`; or nothing is to be drawn.
    """
    root = Path(root)
    path = _preset(root, "datasets", name, "dataset")
    section = read_section(Dataset, path, root).synthpedes
    if section is None:
        raise ValueError(f"{path.relative_to(root)}: synthpedes: missing; add it")
    return section


def _preset(root: Path, kind: str, name: str, key: str) -> Path:
    """The file of a preset that `params.yaml` names under `key`."""
    path = root / "configs" / kind / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml")))
        raise ValueError(f"params.yaml: {key}: {name!r} has no preset; allowed: {known}")
    return path
