"""One process at a time for an output or a folder of checkpoints; others wait.

The locks are `flock`s of the operating system, which end with the process that holds them, however
it ends. Between machines they hold as far as a network file system passes them on: NFS does so
with a lock service, Lustre when it is mounted with `flock`. Where a file system refuses them, a
line says so and nothing is locked; one that keeps them to each machine cannot be told apart.
"""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from ubg.runtime.opening import Kind, read_bytes

REFUSED = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}
PATIENCE = 1.0  # seconds of one attempt


class PathLock:
    """The lock on a path, which need not exist: a file `.<name>.lock` beside it.

    The file names its holder, and is gone when nobody holds the lock; one that a killed process
    left is of no effect.
    """

    def __init__(self, path: Path) -> None:
        from filelock import FileLock

        self.path = path
        self._file = path.with_name(f".{path.name}.lock")
        self._lock = FileLock(self._file, fallback_to_soft=False)
        self._told = ""

    def acquire(self, seconds: float = 0) -> bool:
        """Whether the lock could be had within that time, or there are no locks here."""
        from filelock import Timeout

        self._file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=seconds, poll_interval=0.1)
        except Timeout:
            return False
        except OSError as error:
            if error.errno not in REFUSED:
                raise self._of_the_path(error) from None
            self._file.unlink(missing_ok=True)
            _tell_of_no_locks(self._file.parent, os.strerror(error.errno))
            return True
        since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        try:
            self._file.write_text(f"process {os.getpid()} on {socket.gethostname()} since {since}")
        except OSError as error:
            self.release()
            raise self._of_the_path(error) from None
        return True

    def acquire_or_tell(self) -> bool:
        """One attempt, to be repeated; where it fails, a line names the holder, once for each."""
        if self.acquire(PATIENCE):
            return True
        try:
            holder = read_bytes(self._file, Kind.CONFIG).decode(errors="replace")
        except (OSError, ValueError):  # released just now
            return False
        if holder and holder != self._told:
            print(f"waiting for {self.path}: {holder} is at work on it", flush=True)
            self._told = holder
        return False

    def _of_the_path(self, error: OSError) -> OSError:
        """The same error, naming what is to be written instead of the file beside it."""
        return OSError(error.errno, error.strerror, str(self.path))

    @property
    def is_held(self) -> bool:
        """Whether this process has the lock; not where there are no locks."""
        return self._lock.is_locked

    def release(self) -> None:
        """Let the next one in; does nothing where the lock is not held."""
        if self.is_held:
            # While it is held: who opened the file before finds it gone and makes a new one.
            self._file.unlink(missing_ok=True)
            self._lock.release()


@contextmanager
def locked(path: Path) -> Iterator[PathLock]:
    """Hold the lock on `path` within the block; waits for it, and says for whom."""
    lock = PathLock(path)
    while not lock.acquire_or_tell():
        pass
    try:
        yield lock
    finally:
        lock.release()


_told_of: set[int] = set()  # file systems


def _tell_of_no_locks(folder: Path, reason: str) -> None:
    file_system = folder.stat().st_dev
    if file_system in _told_of:
        return
    _told_of.add(file_system)
    print(
        f"note: no locks in {folder} ({reason}); do not run a stage there twice at the same time",
        flush=True,
    )
