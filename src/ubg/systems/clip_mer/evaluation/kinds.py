"""Kinds of query, named as in ORBench: `TEXT`, `NIR+CP`, `TEXT+NIR+CP+SK`; the first part leads."""

from collections.abc import Iterable, Mapping

from ubg.data.query_kinds import KINDS

AVERAGES = ("one", "two", "three", "four")  # over the kinds of so many parts


def parts_of(kind: str) -> tuple[str, ...]:
    """Names of its parts, the leading one first."""
    return tuple(kind.lower().split("+"))


def average_of(kind: str) -> str:
    """The one of `AVERAGES` that a kind goes into."""
    return AVERAGES[len(parts_of(kind)) - 1]


def plain_means(of_kinds: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Means over the kinds of one part, of two, three, four: by average and metric.

    Args:
        of_kinds: metrics by kind.
    """
    groups: dict[str, list[Mapping[str, float]]] = {}
    for kind, metrics in of_kinds.items():
        groups.setdefault(average_of(kind), []).append(metrics)
    return {
        average: {
            metric: sum(metrics[metric] for metrics in groups[average]) / len(groups[average])
            for metric in groups[average][0]
        }
        for average in AVERAGES
        if average in groups
    }


def score(averages: Mapping[str, Mapping[str, float]]) -> float:
    """The mean of the four averages of mAP, by which PRCV 2025 ranked."""
    return sum(averages[average]["map"] for average in AVERAGES) / len(AVERAGES)


def require_all_kinds(kinds: Iterable[str], source: str) -> None:
    """Check that there are queries of each kind, so that averages are over 4, 12, 12, 4 of them.

    Raises:
        ValueError: some are missing; they are named.
    """
    there = set(kinds)
    if missing := [kind for kind in KINDS if kind not in there]:
        shown = ", ".join(missing[:5]) + (" .." if missing[5:] else "")
        raise ValueError(
            f"{source}: has no queries of {shown}; the averages are over all {len(KINDS)} kinds, "
            "so give each some queries"
        )
