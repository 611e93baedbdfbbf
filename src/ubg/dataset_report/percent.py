"""Shares as reports show them."""


def percent(share: float) -> str:
    """A share of 0 to 100 by two digits, or by three just below 100, such as `0.5 %`, `99.7 %`."""
    return f"{share:.3g} %" if share >= 99.5 else f"{share:.2g} %"
