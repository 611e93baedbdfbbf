"""What a score makes of each case: pure functions over rows of texts and images.

Legend: C cases, P pairs of a text and an image.

The comparisons are those of Winoground (Thrush et al., CVPR 2022). A tie is wrong.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ubg.foils.cases import BINDING, Rows

# Rows of P texts and of P images to how well each pair matches, float64 [P].
ScorePairs: TypeAlias = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]
Results: TypeAlias = dict[str, NDArray[np.bool_]]

# Percent that a score at random gets right.
CHANCE = {
    "image_to_text": 25.0,
    "text_to_image": 25.0,
    "group": 100 / 6,
    "paraphrase": 50.0,
    "twin_r1": 50.0,
    "caption": 50.0,
}


def judge(rows: Rows, score_pairs: ScorePairs) -> Results:
    """What a score gets right, bool [C] by measure.

    Where there are twins:
        image_to_text: each picture prefers its caption to the other's.
        text_to_image: each caption prefers its picture to the other's.
        group: all four comparisons are right.
        paraphrase: the picture also prefers the paraphrase of its caption to the foil caption.
        twin_r1: the caption prefers its picture to the twin, which is R@1 among these two.

    Where captions alone are changed:
        caption: the picture prefers its caption to the foil caption.
    """
    own = score_pairs(rows.caption_C, rows.image_C)
    foil_caption = score_pairs(rows.foil_caption_C, rows.image_C)
    if rows.foil_image_C is None or rows.paraphrase_C is None:
        return {"caption": own > foil_caption}
    foil_image = score_pairs(rows.caption_C, rows.foil_image_C)
    both_foils = score_pairs(rows.foil_caption_C, rows.foil_image_C)
    paraphrase = score_pairs(rows.paraphrase_C, rows.image_C)
    image_to_text = (own > foil_caption) & (both_foils > foil_image)
    text_to_image = (own > foil_image) & (both_foils > foil_caption)
    return {
        "image_to_text": image_to_text,
        "text_to_image": text_to_image,
        "group": image_to_text & text_to_image,
        "paraphrase": paraphrase > foil_caption,
        "twin_r1": own > foil_image,
    }


def rank_one(rows: Rows, score_pairs: ScorePairs, other_C: NDArray[np.float64]) -> Results:
    """Which picture is first for the caption, where that of each other person competes too.

    r1: its own picture is. twin_first: the twin is, alone. Pictures and twins of the same person in
    other cases do not compete.

    Args:
        rows: with twins.
        score_pairs: see `judge`.
        other_C: the highest score of the caption and a picture of another person.
    """
    assert rows.foil_image_C is not None
    own = score_pairs(rows.caption_C, rows.image_C)
    twin = score_pairs(rows.caption_C, rows.foil_image_C)
    return {
        "r1": own > np.maximum(twin, other_C),
        "twin_first": (twin >= own) & (twin > other_C),
    }


def summarise(
    kinds: NDArray[np.str_], results: Mapping[str, NDArray[np.bool_]]
) -> dict[str, float]:
    """Percent for `metrics/<system>.json`: over all cases but binding, and over binding.

    `attribute` and `binding` are of the group, or of `caption` where captions alone are changed;
    `paraphrase` and `twin_r1` are over all cases, `twin_errors` is the share of twins among what
    stands wrongly at rank 1. What there is no case of is left out.

    Args:
        kinds: [C].
        results: [C] by measure, as of `judge` and `rank_one`.
    """
    leading = results["group"] if "group" in results else results["caption"]
    parts = {"attribute": leading[kinds != BINDING], "binding": leading[kinds == BINDING]}
    parts |= {name: results[name] for name in ("paraphrase", "twin_r1") if name in results}
    if "twin_first" in results:
        parts["twin_errors"] = results["twin_first"][~results["r1"]]
    return {
        name: round(100 * float(right.mean()), 3) for name, right in parts.items() if len(right)
    }
