"""Training steps with torch's tensors in pages of 2 MiB, as stages have them, and of 4 KiB.

The systems of the preset `tiny` at its batch size, random weights on noise; each way in a process
of its own, by turns. Checked: the same losses, bit by bit. Where the kernel grants no huge pages
(/sys/kernel/mm/transparent_hugepage/enabled says never), both are the same.

    python benchmarks/huge_pages.py [--rounds 5] [--steps 12]
"""

import argparse
import json
import os
import subprocess
import sys
import time

SYSTEMS = ("irra", "phase1", "phase4")
WARM_UP = 3


def measure(steps):
    """In the child: by system the least seconds of a step, and the losses of all."""
    import torch

    from ubg.params import load_params
    from ubg.plan.plan import training_set
    from ubg.plan.random_run import random_system
    from ubg.plan.step import TrainingStep

    params, found = load_params(), {}
    _, identities, _ = training_set(params)
    for name in SYSTEMS:
        system = random_system(name, params, identities)
        step = TrainingStep(system, torch.device("cpu"))
        batch = system.batch(params.preset.training.batch_size)
        seconds, losses = [], []
        for _ in range(WARM_UP + steps):
            started = time.perf_counter()
            step(batch)
            seconds.append(time.perf_counter() - started)
            with torch.no_grad():
                losses.append(float(step.objective(batch)))
        found[name] = [min(seconds[WARM_UP:]), losses]
    print(json.dumps(found))


def main(rounds, steps):
    ways = {"4 KiB": "0", "2 MiB": "1"}
    seconds = {(system, way): float("inf") for system in SYSTEMS for way in ways}
    for _ in range(rounds):
        losses = []
        for way, switch in ways.items():
            command = [sys.executable, __file__, "--steps", str(steps), "--child"]
            environment = os.environ | {"THP_MEM_ALLOC_ENABLE": switch}
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
            found = json.loads(done.stdout)
            losses.append({system: found[system][1] for system in SYSTEMS})
            for system in SYSTEMS:
                seconds[system, way] = min(seconds[system, way], found[system][0])
        assert losses[0] == losses[1]
    for system in SYSTEMS:
        small, huge = (seconds[system, way] for way in ways)
        print(
            f"{system}: {1e3 * small:.0f} ms a step in pages of 4 KiB, {1e3 * huge:.0f} ms in "
            f"those of 2 MiB: {small / huge:.2f} times; losses equal"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        measure(arguments.steps)
    else:
        main(arguments.rounds, arguments.steps)
