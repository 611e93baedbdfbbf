"""The classes of a batch are those of its images, mirrored where they are."""

from types import SimpleNamespace

import numpy as np
from tiny_models import MemoryTokens, code_classes, text_generation

from ubg.systems.phase4.text.targets import ClassTargets


def test_classes_follow_the_mirroring_of_the_batch():
    tokens, classes = MemoryTokens(5), code_classes(text_generation())
    geometry = np.zeros((3, 7))
    geometry[1, 0] = 1
    samples = SimpleNamespace(
        draws=SimpleNamespace(geometry_B7=geometry), image_ids=np.array([4, 2, 2])
    )
    (found,) = ClassTargets(tokens, classes.of_code_V).add_to({}, samples).values()
    for row, (image, side) in enumerate([(4, 0), (2, 1), (2, 0)]):
        codes = tokens.ids_N2L[image, side]
        assert found[row].tolist() == [int(classes.of_code_V[code]) for code in codes]
