"""From the name of a system to its model."""

from ubg.models.contract import RetrievalModel, TowerConfigs
from ubg.params import Scale
from ubg.systems import SYSTEMS


def build_model(
    system: str,
    params: Scale,
    vocab_size: int,
    configs: TowerConfigs | None = None,
    identities: int | None = None,
    guessed: int | None = None,
) -> RetrievalModel:
    """The model of `system`; see the `build` of its file.

    `identities` is how many the training split has; without it irra only encodes. `guessed` is how
    many tokens its MLM tells apart; without it the whole vocabulary.

    Raises:
        ValueError: there is no such system.
    """
    # Imported one by one, so that a stage depends on the files of its own system alone.
    if system == "irra":
        from ubg.models import irra

        return irra.build(params, vocab_size, identities, configs, guessed)
    if system == "phase1":
        from ubg.models import phase1

        return phase1.build(params, vocab_size, configs)
    if system == "phase2":
        from ubg.models import phase2

        return phase2.build(params, vocab_size, configs)
    if system in ("phase3", "phase4"):  # what phase 4 adds is for training alone
        from ubg.models import phase3

        return phase3.build(params, vocab_size, configs)
    raise ValueError(f"system {system!r} is unknown; allowed: {', '.join(SYSTEMS)}")
