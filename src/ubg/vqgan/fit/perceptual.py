"""The perceptual term LPIPS (Zhang et al. 2018, https://arxiv.org/abs/1801.03924), by taming."""

import warnings
from pathlib import Path

import torch
from taming.modules.losses.lpips import LPIPS, NetLinLayer, ScalingLayer, vgg16
from torch import nn

from ubg.vqgan.model.folder import mismatch
from ubg.vqgan.model.taming import OBJECTIVE, read_tensors

CHANNELS = (64, 128, 256, 512, 512)  # of VGG-16's five stages
PREFIX = f"{OBJECTIVE}perceptual_loss."


class Perceptual(LPIPS):
    """Distance of images in [-1, 1] in the features of VGG-16, float [B, 1, 1, 1].

    Taming's own class fetches its weights from the network when it is made; these come by path.
    """

    def __init__(self, path: str | Path) -> None:
        """The term with the weights in `path`.

        Args:
            path: a state dict of taming's LPIPS (`net.slice1.0.weight` ... `lin4.model.1.weight`),
                or a published VQGAN checkpoint, which holds it as `loss.perceptual_loss.*`.

        Raises:
            ValueError: the file cannot be read or does not hold these weights; one is named.
        """
        nn.Module.__init__(self)
        self.chns = CHANNELS
        self.scaling_layer = ScalingLayer()
        with torch.device("meta"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torchvision's about the spelling of an argument
            self.net = vgg16(pretrained=False)
            for stage, channels in enumerate(CHANNELS):
                setattr(self, f"lin{stage}", NetLinLayer(channels, use_dropout=True))
        tensors = read_tensors(Path(path))
        if any(name.startswith(PREFIX) for name in tensors):
            tensors = {name: tensors[name] for name in tensors if name.startswith(PREFIX)}
        if "lin0.model.1.weight" in tensors and not any(n.startswith("net.") for n in tensors):
            raise ValueError(
                f"{path}: holds the linear layers of LPIPS without VGG-16 (net.*), whose features "
                "they weigh; give a published VQGAN checkpoint, which has both, or taming's whole "
                "state dict"
            )
        weights = self.scaling_layer.state_dict(prefix="scaling_layer.")
        weights |= {name.removeprefix(PREFIX): value.float() for name, value in tensors.items()}
        problem = mismatch(self, weights)
        if problem is not None:
            raise ValueError(f"{path}: holds no LPIPS with VGG-16: {problem}")
        self.load_state_dict(weights, assign=True)
        self.eval().requires_grad_(False)
