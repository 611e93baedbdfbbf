"""How the operating system gives out memory."""

import os


def use_huge_pages() -> None:
    """Make torch allocate tensors in huge pages (2 MiB), unless the environment says otherwise.

    Every step allocates and frees tensors, and on CPU mapping them in pages of 4 KiB takes time,
    see `benchmarks/huge_pages.py`. Call this before torch is imported, which is when it reads the
    variable.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
