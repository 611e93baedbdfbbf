"""Training of a VQGAN: an autoencoder first, then k-means codes, then both together."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from ubg.params import VqganFit, VqganPerceptual
from ubg.runtime.checkpoint import load_state, save_state
from ubg.runtime.progress import progress_bar
from ubg.training.schedule import Schedule
from ubg.vqgan.fit.adversary import Adversary
from ubg.vqgan.fit.losses import codebook_loss, pixel_loss, straight_through
from ubg.vqgan.model.kmeans import kmeans
from ubg.vqgan.model.vqgan import VQGAN, to_signed

KMEANS_IMAGES, KMEANS_ITERATIONS = 512, 20
ADAM_BETAS = (0.5, 0.9)

ReadImages = Callable[[NDArray[np.int64]], NDArray[np.uint8]]


def fit(
    model: VQGAN, read: ReadImages, count: int, params: VqganFit, seed: int, folder: Path
) -> None:
    """Train `model` in place.

    For `warmup_steps` latents go to the decoder unquantised: a codebook trained from the start
    collapses to a few codes. Then the codebook is set to the k-means centres of latents, and
    gradients pass the quantisation straight through. Codes that no latent chose for
    `revive_every` steps move to random latents of the batch.

    Every random draw is a function of `seed` and the step. An interrupted
    run, called again with the same arguments, resumes from the checkpoint in `folder`; on CPU its
    weights are bit-identical to those of an uninterrupted run.

    Args:
        model: with random weights, on the device to train on.
        read: training images by index in `range(count)`, as uint8 [B, H, W, 3].
        count: number of training images.
        params: steps and weights.
        seed: decides the discriminator's first weights, batches, mirroring, k-means, revived codes.
        folder: where the checkpoint `state.pt` goes.

    Raises:
        ValueError: too few images for the codebook, weights of the perceptual term that cannot be
            read, or a loss that is not finite.
    """
    torch.manual_seed(seed)
    device = next(model.parameters()).device
    perceptual = _perceptual(params.perceptual, device)
    adversary = None if params.discriminator is None else Adversary(params.discriminator)
    trained = nn.ModuleList([model] if adversary is None else [model, adversary]).to(device)
    optimiser = torch.optim.Adam(trained.parameters(), params.lr, betas=ADAM_BETAS, fused=True)
    state: dict[str, Any] = {"step": 0, "usage": torch.zeros(model.codes, dtype=torch.int64)}
    if (saved := load_state(folder / "state.pt")) is not None:
        trained.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        state = saved["progress"]
        tqdm.write(f"resuming from {folder / 'state.pt'}: step {state['step']}")

    schedule = Schedule(params.steps, params.lr_warmup_steps, warmup_factor=0.0, final_factor=0.0)
    bar = progress_bar("training vqgan", total=params.steps, initial=state["step"], unit="step")
    saved_at = time.monotonic()
    model.train()
    for step in range(state["step"], params.steps):
        torch.manual_seed(seed * 1_000_003 + step)
        rng = np.random.default_rng([seed, step])
        if step == params.warmup_steps:
            chosen = rng.choice(count, min(count, KMEANS_IMAGES), replace=False)
            _set_codebook(model, read, chosen, params)
        indices = rng.choice(count, params.batch_size, replace=count < params.batch_size)
        images = _to_device(read(indices), device)
        mirrored = torch.from_numpy(rng.random(len(indices)) < 0.5).to(device)
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)

        factor = schedule.factor(step)
        for group in optimiser.param_groups:
            group["lr"] = params.lr * factor
        with torch.autocast(device.type, torch.bfloat16, enabled=params.precision == "bf16"):
            latents = model.latents(images).float()
            entering, quantisation = latents, latents.new_zeros(())
            if step >= params.warmup_steps:
                ids = model.nearest(latents.detach())
                codes = model.lookup(ids)
                entering = straight_through(latents, codes)
                quantisation = codebook_loss(latents, codes, params.commitment)
                state["usage"] += torch.bincount(ids.flatten().cpu(), minlength=model.codes)
            reconstruction = model.reconstruct(entering).float()
        loss = pixel_loss(reconstruction, images)
        if perceptual is not None:
            loss = loss + perceptual(images, reconstruction)
        if adversary is not None and step >= adversary.start_step:
            loss = loss + adversary(reconstruction, images, loss, model.decoder.conv_out.weight)
        (loss + quantisation).backward()
        optimiser.step()
        optimiser.zero_grad()

        quantised_steps = step + 1 - params.warmup_steps
        if quantised_steps > 0 and quantised_steps % params.revive_every == 0:
            if step + 1 < params.steps:  # the decoder must still get to know a moved code
                _revive(model, latents.detach(), state["usage"])
            state["usage"].zero_()
        state["step"] = step + 1
        if (step + 1) % 10 == 0 or step + 1 == params.steps:
            if not torch.isfinite(loss):
                raise ValueError(f"vqgan: the loss is not finite at step {step + 1}; lower its lr")
            bar.set_postfix(loss=f"{loss.item():.4f}", refresh=False)
        if time.monotonic() - saved_at > params.checkpoint_seconds:
            save_state(folder / "state.pt", trained, optimiser, state)
            saved_at = time.monotonic()
        bar.update()
    bar.close()
    save_state(folder / "state.pt", trained, optimiser, state)


def _perceptual(
    params: VqganPerceptual | None, device: torch.device
) -> Callable[[Tensor, Tensor], Tensor] | None:
    """The weighted perceptual term, scalar, or None where it is off."""
    if params is None:
        return None
    from ubg.vqgan.fit.perceptual import Perceptual

    distance, weight = Perceptual(params.lpips).to(device), params.weight
    return lambda images, reconstruction: weight * distance(images, reconstruction).mean()


@torch.no_grad()
def _set_codebook(
    model: VQGAN, read: ReadImages, indices: NDArray[np.int64], params: VqganFit
) -> None:
    device = next(model.parameters()).device
    latents = []
    for start in range(0, len(indices), params.batch_size):
        images = _to_device(read(indices[start : start + params.batch_size]), device)
        latents.append(_flat(model.latents(images)))
    codebook = kmeans(torch.cat(latents), model.codes, KMEANS_ITERATIONS)
    model.quantize.embedding.weight.copy_(codebook)


@torch.no_grad()
def _revive(model: VQGAN, latents_BDhw: Tensor, usage_K: Tensor) -> None:
    """Move unused codes to random latents, which are drawn with replacement."""
    dead = (usage_K == 0).nonzero().flatten().to(latents_BDhw.device)
    latents_ND = _flat(latents_BDhw)
    chosen = torch.randint(len(latents_ND), (len(dead),)).to(latents_BDhw.device)
    model.quantize.embedding.weight[dead] = latents_ND[chosen]


def _flat(latents_BDhw: Tensor) -> Tensor:
    """Latents [B, D, h, w] as float32 [N, D]."""
    return latents_BDhw.permute(0, 2, 3, 1).reshape(-1, latents_BDhw.shape[1]).float()


def _to_device(images_BHWC: NDArray[np.uint8], device: torch.device) -> Tensor:
    return to_signed(torch.from_numpy(images_BHWC).to(device).permute(0, 3, 1, 2))
