import pytest

from ubg.dataset_report.percent import percent


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0, "0 %"),
        (0.0512, "0.051 %"),
        (12.3, "12 %"),
        (99.4, "99 %"),
        (99.5, "99.5 %"),
        (99.7, "99.7 %"),
        (100, "100 %"),
    ],
)
def test_shares_have_two_digits_and_no_exponent(share, shown):
    assert percent(share) == shown
