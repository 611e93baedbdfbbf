"""Files of models, in a folder or on the Hugging Face hub."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from huggingface_hub import constants, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
)
from huggingface_hub.utils import get_session

HUB_PREFIX = "hf-hub:"  # before the name of a checkpoint of open_clip
SECONDS = 10  # that the hub has to answer


def find_file(source: str, name: str) -> Path | None:
    """The file `name` of a folder or of a hub repository (fetched or cached), if there is one.

    Without a connection a repository holds what the cache has of it.

    Raises:
        ValueError: `source` is neither, or the hub cannot be reached and nothing is cached.
    """
    if Path(source).is_dir():
        path = Path(source) / name
        return path if path.is_file() else None
    try:
        return Path(hf_hub_download(source, name, local_files_only=not hub_answers()))
    except EntryNotFoundError as error:
        if not isinstance(error, LocalEntryNotFoundError) or _is_cached(source):
            return None
        raise ValueError(
            f"{source}: is no folder, the hub cannot be reached, and its cache has nothing of "
            f"that name; see the path, or {offline_recipe(source)}"
        ) from error
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(
            f"{source}: is no folder, and no model on the hub can be read: {reason}"
        ) from error


def unreachable_models(sources: Iterable[str]) -> list[str]:
    """Hub names among `sources` that are to be fetched from a hub that does not answer."""
    names = [source.removeprefix(HUB_PREFIX) for source in sources if not Path(source).exists()]
    absent = [name for name in dict.fromkeys(names) if not _is_cached(name)]
    return absent if absent and not hub_answers() else []


def offline_recipe(name: str) -> str:
    """How to go on without the hub."""
    return (
        f"run `hf download {name} --local-dir FOLDER` where there is a connection, copy the folder "
        "and name it in the preset (docs/pretrained.md)"
    )


@cache
def hub_answers() -> bool:
    """Whether the hub can be reached. Asked once: the library asks 6 times for each file."""
    try:
        get_session().head(constants.ENDPOINT, timeout=SECONDS)
    except Exception:  # a network fails in many ways
        return False
    return True


def _is_cached(name: str) -> bool:
    try:
        snapshot_download(name, local_files_only=True)
    except (LocalEntryNotFoundError, HFValidationError):
        return False
    return True
