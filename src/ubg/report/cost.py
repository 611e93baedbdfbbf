"""What it cost: time and memory of the stages, parameters of the models, bytes of an index."""

import math
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field

from ubg.report.section import Section
from ubg.report.sources import Sources
from ubg.runtime.costs import COSTS
from ubg.runtime.opening import Kind, check_file, read_bytes
from ubg.runtime.pipeline import read_stages

OWN = "report"  # the stage that makes this page: it has not ended yet
SLACK = 2.0  # seconds between the clocks of a process and of a file system
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Cost(BaseModel):
    """A file of `COSTS`."""

    started: Amount
    ended: Amount
    memory_bytes: Amount
    gpu_bytes: Amount | None


def cost_section(sources: Sources) -> Section:
    """By stage and by system.

    Raises:
        ValueError: the weights of one cannot be read.
    """
    embedding = sources.params.preset.embedding_dim
    data = {
        "stages": stage_costs(),
        "embedding_dim": embedding,
        "bytes_per_image": 4 * embedding,
        "systems": [
            {"system": name, **weights(Path("models") / name / "model.safetensors")}
            for name in sources.metrics
        ],
    }
    return Section("cost", "Cost", data)


def stage_costs() -> list[dict[str, Any]]:
    """Time and memory of the stages whose outputs are still those of the run that was measured.

    An output that came from the cache since has other times, and its stage is left out: it may have
    run elsewhere, or with other params.
    """
    files = [path for path in sorted(COSTS.glob("*.json")) if path.stem != OWN]
    stages = read_stages() if files else {}
    found = []
    for path in files:
        try:
            cost = Cost.model_validate_json(read_bytes(path, Kind.CONFIG))
        except (OSError, ValueError):
            continue
        if path.stem in stages and _written_by(cost, stages[path.stem].outs):
            found.append((cost, path.stem))
    return [
        {
            "stage": stage,
            "seconds": round(cost.ended - cost.started, 1),
            "memory_bytes": int(cost.memory_bytes),
            "gpu_bytes": cost.gpu_bytes and int(cost.gpu_bytes),
        }
        for cost, stage in sorted(found, key=lambda one: one[0].started)
    ]


def weights(path: Path) -> dict[str, Any]:
    """How many numbers a file of weights holds, and its bytes; the numbers are not read.

    Raises:
        ValueError: the file is missing or is no safetensors.
    """
    from safetensors import SafetensorError, safe_open

    try:
        size = check_file(path, Kind.WEIGHTS)
        with safe_open(path, "np") as file:
            sizes = [math.prod(file.get_slice(name).get_shape()) for name in file.keys()]  # noqa: SIM118
        return {"numbers": sum(sizes), "bytes": size}
    except (OSError, ValueError, SafetensorError) as error:
        raise ValueError(f"{path}: cannot be read ({error}); train this system again") from None


def _written_by(cost: Cost, outs: tuple[str, ...]) -> bool:
    paths = [path for out in map(Path, outs) for path in (out, *out.rglob("*"))]
    times = [path.stat().st_mtime for path in paths if path.is_file()]
    return bool(times) and all(cost.started - SLACK <= time <= cost.ended + SLACK for time in times)
