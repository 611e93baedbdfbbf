"""The prepared table of persons and what they wear: one row per RGB image."""

from pathlib import Path
from typing import TYPE_CHECKING

from ubg.data.prepared import PREPARED, read_table
from ubg.params import Params

if TYPE_CHECKING:
    import pandas as pd

FILE = "clothing.csv"
COLUMNS = {  # and whether they are numbers
    "split": False,
    **dict.fromkeys(("pid", "person", "outfit", "body", "image_id"), True),
    "identity_caption": False,
    "clothing_caption": False,
}
UNKNOWN = -1  # `body` where a data set does not tell


def lack_of_clothing(params: Params) -> str | None:
    """That the data set in use has no such table, as a sentence; None where it was prepared.

    None too before anything was prepared, which is for whoever reads it to say.
    """
    if (PREPARED / FILE).exists() or not (PREPARED / "annotations.csv").exists():
        return None
    return f"{params.data.title} has no identity and clothing captions"


def load_clothing(folder: str | Path) -> "pd.DataFrame":
    """The table that was prepared in `folder`, beside `annotations.csv`.

    Returns:
        Columns `split`, `pid` and `image_id` of the prepared table; `person` and `outfit`, from 0
        and contiguous over train, then val, then test, the same as `pid` where everybody has one
        outfit; `body`, a number that is the same where an identity caption can tell no difference,
        or `UNKNOWN`; `identity_caption` and `clothing_caption`, "" where an image has none.

    Raises:
        ValueError: there is no such table.
    """
    remedy = (
        "only data sets with identity and clothing captions have it, from "
        "`dvc repro prepare_annotations`"
    )
    return read_table(Path(folder) / FILE, remedy, COLUMNS)


def identity_ceiling(clothing: "pd.DataFrame", split: str, sought: str = "pid") -> float:
    """The expected R@1, in percent, of who reads all of a body and none of the clothes.

    Persons of equal bodies are the same to an identity caption: the first place is one of all the
    images with the body of the query, at random. With as many images of everybody it is the number
    of bodies divided by that of identities.

    Args:
        clothing: as `load_clothing` returns it, its bodies known.
        split: of which every image asks and is searched among.
        sought: what a match has in common with the query, "pid" or "person".
    """
    of_split = clothing[clothing["split"] == split]
    assert (of_split["body"] != UNKNOWN).all()
    of_body = of_split.groupby("body")["image_id"].transform("size")
    right = of_split.groupby(sought)["image_id"].transform("size")
    return float(100 * (right / of_body).mean())
