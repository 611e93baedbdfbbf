"""The few figures of an evaluation that DVC shows side by side: `metrics/short/<system>.json`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ubg.runtime.files import write_json

SHORT = Path("metrics/short")


def headline(metrics: Mapping[str, Any], shown: Sequence[str] = ()) -> dict[str, float]:
    """R@1 and mAP of text to image on test, by both scores where there are two, and binding.

    Args:
        metrics: of `metrics/<system>.json`.
        shown: further ones, `group.name`; a group that was not measured is left out.

    Returns:
        Percent, or what the further ones have, by names short enough for a column each.
    """
    test = metrics["test"]
    short = {"r1": test["t2i"]["r1"], "map": test["t2i"]["map"]}
    if "t2i_generative" in test:
        short["r1_both"] = test["t2i_generative"]["r1"]
        short["map_both"] = test["t2i_generative"]["map"]
    foils = metrics.get("foils_generative", metrics.get("foils", {}))
    if "binding" in foils:
        short["binding"] = foils["binding"]
    for key in shown:
        group, name = key.split(".")
        if group in metrics:
            short[name] = metrics[group][name]
    return short


def write_headline(system: str, short: Mapping[str, float]) -> None:
    """Write `metrics/short/<system>.json`, with two digits."""
    SHORT.mkdir(parents=True, exist_ok=True)
    write_json(SHORT / f"{system}.json", {name: round(value, 2) for name, value in short.items()})
