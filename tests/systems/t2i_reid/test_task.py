"""What training takes with composed queries and without."""

from dataclasses import replace

import pytest
import torch
from tiny_t2i_reid import EVERY_LOSS, t2i_reid_scale

from ubg.params import load_params
from ubg.plan.random_run import random_system
from ubg.systems.t2i_reid.task import t2i_reid_task


def system_of(composed):
    scale = t2i_reid_scale(EVERY_LOSS | {"composed": composed})
    params = load_params().model_copy(update={"preset": scale})
    return random_system("t2i_reid", params, identities=5)


def test_composed_queries_add_their_pictures_to_a_batch_and_a_part_to_what_is_saved():
    on, off = system_of(0.5), system_of(None)
    assert on.task.loss_weights(0.0) == off.task.loss_weights(0.0) | {"composed_loss": 0.5}
    batch, plain = on.batch(4), off.batch(4)
    assert batch.keys() - plain.keys() == {"other_images", "other_there"}
    assert batch["other_images"].shape == batch["images"].shape
    assert all(torch.equal(batch[name], value) for name, value in plain.items())
    assert on.task.model.saved_parts().keys() == {"model", "gate"}
    assert off.task.model.saved_parts().keys() == {"model"}
    for name, value in off.task.model.state_dict().items():
        assert torch.equal(on.task.model.state_dict()[name], value), name


def test_persons_in_one_outfit_are_refused_only_where_two_are_needed():
    for composed in (0.5, None):
        run = system_of(composed).run
        readers = dict(run.stand_ins)
        del readers["require_several_outfits"]
        run = replace(run, stand_ins=readers)
        if composed is None:
            t2i_reid_task(run)
        else:
            with pytest.raises(ValueError, match="no training person has two outfits"):
                t2i_reid_task(run)
