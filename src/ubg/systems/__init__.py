"""The systems: a folder each, which declares in its `system.py` what shared code may ask of it."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ubg.systems.contract import System


def system_named(name: str) -> "System":
    """The system of that name. It imports that system's code alone.

    Raises:
        ValueError: there is none of that name.
    """
    match name:
        case "clip_mer":
            from ubg.systems.clip_mer.system import SYSTEM
        case "irra":
            from ubg.systems.irra.system import SYSTEM
        case "phase1":
            from ubg.systems.phase1.system import SYSTEM
        case "phase2":
            from ubg.systems.phase2.system import SYSTEM
        case "phase3":
            from ubg.systems.phase3.system import SYSTEM
        case "phase4":
            from ubg.systems.phase4.system import SYSTEM
        case "t2i_reid":
            from ubg.systems.t2i_reid.system import SYSTEM
        case _:
            raise ValueError(f"system {name!r} is unknown; allowed: {', '.join(system_names())}")
    return SYSTEM


def system_names() -> list[str]:
    """The folders here that declare a system, in alphabetical order."""
    return sorted(path.parent.name for path in Path(__file__).parent.glob("*/system.py"))
