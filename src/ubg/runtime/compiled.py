"""Loops compiled by Numba, kept between processes where there is a place for them."""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numba

Function = Callable[..., Any]


def cached_njit(**options: Any) -> Callable[[Function], Function]:
    """`numba.njit` without the interpreter lock, its result cached.

    Numba keeps it in `NUMBA_CACHE_DIR`, beside the source, or in the user's cache. Where it can
    write to none of them, each process compiles anew and a warning says so.

    Args:
        options: further ones of `numba.njit`.
    """

    def decorate(function: Function) -> Function:
        try:
            return numba.njit(nogil=True, cache=True, **options)(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            _warn_of_no_cache()
            return numba.njit(nogil=True, **options)(function)

    return decorate


@cache
def _warn_of_no_cache() -> None:
    warnings.warn(
        "every process compiles its loops anew, since neither the source nor the home folder can "
        "be written to; set NUMBA_CACHE_DIR to a folder that can",
        stacklevel=4,
    )
