"""How many CPUs there are to use."""

import os


def usable_cpus() -> int:
    """The CPUs that this process may use, or all of them where the system does not tell."""
    if hasattr(os, "sched_getaffinity"):  # Linux alone
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
