"""Read the annotations of the data set in use into one table and a report."""

from ubg.runtime.cli import run_stage


def main() -> None:
    """Write `data/prepared`."""
    from ubg.data.prepared import PREPARED
    from ubg.dataset_report.prepare import prepare
    from ubg.params import load_params

    prepare(load_params(), PREPARED)


if __name__ == "__main__":
    run_stage("Read the annotations into data/prepared: one table and a report.", main)
