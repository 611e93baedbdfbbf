"""What the report is made from: everything that several of its parts read, read once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ubg.comparison.ablation import AblationRow, ablation_rows
from ubg.comparison.system_metrics import SystemMetrics, queries_files, read_metrics
from ubg.data.images.image_pack import IMAGES, ImagePack
from ubg.data.prepared import NO_IMAGE, PREPARED, load_prepared
from ubg.evaluation.queries import QueryResults, read_queries
from ubg.foils.measuring.results import FoilResults, read_results
from ubg.params import Params

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Sources:
    """Results of the systems, and the data that they are about.

    Attributes:
        params: of the run.
        metrics: by system, in the order of the ladder.
        queries: by row of the ladder, all over the same captions.
        rows: the ladder.
        foils: by system.
        table: the annotations whose image is in the pack.
        pack: of the images.
    """

    params: Params
    metrics: Mapping[str, SystemMetrics]
    queries: Mapping[str, QueryResults]
    rows: Sequence[AblationRow]
    foils: Mapping[str, FoilResults]
    table: "pd.DataFrame"
    pack: ImagePack

    @property
    def test(self) -> "pd.DataFrame":
        """The rows of the test split."""
        return self.table[self.table["split"] == "test"]

    def picture(self, image_id: int) -> NDArray[np.uint8] | None:
        """The pixels of an image, [H, W, 3]; None for a caption without one."""
        if image_id == NO_IMAGE:
            return None
        (pixels,) = self.pack.read(self.pack.row_of(np.array([image_id])))
        return pixels


def read_sources(systems: Sequence[str], params: Params) -> Sources:
    """Read what the stages before left.

    Raises:
        ValueError: a file is missing or holds something else; one line.
    """
    metrics = read_metrics("metrics", systems)
    queries = {row: read_queries(file) for row, file in queries_files(metrics).items()}
    pack = ImagePack(IMAGES)
    return Sources(
        params=params,
        metrics=metrics,
        queries=queries,
        rows=ablation_rows(metrics, queries),
        foils={name: read_results(Path(f"plots/{name}/evaluation/foils.csv")) for name in metrics},
        table=pack.rows_present(load_prepared(PREPARED)),
        pack=pack,
    )
