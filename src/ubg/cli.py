"""What every stage script shares: one line instead of a traceback when the input is at fault."""

import argparse
import sys
from collections.abc import Callable


def run_stage(description: str, stage: Callable[[], None]) -> None:
    """Answer `--help`, run `stage`, and turn its ValueError into `error: ...` and exit status 1."""
    argparse.ArgumentParser(description=description).parse_args()
    exit_cleanly(stage)


def exit_cleanly(stage: Callable[[], None]) -> None:
    """Run `stage`; a ValueError (bad input, said by whoever found it) ends the process with status 1."""
    try:
        stage()
    except ValueError as error:
        sys.exit(f"error: {error}")
