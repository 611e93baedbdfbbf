"""A `map` over several processes that end when the one that started them does."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any


@contextmanager
def mapper(processes: int) -> Iterator[Callable[..., Iterable[Any]]]:
    """A `map` that keeps the order, in this process or over several."""
    if processes == 1:
        yield map
        return
    with ProcessPoolExecutor(processes, initializer=_end_with, initargs=(os.getpid(),)) as pool:
        try:
            yield partial(pool.map, chunksize=8)
        except BaseException:  # Ctrl-C among them: what nobody waits for is not begun
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _end_with(parent: int) -> None:
    """Leave Ctrl-C to the parent, and do not outlive it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
