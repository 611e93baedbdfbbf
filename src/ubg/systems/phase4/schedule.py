"""How much the branch weighs in the objective."""


def gen_loss_weight(gen_weight: float, warmup_epochs: float, epochs: float) -> float:
    """The weight of the branch after so many epochs: it rises linearly while it warms up."""
    return gen_weight * (min(1.0, epochs / warmup_epochs) if warmup_epochs > 0 else 1.0)
