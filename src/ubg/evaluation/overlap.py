"""Trained on one data set, tested on another: how that is written, and when it is no fair test."""

from ubg.params import Params


def label(params: Params) -> str:
    """The data set in use, as figures and tables show it."""
    return params.data.label


def direction(params: Params, other: Params) -> str:
    """Trained on, tested on: `A → B`."""
    return f"{label(params)} → {label(other)}"


def overlap_warning(params: Params, other: Params) -> str | None:
    """What to know where two data sets take their images from one collection, else None."""
    source = params.data.source
    if params.dataset == other.dataset or source is None or source != other.data.source:
        return None
    return (
        f"{params.data.title} and {other.data.title} both take their images from {source}: people "
        "tested may be people trained on, so these figures do not show transfer to unknown people"
    )
