"""The adversarial term: a PatchGAN discriminator that learns beside the VQGAN."""

from taming.modules.discriminator.model import NLayerDiscriminator, weights_init
from torch import Tensor, nn

from ubg.params import VqganDiscriminator
from ubg.vqgan.fit.losses import adaptive_weight, hinge_discriminator_loss


class Adversary(nn.Module):
    """Discriminator and both sides' losses (Esser et al. 2021, equations 5 and 7).

    Attributes:
        start_step: the first step with the term; earlier reconstructions are too easy to detect.
    """

    def __init__(self, params: VqganDiscriminator) -> None:
        super().__init__()
        self.start_step = params.start_step
        self.weight = params.weight
        self.discriminator = NLayerDiscriminator(ndf=params.channels, n_layers=params.layers)
        self.discriminator.apply(weights_init)

    def forward(
        self, reconstruction: Tensor, images: Tensor, reconstruction_loss: Tensor, last: Tensor
    ) -> Tensor:
        """The VQGAN's adversarial term plus the discriminator's own loss, scalar.

        Each is a function of its own weights alone, so one backward pass serves both.

        Args:
            reconstruction: float [B, 3, H, W].
            images: the originals, in the same shape.
            reconstruction_loss: what the adversarial term is balanced against.
            last: weights of the decoder's last layer.
        """
        self.discriminator.requires_grad_(False)
        generator_loss = -self.discriminator(reconstruction).mean()
        self.discriminator.requires_grad_(True)
        weight = self.weight * adaptive_weight(reconstruction_loss, generator_loss, last)
        real, fake = self.discriminator(images), self.discriminator(reconstruction.detach())
        return weight * generator_loss + hinge_discriminator_loss(real, fake)
