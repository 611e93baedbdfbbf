"""Labels for training on one data set and testing on another, and a warning if both overlap."""

from ubg.params import Params


def direction(params: Params, other: Params) -> str:
    """Trained on, tested on: `A → B`."""
    return f"{params.data.label} → {other.data.label}"


def overlap_warning(params: Params, other: Params) -> str | None:
    """What to know where two data sets take their images from one collection, else None."""
    source = params.data.source
    if params.dataset == other.dataset or source is None or source != other.data.source:
        return None
    return (
        f"{params.data.title} and {other.data.title} both take their images from {source}: people "
        "tested may be people trained on, so these figures do not show transfer to unknown people"
    )
