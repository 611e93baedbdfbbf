"""Probes: small classifiers that try to read an attribute off a frozen embedding.

What a probe reads is there; what it does not read may be there in a form that it cannot use, which
is why a linear one and a network stand beside each other (Alain and Bengio, "Understanding
intermediate layers using linear classifier probes", arXiv 1610.01644).
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ubg.disentanglement.people import UNKNOWN

PROBES = ("linear", "mlp")
FEWEST_PERSONS = 3  # of a class in validation: of fewer a probe learns who they are
# On features of unit variance. Persons of validation kept from the fit are told as well with ten
# times more or less of it.
INVERSE_STRENGTH = 0.03  # of the linear probe's regularisation
DECAY = 10.0  # of the network's weights
HIDDEN = 64
MAX_STEPS = 200


@dataclass(frozen=True)
class Judged:
    """What a probe makes of the M test images on which an attribute shows.

    Attributes:
        class_M: the class of each, from 0.
        right_M: whether the probe says so.
        person_M: whom the image shows.
        fitted: validation images that the probe was fitted on.
    """

    class_M: NDArray[np.int64]
    right_M: NDArray[np.bool_]
    person_M: NDArray[np.int64]
    fitted: int


@dataclass(frozen=True)
class Labelled:
    """N images of a split.

    Attributes:
        feature_ND: their embeddings.
        label_N: what shows of an attribute, `UNKNOWN` where nothing does.
        person_N: whom they show.
    """

    feature_ND: NDArray[Any]
    label_N: NDArray[np.str_]
    person_N: NDArray[np.int64]

    def only(self, chosen_N: NDArray[np.bool_]) -> "Labelled":
        """The images chosen."""
        return Labelled(self.feature_ND[chosen_N], self.label_N[chosen_N], self.person_N[chosen_N])


def judge(probe: str, val: Labelled, test: Labelled) -> Judged | None:
    """Fit a probe on validation images and ask it about test images.

    Classes are balanced: each has the same weight. Those that fewer than `FEWEST_PERSONS`
    persons of validation have are left out on both sides.

    Args:
        probe: one of `PROBES`: logistic regression, or a network of one hidden layer.
        val: to fit on.
        test: of other persons.

    Returns:
        None where fewer than two classes are left.
    """
    classes = [label for label in np.unique(val.label_N) if _is_shared(label, val)]
    val = val.only(np.isin(val.label_N, classes))
    test = test.only(np.isin(test.label_N, classes))
    seen, class_M = np.unique(test.label_N, return_inverse=True)
    if len(seen) < 2:
        return None
    fitted = _fit(probe, val)
    right_M = fitted.predict(test.feature_ND) == test.label_N
    return Judged(class_M, right_M, test.person_N, len(val.label_N))


def _is_shared(label: str, val: Labelled) -> bool:
    persons = np.unique(val.person_N[val.label_N == label])
    return label != UNKNOWN and len(persons) >= FEWEST_PERSONS


def _fit(probe: str, val: Labelled) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.utils.class_weight import compute_sample_weight
    from threadpoolctl import threadpool_limits

    if probe == "linear":
        classifier = LogisticRegression(C=INVERSE_STRENGTH, max_iter=MAX_STEPS)
    else:
        classifier = MLPClassifier(
            (HIDDEN,),
            alpha=DECAY,
            solver="lbfgs",
            max_iter=MAX_STEPS,
            random_state=0,
        )
    weight_N = compute_sample_weight("balanced", val.label_N)
    pipeline = make_pipeline(StandardScaler(), classifier)
    named = f"{pipeline.steps[-1][0]}__sample_weight"
    # The products are too small to share: threads would mostly wait for each other.
    with warnings.catch_warnings(), threadpool_limits(1, "blas"):
        # Stopped short of its optimum, it is a probe all the same.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return pipeline.fit(val.feature_ND, val.label_N, **{named: weight_N})
