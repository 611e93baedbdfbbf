"""The weight of the branch over time."""

from ubg.systems.phase4.schedule import gen_loss_weight


def test_weight_rises_linearly_and_stays():
    assert [gen_loss_weight(2.0, 2.0, epochs) for epochs in (0, 0.5, 1, 2, 7)] == [0, 0.5, 1, 2, 2]
    assert gen_loss_weight(2.0, 0.0, 0) == 2.0
