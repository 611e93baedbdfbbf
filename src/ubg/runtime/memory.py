"""How the operating system gives out memory."""

import os


def use_huge_pages() -> None:
    """Have torch map its tensors in pages of 2 MiB, unless the environment says otherwise.

    Tensors come and go with each step, and on CPU it takes time to map them in pages of 4 KiB:
    `benchmarks/huge_pages.py`. To be called before torch is imported, which reads the variable
    then.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
