"""Which trained model a folder holds: the fingerprint of its files."""

from pathlib import Path

from ubg.runtime.files import file_fingerprint, fingerprint

# Raise it when images are read, turned or resized in another way than before.
PREPROCESSING = 1


def model_fingerprint(model: Path) -> str:
    """Of the selected weights, config and tokenizer of a model, and of how images are read.

    Raises:
        ValueError: the folder holds no model.
    """
    return fingerprint(PREPROCESSING, _files(model))


def codes_fingerprint(model: Path) -> str:
    """Of what the second score of a model reads, which lies beside its folder.

    Raises:
        ValueError: there is nothing.
    """
    return fingerprint(_files(model.with_name(f"{model.name}_generator")))


def _files(folder: Path) -> list[tuple[str, str]]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    if not paths:
        raise ValueError(f"{folder}: has no files; name the folder of a trained model")
    return [
        (path.relative_to(folder).as_posix(), file_fingerprint(path))
        for path in paths
        if path.name != "last.safetensors" and not path.name.startswith(".")
    ]
