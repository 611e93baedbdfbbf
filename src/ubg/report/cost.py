"""What the models cost: parameters, and bytes of an index."""

import math
from pathlib import Path
from typing import Any

from ubg.report.section import Section
from ubg.report.sources import Sources


def cost_section(sources: Sources) -> Section:
    """By system.

    Raises:
        ValueError: the weights of one cannot be read.
    """
    embedding = sources.params.preset.embedding_dim
    data = {
        "embedding_dim": embedding,
        "bytes_per_image": 4 * embedding,
        "systems": [
            {"system": name, **weights(Path("models") / name / "model.safetensors")}
            for name in sources.metrics
        ],
    }
    return Section("cost", "Cost", data)


def weights(path: Path) -> dict[str, Any]:
    """How many numbers a file of weights holds, and its bytes; the numbers are not read.

    Raises:
        ValueError: the file is missing or is no safetensors.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            sizes = [math.prod(file.get_slice(name).get_shape()) for name in file.keys()]  # noqa: SIM118
        return {"numbers": sum(sizes), "bytes": path.stat().st_size}
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path}: cannot be read ({error}); train this system again") from None
