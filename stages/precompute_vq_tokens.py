"""Encode every packed image.

On several GPUs: `PYTHONPATH=src accelerate launch stages/precompute_vq_tokens.py`.
"""

from ubg.runtime.cli import run_stage


def main() -> None:
    """Write `data/vq_tokens.h5`."""
    from ubg.params import load_params

    params = load_params().preset.vq_tokens  # before the slow imports: a wrong value shows at once

    from ubg.data.images.image_pack import IMAGES, ImagePack
    from ubg.vqgan.codes.encode import encode_pack
    from ubg.vqgan.codes.store import VQ_TOKENS
    from ubg.vqgan.model.folder import VQGAN_FOLDER, load_vqgan, vqgan_fingerprint

    encode_pack(
        load_vqgan(VQGAN_FOLDER, decoder=False),
        vqgan_fingerprint(VQGAN_FOLDER),
        ImagePack(IMAGES),
        params,
        VQ_TOKENS,
    )


if __name__ == "__main__":
    run_stage(
        "Encode every packed image and its mirror image with the VQGAN, into data/vq_tokens.h5.",
        main,
    )
