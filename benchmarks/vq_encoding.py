"""VQ encoding with the published ImageNet f16 architecture beside a loop over taming's modules.

16,384 codes, 384x128 images, random weights that both share: the encoder's are as PyTorch draws
them, the codes have the scale of the latents. Checked: the same ids in float32. Also timed alone:
the nearest-code step.

    python benchmarks/vq_encoding.py
"""

import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from taming.modules.diffusionmodules.model import Encoder
from taming.modules.vqvae.quantize import VectorQuantizer

from ubg.data.images.image_pack import ImagePack
from ubg.vqgan.codes.encode import encode_rows
from ubg.vqgan.model.architecture import Architecture
from ubg.vqgan.model.quantise import nearest_codes
from ubg.vqgan.model.vqgan import VQGAN

HEIGHT, WIDTH, IMAGES, REPEATS = 384, 128, 4, 5
ARCHITECTURE = Architecture(
    codes=16_384,
    code_dim=256,
    latent_channels=256,
    channels=128,
    multipliers=(1, 1, 2, 2, 4),
    blocks=2,
    attention_resolutions=(16,),
)


@torch.inference_mode()
def main():
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        pack = write_pack(Path(folder))
        rows = np.arange(IMAGES)
        pixels = torch.from_numpy(pack.read(rows))
        both = torch.cat([pixels, pixels.flip(2)]).permute(0, 3, 1, 2) / 127.5 - 1
        both = both.contiguous()

        ours = VQGAN(ARCHITECTURE, decoder=False).eval().requires_grad_(False)
        scale = ours.latents(both[:1]).std()
        ours.quantize.embedding.weight.copy_(torch.randn(16_384, 256) * scale)
        encoder, quant_conv, quantizer = plain_modules(ours)
        ours.to(memory_format=torch.channels_last)  # as the encoding stage does

        def plain():
            return torch.stack(
                [
                    quantizer(quant_conv(encoder(view)))[2][2].view(IMAGES, -1)
                    for view in both.split(IMAGES)
                ],
                dim=1,
            ).numpy()

        def float32():
            return encode_rows(ours, pack, rows, "fp32")

        def bfloat16():
            return encode_rows(ours, pack, rows, "bf16")

        expected = plain()
        assert np.array_equal(float32(), expected), "other ids than taming's modules give"
        print(
            f"float32: all {expected.size:,} ids equal, {len(np.unique(expected)):,} codes in use"
        )
        changed = (bfloat16() != expected).mean()
        print(f"bf16: {changed:.2%} of the ids differ")
        report("encoding", {"taming": plain, "float32": float32, "bf16": bfloat16}, 2 * IMAGES)

        latents = quant_conv(encoder(both))
        flat = latents.permute(0, 2, 3, 1).reshape(-1, 256).contiguous()
        codebook = ours.quantize.embedding.weight

        def plain_nearest():
            return quantizer(latents)[2][2].flatten()

        def our_nearest():
            return nearest_codes(flat, codebook)

        assert torch.equal(plain_nearest(), our_nearest())
        report("nearest codes", {"taming": plain_nearest, "ours": our_nearest}, 2 * IMAGES)


def write_pack(folder):
    """Smooth noise, as an image pack."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (IMAGES, HEIGHT // 16, WIDTH // 16, 3), np.uint8)
    size, bicubic = (WIDTH, HEIGHT), Image.Resampling.BICUBIC
    pixels = np.stack([np.asarray(Image.fromarray(each).resize(size, bicubic)) for each in coarse])
    pixels.tofile(folder / "images.u8")
    np.save(folder / "image_ids.npy", np.arange(IMAGES))
    index = {"height": HEIGHT, "width": WIDTH, "fingerprint": "0" * 16}
    (folder / "index.json").write_text(json.dumps(index))
    return ImagePack(folder)


def plain_modules(ours):
    """Taming's encoder and quantizer and the 1x1 convolution between, with the weights of ours."""
    encoder = Encoder(
        ch=128,
        out_ch=3,
        ch_mult=(1, 1, 2, 2, 4),
        num_res_blocks=2,
        attn_resolutions=(16,),
        in_channels=3,
        resolution=256,
        z_channels=256,
        double_z=False,
    )
    encoder.load_state_dict(ours.encoder.state_dict())
    quant_conv = torch.nn.Conv2d(256, 256, 1)
    quant_conv.load_state_dict(ours.quant_conv.state_dict())
    quantizer = VectorQuantizer(16_384, 256, beta=0.25)
    quantizer.load_state_dict(ours.quantize.state_dict())
    return encoder.eval(), quant_conv, quantizer


def report(title, functions, images):
    """Times of rounds that alternate between the functions, so that they share any disturbance."""
    seconds = {name: [] for name in functions}
    for _ in range(REPEATS):
        for name, function in functions.items():
            started = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - started)
    plain = seconds["taming"]
    for name, times in seconds.items():
        print(
            f"{title}, {name}: {images / min(times):.2f} images/s, {min(times) * 1e3:.0f} to "
            f"{max(times) * 1e3:.0f} ms; speed relative to taming {min(plain) / min(times):.2f} "
            f"(of medians {statistics.median(plain) / statistics.median(times):.2f})"
        )


if __name__ == "__main__":
    main()
