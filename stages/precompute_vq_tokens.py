"""Encode every packed image.

On several GPUs: `PYTHONPATH=src accelerate launch stages/precompute_vq_tokens.py`.
"""

from ubg.runtime.cli import run_stage


def main() -> None:
    """Write `data/vq_tokens.h5`."""
    from ubg.params import load_params

    params = load_params().preset.vq_tokens  # before the slow imports: a wrong value shows at once

    from pathlib import Path

    from ubg.data.images.image_pack import ImagePack
    from ubg.vqgan.codes.encode import encode_pack
    from ubg.vqgan.model.folder import load_vqgan, vqgan_fingerprint

    folder = Path("models/vqgan")
    encode_pack(
        load_vqgan(folder, decoder=False),
        vqgan_fingerprint(folder),
        ImagePack("data/images"),
        params,
        Path("data/vq_tokens.h5"),
    )


if __name__ == "__main__":
    run_stage(
        "Encode every packed image and its mirror image with the VQGAN, into data/vq_tokens.h5.",
        main,
    )
