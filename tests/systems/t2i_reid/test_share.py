"""How much the identity counts is what ranks validation best."""

import numpy as np
import torch

from ubg.systems.t2i_reid.share import SHARES, choose_share

ONE, TWO = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
PIDS = np.arange(2)


def both(identity, clothing):
    return {"identity": torch.stack(identity), "clothing": torch.stack(clothing)}


def test_a_branch_that_knows_outweighs_one_that_errs():
    image = both([ONE, TWO], [ONE, TWO])
    # The clothing of the texts is exchanged: right as soon as identity has more than half.
    share, r1 = choose_share(both([ONE, TWO], [TWO, ONE]), image, PIDS, PIDS)
    assert (share, r1) == (0.55, 100.0)
    share, r1 = choose_share(both([TWO, ONE], [ONE, TWO]), image, PIDS, PIDS)
    assert (share, r1) == (0.45, 100.0)


def test_of_equals_the_nearest_to_a_half_is_taken():
    image = both([ONE, TWO], [ONE, TWO])
    assert choose_share(image, image, PIDS, PIDS) == (0.5, 100.0)
    assert SHARES[0] > 0
    assert SHARES[-1] < 1
