"""Which trained model a folder holds: the fingerprint of its files."""

from pathlib import Path

from ubg.runtime.files import beside, file_fingerprint, fingerprint

# Raise it when images are read, turned or resized in another way than before.
PREPROCESSING = 1
CONFIG = "config.json"
# What is read of a model, where it is there; all else in its folder is a note to people.
TOKENIZER = (
    "added_tokens.json",
    "config.json",
    "merges.txt",
    "special_tokens_map.json",
    "spiece.model",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
)
MODEL = (CONFIG, "model.safetensors", *(f"tokenizer/{name}" for name in TOKENIZER))
SECOND_SCORE = (CONFIG, "generator.safetensors", "vqgan/config.json", "vqgan/encoder.safetensors")


def model_fingerprint(model: Path) -> str:
    """Of the selected weights, config and tokenizer of a model, and of how images are read.

    Raises:
        ValueError: the folder holds no model.
    """
    return fingerprint(PREPROCESSING, _files(model, MODEL, "trained model"))


def codes_fingerprint(model: Path) -> str:
    """Of what the second score of a model reads, which lies beside its folder.

    Raises:
        ValueError: there is nothing.
    """
    branch = beside(model, "_generator")
    return fingerprint(_files(branch, SECOND_SCORE, "second score of a trained model"))


def _files(folder: Path, names: tuple[str, ...], what: str) -> list[tuple[str, str]]:
    if not (folder / CONFIG).is_file():
        raise ValueError(
            f"{folder}: holds no {what}, as {CONFIG} is not there; name the folder of a trained "
            "model"
        )
    return [(name, file_fingerprint(folder / name)) for name in names if (folder / name).is_file()]
