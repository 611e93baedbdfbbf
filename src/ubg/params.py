"""Typed parameters: the only reader of `params.yaml` and `configs/`.

`params.yaml` is the experiment. It names a data set and a scale, whose presets are
`configs/datasets/<dataset>.yaml` and `configs/scales/<scale>.yaml`. Unknown keys, wrong types and
values out of range are refused with one line: file, key, value, what is allowed.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0)]
PresetName = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]


class Section(BaseModel):
    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True
    )

    @model_validator(mode="before")
    @classmethod
    def _lists_as_tuples(cls, values: Any) -> Any:
        """YAML has lists alone; a strict tuple takes none."""
        if not isinstance(values, dict):
            return values
        fields = cls.model_fields
        tuples = {name for name in fields if get_origin(fields[name].annotation) is tuple}
        return {
            name: tuple(value) if name in tuples and isinstance(value, list) else value
            for name, value in values.items()
        }


S = TypeVar("S", bound=Section)


class Image(Section):
    """Size in pixels of the packed images, and how many broken ones may be left out."""

    height: Annotated[int, Field(ge=16, le=2048)]
    width: Annotated[int, Field(ge=16, le=2048)]
    max_broken: Count = 0


class Tokenizer(Section):
    """SentencePiece trained on the training captions, or `pretrained`: a hub name or a folder."""

    pretrained: str | None = None
    vocab_size: Annotated[int, Field(ge=32, le=65536)] = 1000
    max_tokens: Annotated[int, Field(ge=4, le=512)]


class VisionTower(Section):
    """A vision transformer, built from its sizes or loaded from `pretrained`."""

    pretrained: str | None = None
    width: Positive | None = None
    layers: Positive | None = None
    heads: Positive | None = None
    mlp_width: Positive | None = None
    patch_size: Annotated[int, Field(ge=4, le=64)] = 16
    conv_stem: bool = False

    @model_validator(mode="after")
    def _sizes_or_pretrained(self) -> "VisionTower":
        return _require_sizes(self, ("width", "layers", "heads", "mlp_width"))


class TextTower(Section):
    """A T5 encoder, built from its sizes or loaded from `pretrained`."""

    pretrained: str | None = None
    width: Positive | None = None
    layers: Positive | None = None
    heads: Positive | None = None
    mlp_width: Positive | None = None
    dropout: Fraction = 0.1

    @model_validator(mode="after")
    def _sizes_or_pretrained(self) -> "TextTower":
        return _require_sizes(self, ("width", "layers", "heads", "mlp_width"))


class Towers(Section):
    """`attention`: "sdpa", or "eager", which is the faster one for bf16 on CPU."""

    attention: Literal["sdpa", "eager"] = "sdpa"
    clip: VisionTower
    siglip: VisionTower
    t5: TextTower


class SharedEncoder(Section):
    """How image tokens go through the T5 encoder (phases 3 and 4).

    `image_positions`: relative position bias of image tokens, "1d" in raster order with the bias of
    the text, or "2d", a learned bias of its own over rows and columns.
    """

    pooling: Literal["mean", "cls", "last"] = "mean"
    cls_token: bool = False
    image_positions: Literal["1d", "2d"] = "1d"

    @model_validator(mode="after")
    def _token_to_pool(self) -> "SharedEncoder":
        if self.pooling == "cls" and not self.cls_token:
            raise ValueError("pooling: cls needs cls_token: true")
        return self


class Generation(Section):
    """The training-only branch of phase 4: predict the VQ codes of a masked image from its caption.

    Attributes:
        enable_gen: false trains phase 4 as phase 3.
        decoder: "parallel" predicts all positions at once from mask queries, "autoregressive" one
            after the other.
        target: predict the "masked" positions or the "whole" image.
        mask_ratio: least and greatest share of masked patches.
        mask_schedule: how the ratio is drawn between the two, "cosine" (many high ratios) or
            "uniform".
        block_size: patches are masked in squares of so many by so many.
        masked_patch: what the encoder sees of a masked patch: nothing ("drop"), a learned
            "embedding", or "grey" pixels.
        reveal: share of samples whose decoder is told some of the masked codes, as in iterative
            decoding; those are not scored.
        text_dropout: share of samples whose caption is hidden from the branch.
        label_smoothing: of the cross-entropy.
        warmup_epochs: the weight of the loss rises linearly to `gen_weight` over so many epochs.
    """

    enable_gen: bool = True
    decoder: Literal["parallel", "autoregressive"] = "parallel"
    decoder_layers: Positive
    target: Literal["masked", "whole"] = "masked"
    mask_ratio: tuple[Fraction, Fraction] = (0.5, 1.0)
    mask_schedule: Literal["cosine", "uniform"] = "cosine"
    block_size: Positive = 1
    masked_patch: Literal["drop", "embedding", "grey"] = "drop"
    reveal: Fraction = 0.0
    text_dropout: Fraction = 0.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    warmup_epochs: NonNegative = 0.0

    @model_validator(mode="after")
    def _ordered_ratio(self) -> "Generation":
        low, high = self.mask_ratio
        if not 0 < low <= high:
            raise ValueError("mask_ratio must be [low, high] with 0 < low <= high <= 1")
        return self


class Losses(Section):
    """Weights of the retrieval losses; SDM is always on."""

    sdm: PositiveFloat
    itc: PositiveFloat | None = None

    def weights(self) -> dict[str, float]:
        """The weight of each loss that is on, by the name that models return it under."""
        return {f"{name}_loss": weight for name, weight in self if weight is not None}


class Augmentation(Section):
    """Training only; drawn per sample from (seed, epoch, image)."""

    flip: Fraction
    pad: Count
    erase: Fraction
    erase_area: tuple[PositiveFloat, PositiveFloat] = (0.02, 0.4)
    erase_aspect: PositiveFloat = 0.3
    erase_fill: Literal["mean", "noise"] = "mean"

    @model_validator(mode="after")
    def _ordered_area(self) -> "Augmentation":
        low, high = self.erase_area
        if not low <= high <= 1:
            raise ValueError("erase_area must be [low, high] with low <= high <= 1")
        return self


class Optimiser(Section):
    name: Literal["adam", "adamw"]
    lr: PositiveFloat
    new_module_lr_factor: PositiveFloat
    bias_lr_factor: PositiveFloat
    weight_decay: NonNegative
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    clip_norm: PositiveFloat | None = None
    warmup_epochs: NonNegative
    warmup_factor: Fraction
    final_factor: Fraction = 0.0


class Training(Section):
    """`accumulate` adds up gradients; each step still contrasts within its own batch only."""

    epochs: Positive
    batch_size: Annotated[int, Field(ge=2)]
    accumulate: Positive = 1
    precision: Literal["fp32", "bf16"]
    checkpoint_seconds: NonNegative = 60.0


class Evaluation(Section):
    batch_size: Positive


class VqTokens(Section):
    """How images become VQ ids; bf16 is faster and changes some of the ids."""

    batch_size: Positive
    precision: Literal["fp32", "bf16"]


class VqganDiscriminator(Section):
    """The adversarial term of the VQGAN: `weight` times the adaptive one, from `start_step` on."""

    weight: PositiveFloat
    start_step: Count
    channels: Positive = 64
    layers: Annotated[int, Field(ge=1, le=5)] = 3


class VqganPerceptual(Section):
    """The perceptual term of the VQGAN; `lpips` is the path of the weights of LPIPS."""

    weight: PositiveFloat
    lpips: str


class VqganFit(Section):
    """A VQGAN trained on the training images: its sizes, then how it is trained.

    `patch` pixels square are folded into channels before the first convolution, and every
    multiplier but the first halves the grid. `seed` is its own: the codes stay the same when the
    seed of the experiment changes.
    """

    codes: Annotated[int, Field(ge=2, le=65536)]
    code_dim: Annotated[int, Field(ge=1, le=4096)]
    channels: Annotated[int, Field(ge=32, le=1024, multiple_of=32)]
    multipliers: Annotated[
        tuple[Annotated[int, Field(ge=1, le=16)], ...], Field(min_length=1, max_length=8)
    ]
    blocks: Annotated[int, Field(ge=1, le=16)]
    patch: Literal[1, 2, 4, 8, 16] = 1
    seed: Count = 0
    steps: Positive
    batch_size: Positive
    lr: PositiveFloat
    lr_warmup_steps: Count
    warmup_steps: Count
    commitment: NonNegative
    revive_every: Positive
    precision: Literal["fp32", "bf16"]
    perceptual: VqganPerceptual | None = None
    discriminator: VqganDiscriminator | None = None
    checkpoint_seconds: NonNegative = 30.0

    @model_validator(mode="after")
    def _codes_are_trained(self) -> "VqganFit":
        if self.warmup_steps >= self.steps:
            raise ValueError("warmup_steps must be smaller than steps")
        return self


class Vqgan(Section):
    """Trained as `fit` says, or `pretrained`: a published checkpoint, with its yaml `config`."""

    pretrained: str | None = None
    config: str | None = None
    fit: VqganFit | None = None

    @model_validator(mode="after")
    def _fitted_or_pretrained(self) -> "Vqgan":
        if (self.pretrained is None) == (self.fit is None):
            raise ValueError("give either 'fit' or 'pretrained', not both")
        if (self.pretrained is None) != (self.config is None):
            raise ValueError("'pretrained' and 'config' belong together: the .ckpt and its .yaml")
        return self


class Scale(Section):
    """One file of `configs/scales/`: sizes, optimisation, pretrained names."""

    image: Image
    tokenizer: Tokenizer
    vqgan: Vqgan
    towers: Towers
    shared_encoder: SharedEncoder
    embedding_dim: Positive
    temperature: PositiveFloat
    losses: Losses
    augmentation: Augmentation
    optimiser: Optimiser
    training: Training
    evaluation: Evaluation
    vq_tokens: VqTokens


class SynthPedes(Section):
    """How many pedestrians to draw. Identities differ between splits."""

    seed: Count
    train_identities: Annotated[int, Field(ge=2, le=20000)]
    val_identities: Annotated[int, Field(ge=2, le=20000)]
    test_identities: Annotated[int, Field(ge=2, le=20000)]
    images_per_identity: Annotated[int, Field(ge=1, le=16)]


class Dataset(Section):
    """One file of `configs/datasets/`: the format and the files below `data/raw/<dataset>`."""

    title: str
    format: Literal["cuhk_pedes"]
    annotations: str
    images: str
    synthetic: bool
    synthpedes: SynthPedes | None = None


class Params(Section):
    """Everything that a stage may ask for."""

    dataset: PresetName
    scale: PresetName
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    gen_weight: NonNegative
    generation: Generation
    data: Dataset
    model: Scale

    @property
    def raw_root(self) -> Path:
        return Path("data/raw") / self.dataset


class Experiment(Section):
    """The keys of `params.yaml` itself."""

    dataset: PresetName
    scale: PresetName
    seed: Annotated[int, Field(ge=0, lt=2**31)]
    gen_weight: NonNegative
    generation: Generation


def load_params(root: str | Path = ".") -> Params:
    """Read `params.yaml` and the two presets that it names.

    Raises:
        ValueError: unreadable file, unknown key, wrong type or a value out of range; one line for
            each fault, naming file, key, value and what is allowed.
    """
    root = Path(root)
    experiment = _read_section(Experiment, root / "params.yaml", root)
    dataset_file = _preset(root, "datasets", experiment.dataset)
    scale_file = _preset(root, "scales", experiment.scale)
    return Params(
        **dict(experiment),
        data=_read_section(Dataset, dataset_file, root),
        model=_read_section(Scale, scale_file, root),
    )


def load_synthpedes(root: str | Path = ".") -> SynthPedes:
    """Read what is to be drawn from `configs/datasets/synthpedes.yaml`, for any data set in use.

    Raises:
        ValueError: as `load_params`.
    """
    root = Path(root)
    path = _preset(root, "datasets", "synthpedes")
    section = _read_section(Dataset, path, root).synthpedes
    if section is None:
        raise ValueError(f"{path.relative_to(root)}: synthpedes: missing; add it")
    return section


def _preset(root: Path, kind: str, name: str) -> Path:
    path = root / "configs" / kind / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml")))
        raise ValueError(f"params.yaml: {kind[:-1]}: {name!r} has no preset; allowed: {known}")
    return path


def _read_section(section: type[S], path: Path, root: Path) -> S:
    shown = path.relative_to(root)
    values = _read_yaml(path, shown)
    try:
        return section.model_validate(values)
    except ValidationError as error:
        lines = [_one_line(shown, fault) for fault in error.errors(include_url=False)]
        raise ValueError("\n".join(lines)) from None


def _one_line(shown: Path, fault: Any) -> str:
    key = ".".join(str(part) for part in fault["loc"]) or "(top level)"
    if fault["type"] == "extra_forbidden":
        return f"{shown}: {key}: unknown key; remove it or correct its spelling"
    if fault["type"] == "missing":
        return f"{shown}: {key}: missing; add it"
    value = repr(fault["input"])
    value = value if len(value) <= 80 else value[:77] + "..."
    return f"{shown}: {key}: {value} is not allowed: {fault['msg']}"


def _read_yaml(path: Path, shown: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{shown}: cannot be read: {error}") from None
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 -- a SafeLoader subclass
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise ValueError(f"{shown}{where}: {problem}") from None


class _Loader(yaml.SafeLoader):
    """YAML 1.2 floats (`1e-5` is a number) and no duplicate keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for position, key in enumerate(keys):
            if key in keys[:position]:
                raise yaml.constructor.ConstructorError(
                    problem=f"key {key!r} is given twice",
                    problem_mark=node.value[position][0].start_mark,
                )
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+0123456789."),
)


def _require_sizes(section: S, names: tuple[str, ...]) -> S:
    missing = [name for name in names if getattr(section, name) is None]
    if getattr(section, "pretrained", None) is None and missing:
        raise ValueError(f"without 'pretrained' give also: {', '.join(missing)}")
    return section
