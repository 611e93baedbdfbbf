"""Loops compiled by Numba, kept between processes where there is a place for them."""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numba
from numba.core.caching import FunctionCache

Function = Callable[..., Any]


def cached_njit(**options: Any) -> Callable[[Function], Function]:
    """`numba.njit` without the interpreter lock, its result cached.

    Numba keeps it in `NUMBA_CACHE_DIR`, beside the source, or in the user's cache. Where it can
    write to none of them, or the disk is full, each process compiles anew and a warning says so.

    Args:
        options: further ones of `numba.njit`.
    """

    def decorate(function: Function) -> Function:
        compiled = numba.njit(nogil=True, **options)(function)
        try:
            # As `cache=True` does, which would end the run where the disk is full.
            compiled._cache = _Cache(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            _warn_of_no_cache("neither the source nor the home folder can be written to")
        return compiled

    return decorate


class _Cache(FunctionCache):
    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as error:
            _warn_of_no_cache(f"{self.cache_path}: {error.strerror}")


@cache
def _warn_of_no_cache(reason: str) -> None:
    warnings.warn(
        f"every process compiles its loops anew ({reason}); set NUMBA_CACHE_DIR to a folder that "
        "can be written to",
        stacklevel=4,
    )
