"""Loops compiled by Numba, kept between processes where there is a place for them."""

import warnings
from collections.abc import Callable
from functools import cache
from secrets import randbits
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

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
    """Numba's cache, which outlives a full disk and a kill at any moment."""

    def __init__(self, function: Function):
        super().__init__(function)
        stamp = self._impl.locator.get_source_stamp()
        self._cache_file = _CacheFile(self._cache_path, self._impl.filename_base, stamp)

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as error:
            _warn_of_no_cache(f"{self.cache_path}: {error.strerror}")


class _CacheFile(IndexDataCacheFile):
    def _data_name(self, number: int) -> str:
        """A name of which there was no file before.

        Numba writes its index, then the file of machine code that it names. By its own numbers, a
        changed function whose second file could not be written would run the code of before.
        """
        return str(self._data_name_pattern.format(number=randbits(62)))


@cache
def _warn_of_no_cache(reason: str) -> None:
    warnings.warn(
        f"every process compiles its loops anew ({reason}); set NUMBA_CACHE_DIR to a folder that "
        "can be written to",
        stacklevel=4,
    )
