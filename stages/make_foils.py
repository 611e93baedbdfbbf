"""Make the foils: test cases whose wrong answer differs from the right one in a single fact."""

from ubg.runtime.cli import run_stage


def main() -> None:
    """Write `data/foils`: drawn twins, or where nothing is drawn, exchanged captions."""
    from ubg.foils.cases import FOILS
    from ubg.params import load_params

    data = load_params().data
    if data.synthpedes is not None:
        from ubg.foils.making.drawn import make_drawn_foils
        from ubg.runtime.cpus import usable_cpus

        counts = make_drawn_foils(data.foils, data.synthpedes, FOILS, usable_cpus())
    else:
        from ubg.data.prepared import PREPARED, load_prepared
        from ubg.foils.making.exchanged import make_exchanged_foils

        counts = make_exchanged_foils(data.foils, load_prepared(PREPARED), FOILS)
    print(f"{FOILS}: " + ", ".join(f"{kind} {count:,}" for kind, count in counts.items()))


if __name__ == "__main__":
    run_stage("Make pictures and captions that differ in one fact, into data/foils.", main)
