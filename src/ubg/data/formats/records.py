"""What a reader of a format hands over, and reading of JSON that may be hostile."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_JSON_BYTES = 2**30


@dataclass(frozen=True)
class Record:
    """One image with its captions, as the file has them.

    Attributes:
        where: file and record, for messages.
        split: "train", "val" or "test".
        raw_id: the identity's number in the file.
        image_path: relative to the folder of images.
        captions: at least one.
    """

    where: str
    split: str
    raw_id: int
    image_path: str
    captions: list[str]


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        ValueError: missing, too large, not UTF-8, truncated or otherwise not JSON.
    """
    try:
        size = path.stat().st_size
        if size > MAX_JSON_BYTES:
            raise ValueError(f"{path}: has {size:,} bytes, more than {MAX_JSON_BYTES:,}; split it")
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}; put the file there") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: byte {error.start} is not UTF-8; convert the file") from None
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path}: line {error.lineno}, column {error.colno}: {error.msg}; "
            "the file is truncated or not JSON, fetch it again"
        ) from None
    except RecursionError:
        raise ValueError(f"{path}: is nested too deeply to be annotations") from None
