"""Which calibration is believed: the gallery's own, or what evaluation kept beside the model."""

from pathlib import Path

from ubg.calibration import Calibration, calibration_of, read_calibration
from ubg.search.manifest import Manifest

CALIBRATION = "calibration.json"
USUAL = 0.5  # above this share, a best score is one that is usual without the person


def find_calibration(
    gallery: Path, manifest: Manifest, model: Path, both_scores: bool
) -> Calibration | None:
    """The calibration of a gallery, else of its model; None where neither is of these scores.

    Args:
        gallery: its folder.
        manifest: of it.
        model: folder of its model, where that is now.
        both_scores: whether it is searched by both scores.

    Raises:
        ValueError: a file is damaged.
    """
    for path in (gallery / CALIBRATION, calibration_of(model)):
        calibration = read_calibration(path)
        if calibration is not None and _fits(calibration, manifest, both_scores):
            return calibration
    return None


def _fits(calibration: Calibration, manifest: Manifest, both_scores: bool) -> bool:
    known = calibration.fingerprint == manifest.fingerprint
    if both_scores:
        assert manifest.codes is not None
        known &= calibration.codes in (None, manifest.codes.fingerprint)
    return known and len(calibration.best(both_scores)) > 0
