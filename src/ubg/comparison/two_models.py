"""The control of a second model: two of one system rank together, by their cosines added.

Where a step makes a system dearer, two models of the step before are what the same effort buys.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch

from ubg.comparison.experiments import fetch_model
from ubg.comparison.ladder import two_models
from ubg.comparison.study import Group
from ubg.data.images.image_pack import IMAGES, ImagePack
from ubg.data.prepared import PREPARED, load_prepared
from ubg.evaluation.measure import best_device
from ubg.evaluation.queries import QueryResults
from ubg.params import Params
from ubg.retrieval.encode import Features, Split, encode_split, make_split
from ubg.retrieval.ranking import relevant_ranks
from ubg.runtime.files import file_fingerprint
from ubg.systems.contract import Trained
from ubg.trained import load_trained


def with_two_models(groups: list[Group], system: str, params: Params) -> list[Group]:
    """Each run with a row more: its model with that of the next seed, the last with the first.

    The models come from the experiments, the test split from the workspace.

    Args:
        groups: of at least two seeds each.
        system: whose models they are.
        params: of the workspace.

    Raises:
        ValueError: a group of one seed, a model or data that are missing.
    """
    pack = ImagePack(IMAGES)
    table = pack.rows_present(load_prepared(PREPARED))
    batch_size = params.preset.evaluation.batch_size
    known: dict[str, tuple[Split, Features]] = {}  # params that do not reach a system share models
    more = []
    for group in groups:
        if len(group.runs) == 1:
            raise ValueError(f"{group.label}: two models of {system} need runs of two seeds")
        encoded = []
        for run in group.runs.values():
            with TemporaryDirectory() as copy:
                folder = fetch_model(run.name, system, Path(copy))
                weights = file_fingerprint(folder / "model.safetensors")
                if weights not in known:
                    known[weights] = _encode_test(load_trained(folder), table, pack, batch_size)
            encoded.append(known[weights])
        runs = {}
        seconds = [*encoded[1:], encoded[0]]
        for (seed, run), (split, first), (_, second) in zip(
            group.runs.items(), encoded, seconds, strict=True
        ):
            results = add_cosines(split, [first, second])
            runs[seed] = replace(run, queries=run.queries | {two_models(system): results})
        more.append(replace(group, runs=runs))
    return more


def add_cosines(split: Split, features: Sequence[Features]) -> QueryResults:
    """Rank the images of a split for each caption by the sum of the cosines of some models.

    It is the dot product of their unit vectors, put one behind the other; the ranking scales all of
    these alike.
    """
    ranking = relevant_ranks(
        torch.cat([of_model.text_QD for of_model in features], dim=1),
        torch.cat([of_model.image_GD for of_model in features], dim=1),
        split.text_pids,
        split.image_pids,
    )
    return QueryResults(
        split.table[["caption_id", "image_id", "pid"]].to_numpy(np.int64),
        ranking.first_rank,
        ranking.average_precision,
        ranking.inverse_negative_penalty,
    )


def _encode_test(
    trained: Trained, table: pd.DataFrame, pack: ImagePack, batch_size: int
) -> tuple[Split, Features]:
    model = trained.model.to(best_device())
    split = make_split(
        table, "test", trained.tokenizer, trained.network.max_tokens, model.caption_fields
    )
    return split, encode_split(model, split, pack, batch_size)
