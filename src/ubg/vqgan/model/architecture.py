"""The sizes that define a VQGAN, checked before anything is allocated."""

from typing import Annotated

from pydantic import Field, model_validator

from ubg.params import Section

Width = Annotated[int, Field(ge=1, le=4096)]


class Architecture(Section):
    """What `config.json` of a VQGAN folder holds.

    Attributes:
        codes: size of the codebook (`n_embed`); ids fit uint16.
        code_dim: length of a code (`embed_dim`).
        latent_channels: what the encoder ends with and the decoder begins with (`z_channels`).
        channels: width before its multipliers (`ch`), a multiple of 32 for the group norms.
        multipliers: of the width, one a level (`ch_mult`); each level but the last halves the grid.
        blocks: residual blocks a level (`num_res_blocks`).
        attention_resolutions: nominal resolutions with attention (`attn_resolutions`).
        resolution: nominal side of the image (`resolution`), which names the levels' resolutions.
        patch: side of the pixel squares folded into channels before the first convolution; 1 in
            published checkpoints.
    """

    codes: Annotated[int, Field(ge=2, le=65536)]
    code_dim: Width
    latent_channels: Width
    channels: Annotated[int, Field(ge=32, le=1024, multiple_of=32)]
    multipliers: Annotated[tuple[Annotated[int, Field(ge=1, le=16)], ...], Field(max_length=8)]
    blocks: Annotated[int, Field(ge=1, le=16)]
    attention_resolutions: tuple[Width, ...] = ()
    resolution: Annotated[int, Field(ge=1, le=4096)] = 256
    patch: Annotated[int, Field(ge=1, le=16)] = 1

    @model_validator(mode="after")
    def _has_levels(self) -> "Architecture":
        if not self.multipliers:
            raise ValueError("multipliers must name at least one level")
        return self

    @property
    def factor(self) -> int:
        """Side in pixels of the square that one code stands for."""
        return self.patch * 2 ** (len(self.multipliers) - 1)
