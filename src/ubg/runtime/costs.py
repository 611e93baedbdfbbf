"""What a stage took of time and memory."""

import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ubg.runtime.files import write_json

COSTS = Path("costs")  # a file per stage, of its last run here; neither Git nor DVC follows it


def measured(stage: Callable[[], None]) -> None:
    """Run `stage`; where DVC runs it, write to `costs/<stage>.json` what it took.

    Not to an output: that would be another with each run. Of several processes, those that one
    launched, the memory is that of the largest.
    """
    started = time.time()
    stage()
    name = os.environ.get("DVC_STAGE")
    if name and "LOCAL_RANK" not in os.environ:
        COSTS.mkdir(exist_ok=True)
        write_json(COSTS / f"{name}.json", {"started": started, "ended": time.time(), **_peaks()})


def _peaks() -> dict[str, Any]:
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    memory = 1024 * max(resource.getrusage(kind).ru_maxrss for kind in kinds)
    torch = sys.modules.get("torch")
    on_gpu = torch is not None and torch.cuda.is_initialized()
    return {
        "memory_bytes": memory,
        "gpu_bytes": torch.cuda.max_memory_allocated() if torch is not None and on_gpu else None,
    }
