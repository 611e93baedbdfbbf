"""Two models beside each other, on the same persons."""

from dataclasses import dataclass

from ubg.disentanglement.attributes import GROUPS
from ubg.disentanglement.balanced_accuracy import difference
from ubg.disentanglement.embed import WHOLE
from ubg.disentanglement.measure import Measured
from ubg.disentanglement.people import People
from ubg.disentanglement.probes import PROBES
from ubg.retrieval.bootstrap import Interval, paired_bootstraps


@dataclass(frozen=True)
class Difference:
    """One model less another, in points of percent.

    Attributes:
        embedding: of the first model.
        other: the other model.
        measure: such as "linear clothing" or "person r1".
        interval: over persons.
    """

    embedding: str
    other: str
    measure: str
    interval: Interval


def crossing_intervals(measured: Measured, embedding: str, people: People) -> dict[str, Interval]:
    """R@1 and mAP of each crossing, by "person r1" and the like, with intervals over persons."""
    intervals = {}
    for sought, crossing in measured.crossed[embedding].items():
        persons_Q = people.persons[crossing.query_Q]
        for metric, interval in paired_bootstraps(crossing.values(), persons_Q).items():
            intervals[f"{sought} {metric}"] = interval
    return intervals


def differences(first: Measured, other: Measured, name: str, people: People) -> list[Difference]:
    """Every measure of every embedding of the first model, less the same of another.

    An embedding is compared with the one of the same name, or with the only one there is.

    Args:
        first: the model in question.
        other: what it is compared with.
        name: of the other.
        people: the test images, on which both were measured.
    """
    found = []
    for embedding in first.probed:
        opposite = embedding if embedding in other.probed else WHOLE
        if opposite not in other.probed:
            continue
        for probe in PROBES:
            for group in GROUPS:
                own = first.of_group(embedding, probe, group)
                others = other.of_group(opposite, probe, group)
                if own:
                    interval = difference(own, others)
                    found.append(Difference(embedding, name, f"{probe} {group}", interval))
        for sought, crossing in first.crossed[embedding].items():
            theirs = other.crossed[opposite][sought].values()
            values = {
                f"{sought} {metric}": value_Q - theirs[metric]
                for metric, value_Q in crossing.values().items()
            }
            persons_Q = people.persons[crossing.query_Q]
            for measure, interval in paired_bootstraps(values, persons_Q).items():
                found.append(Difference(embedding, name, measure, interval))
    return found
