"""Training losses: pure functions, one in a file."""

from ubg.losses.cmpm import cmpm_loss
from ubg.losses.generation import generation_loss
from ubg.losses.id import id_loss
from ubg.losses.itc import itc_loss
from ubg.losses.mlm import mlm_loss
from ubg.losses.sdm import sdm_loss

__all__ = ["cmpm_loss", "generation_loss", "id_loss", "itc_loss", "mlm_loss", "sdm_loss"]
