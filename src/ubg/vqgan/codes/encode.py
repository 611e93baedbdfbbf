"""Encoding of the image pack into VQ ids: shared by several processes, resumed after a kill."""

import math
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from numpy.typing import NDArray

from ubg.data.images.image_pack import ImagePack
from ubg.params import VqTokens
from ubg.runtime.checkpoint import checkpoint_folder
from ubg.runtime.files import fingerprint, require_space
from ubg.runtime.pipeline import rooms_digest
from ubg.runtime.progress import progress_bar
from ubg.runtime.system_errors import writing
from ubg.vqgan.codes.store import Origin, write_vq_tokens
from ubg.vqgan.model.vqgan import VQGAN, exact_convolutions, to_signed

ROOMS = ("src/ubg/vqgan/model", "src/ubg/vqgan/codes")  # that decide an id
SAMPLE = 64  # images whose ids are compared with those of float32


def encode_pack(
    vqgan: VQGAN, vqgan_fingerprint: str, pack: ImagePack, params: VqTokens, output: Path
) -> None:
    """Write the ids of every image of `pack` and of its mirror image; see `ubg.vqgan.codes.store`.

    Started through Accelerate, each process takes every n-th batch and the main process writes
    `output`. If it is killed at any moment and called again, by any number of processes, it
    resumes. A batch always holds the same images, so that `output` has the same bytes as that of
    one uninterrupted process.

    Raises:
        ValueError: the images' sides are no multiples of what one code stands for.
    """
    rows, columns = vqgan.grid(pack.height, pack.width)
    state = PartialState(cpu=not torch.accelerator.is_available())
    vqgan = vqgan.to(state.device).to(memory_format=torch.channels_last)
    require_space(output, len(pack) * 2 * rows * columns * 2)
    origin_of_ids = fingerprint(
        vqgan_fingerprint,
        pack.fingerprint,
        params.model_dump(),
        rooms_digest(ROOMS),
        torch.__version__,
        state.device.type,
    )
    with checkpoint_folder("vq_tokens", origin_of_ids) as folder:
        progress = Progress(folder / "ids.i32", len(pack), rows * columns, params.batch_size)

        mine = range(state.process_index, progress.batches, state.num_processes)
        todo = progress.unfinished().intersection(mine)
        if state.is_main_process:
            print(f"{len(pack):,} images and mirror images on {state.device}, progress in {folder}")
        of_processes = f"process {state.process_index + 1} of {state.num_processes}"
        with progress_bar(
            f"encoding to codes, {of_processes}",
            total=sum(len(progress.rows(batch)) for batch in mine),
            initial=sum(len(progress.rows(batch)) for batch in mine if batch not in todo),
            unit="image",
            position=state.process_index,
        ) as bar:
            for batch in sorted(todo):
                ids = encode_rows(vqgan, pack, progress.rows(batch), params.precision)
                progress.store(batch, ids)
                bar.update(len(ids))
        state.wait_for_everyone()
        if not state.is_main_process:
            return

        ids_N2L = progress.ids()
        changed = 0.0
        if params.precision != "fp32":
            sample = np.unique(np.linspace(0, len(pack) - 1, SAMPLE, dtype=np.int64))
            changed = float((encode_rows(vqgan, pack, sample, "fp32") != ids_N2L[sample]).mean())
            print(f"{params.precision} changes {changed:.2%} of the ids of {len(sample)} images")
        origin = Origin(
            codes=vqgan.codes,
            rows=rows,
            columns=columns,
            height=pack.height,
            width=pack.width,
            vqgan=vqgan_fingerprint,
            image_pack=pack.fingerprint,
            precision=params.precision,
            changed_share=changed,
        )
        write_vq_tokens(output, ids_N2L, pack.image_ids, origin)
        used = len(np.unique(ids_N2L))
        print(f"{output}: grid {rows}x{columns}, {used:,} of {vqgan.codes:,} codes in use")


@torch.inference_mode()
def encode_rows(
    vqgan: VQGAN, pack: ImagePack, rows: NDArray[np.int64], precision: str
) -> NDArray[np.int32]:
    """Ids, int32 [B, 2, L], of images of the pack and of their mirror images."""
    device = next(vqgan.parameters()).device
    pixels_BHW3 = torch.from_numpy(pack.read(rows)).to(device)
    ids = []
    with exact_convolutions(), torch.autocast(device.type, torch.bfloat16, precision == "bf16"):
        for view_BHW3 in (pixels_BHW3, pixels_BHW3.flip(2)):
            # A permuted [B, H, W, 3] is in channels_last order already.
            ids.append(vqgan.encode(to_signed(view_BHW3).permute(0, 3, 1, 2)).flatten(1))
    return torch.stack(ids, dim=1).to("cpu", torch.int32).numpy()


class Progress:
    """The ids encoded so far, in a file that survives a kill and that processes may share.

    Ids are stored plus one, as int32 [N, 2, L]: a zero is an id not yet written, and an image is
    done when it has no zeros. This needs no second file and no order of writes.
    """

    def __init__(self, path: Path, images: int, codes_per_image: int, batch_size: int) -> None:
        self.images = images
        self.batch_size = batch_size
        self.batches = math.ceil(images / batch_size)
        self._path = path
        self._shape = (images, 2, codes_per_image)
        with writing(path), path.open("ab") as file:
            file.truncate(math.prod(self._shape) * 4)  # a file of this size stays as it is

    def rows(self, batch: int) -> NDArray[np.int64]:
        """Rows of the pack that are encoded together, whoever does it."""
        start = batch * self.batch_size
        return np.arange(start, min(start + self.batch_size, self.images))

    def store(self, batch: int, ids_B2L: NDArray[np.int32]) -> None:
        """Keep the ids of `batch`."""
        with writing(self._path), self._path.open("r+b") as file:
            file.seek(batch * self.batch_size * math.prod(self._shape[1:]) * 4)
            file.write((ids_B2L + 1).tobytes())

    def unfinished(self) -> set[int]:
        """The batches of which an id is not there."""
        images = np.flatnonzero(~self._kept().all(axis=(1, 2)))
        return set((images // self.batch_size).tolist())

    def ids(self) -> NDArray[np.int32]:
        """All ids, [N, 2, L], once every batch is done."""
        kept = self._kept()
        assert kept.all(), "a batch was left out"
        kept -= 1
        return kept

    def _kept(self) -> NDArray[np.int32]:
        return np.fromfile(self._path, np.int32).reshape(self._shape)
