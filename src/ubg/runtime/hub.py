"""Files of models, in a folder or on the Hugging Face hub."""

from pathlib import Path

from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
)


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
        return Path(hf_hub_download(source, name))
    except EntryNotFoundError as error:
        if not isinstance(error, LocalEntryNotFoundError) or _is_cached(source):
            return None
        raise ValueError(
            f"{source}: is no folder, the hub cannot be reached, and its cache has nothing of "
            "that name; see the path, or download the model on a machine with a connection"
        ) from error
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(
            f"{source}: is no folder, and no model on the hub can be read: {reason}"
        ) from error


def _is_cached(name: str) -> bool:
    try:
        snapshot_download(name, local_files_only=True)
    except LocalEntryNotFoundError:
        return False
    return True
