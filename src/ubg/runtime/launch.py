"""Trains in several processes, and ends all of them when one fails.

The processes are those of `accelerate launch`: torchrun's agent starts them, watches them, and
stops all as soon as one has failed. The agent is the stage itself.
"""

import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from ubg.runtime.cpus import usable_cpus
from ubg.runtime.system_errors import told_in_one_line

LOST_CONTACT = os.EX_TEMPFAIL  # status of a process that ends because another one did
RERUN = "run the same command again to go on from the last checkpoint"


def is_launched() -> bool:
    """Whether this process is one of several that were started together."""
    return "LOCAL_RANK" in os.environ


def run_in_processes(processes: int) -> None:
    """Run this script, with the arguments it was called with, in several processes.

    Each has a GPU of its own; without any GPU all of them share the CPU.

    Raises:
        ValueError: there are fewer GPUs than processes, or a process has refused its input.
        SystemExit: a process has failed or was killed; by then all of them have ended. The one-line
            message begins with a line break, since it may follow an unfinished progress bar.
    """
    import torch
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    gpus = torch.cuda.device_count()
    if 0 < gpus < processes:
        raise ValueError(
            f"params.yaml: launcher.processes: {processes} is more than the {gpus} GPU(s) here; "
            "make it smaller"
        )
    threads = os.environ.get("OMP_NUM_THREADS", max(1, usable_cpus() // processes))
    options = {
        "num_processes": processes,
        "num_machines": 1,
        "main_process_port": 0,  # any free one
        "num_cpu_threads_per_process": threads,
        "mixed_precision": "no",  # the training loop decides
        "dynamo_backend": "no",
    }
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    # Without a GPU too, multi_gpu stands for torchrun's agent: `--cpu` expects MPI to start them.
    arguments = launch_command_parser().parse_args(["--multi_gpu", *words, *sys.argv])
    logging.disable(logging.ERROR)  # what the agent would log is told in one line
    try:
        launch_command(arguments)
    except ChildFailedError as error:
        rank, failure = min(
            error.failures.items(), key=lambda item: item[1].exitcode == LOST_CONTACT
        )
        if isinstance(failure.message, dict):
            raise ValueError(failure.message["message"].removeprefix("ValueError: ")) from None
        how = f"status {failure.exitcode}"
        if failure.exitcode < 0:
            how = f"signal {failure.signal_name()}"
        sys.exit(
            f"\nerror: process {rank} of {processes} ended with {how}, the others were stopped; "
            + RERUN
        )
    except SignalException as stopped:
        name = signal.Signals(stopped.sigval).name
        print(f"\nerror: stopped by {name}; {RERUN}", file=sys.stderr)
        sys.exit(128 + stopped.sigval)


@contextmanager
def one_of_several() -> Iterator[None]:
    """Wrap the work of a process that `run_in_processes` started; does nothing in others.

    A ValueError, or the line for an error of the system, is passed to the agent, which shows it
    once. The process exits when another process fails or when the agent has ended.
    """
    if "TORCHELASTIC_ERROR_FILE" not in os.environ:
        yield
        return
    from torch.distributed import DistError
    from torch.distributed.elastic.multiprocessing.errors import get_error_handler

    # DDP warns of the gradients of 1x1 convolutions; strides along sides of 1 have no effect.
    warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    try:
        yield
    except ValueError as error:
        get_error_handler().record_exception(error)
        sys.exit(1)
    except Exception as error:
        if isinstance(error, DistError) or "gloo" in str(error):
            sys.exit(LOST_CONTACT)
        line = told_in_one_line(error)
        if line is None:
            raise
        get_error_handler().record_exception(ValueError(line))
        sys.exit(1)


def _end_with(agent: int) -> None:
    """End this process when its agent is gone: a killed agent cannot stop its processes."""
    while os.getppid() == agent:
        time.sleep(0.5)
    os._exit(LOST_CONTACT)
