"""Two processes with half of a batch each learn as one process with all of it."""

import os
import socket
from dataclasses import asdict
from pathlib import Path

import pytest
import sections
import torch
from tiny_clip_mer import build_clip_mer, clip_mer_batch, clip_mer_scale, give_updates
from tiny_held_out import MemoryPack, WordTokenizer, held_out_table, hold_out
from tiny_irra import build_irra, irra_batch, irra_scale
from tiny_models import (
    VOCABULARY,
    build_model,
    build_phase4,
    build_text,
    full_batch,
    text_batch,
    text_generation,
    tiny_generation,
    tiny_scale,
)
from tiny_t2i_reid import build_t2i_reid, t2i_reid_batch, t2i_reid_scale
from torch import distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ubg.params import T2iReidLosses
from ubg.retrieval.encode import encode_split, make_split
from ubg.runtime.distributed import (
    from_main,
    gather_batches,
    gather_features,
    gather_labels,
    is_main,
    mean_of_means,
    mean_over_processes,
    own_rows,
    process_group,
    rank,
    world_size,
)
from ubg.systems.irra.word_masking import IGNORED
from ubg.systems.phase4.joint.held_out import score
from ubg.systems.phase4.scores import own_captions
from ubg.towers.batch_norm import FeatureNorm
from ubg.training.loop import Hooks, Recipe, train
from ubg.training.task import loss_weights

OPTIMISER = sections.optimiser(
    name="adamw",
    lr=0.01,
    new_module_lr_factor=1,
    bias_lr_factor=2,
    weight_decay=0.01,
    clip_norm=0.1,
    warmup_epochs=1,
    warmup_factor=0.1,
)

GENERATION = {
    "phase4 parallel": tiny_generation(mask_ratio=[0.1, 1.0], mask_schedule="uniform"),
    "phase4 autoregressive": tiny_generation(decoder="autoregressive", text_dropout=0.5),
}
TEXT = {
    "phase4 text": text_generation(),
    "phase4 linear": text_generation(decoder="linear", contrast=None),
}
IRRA = {
    "irra": {"learn_temperature": True, "soft_labels": 0.3},
    "irra in one pass": {"contrast_on": "masked"},
}
# Batch norm divides features that hardly differ before they are trained by a small deviation.
NECK = {"phase1 batch norm": "phase1", "phase3 batch norm": "phase3"}
# Some persons lack a part, and one process has no sketch at all.
MER = {
    "clip_mer": {"losses": {"sdm": 1.0, "itc": 0.5, "id": 1.0, "norm": 1.0}},
    "clip_mer, few combinations": {"own": "all", "combinations_per_step": 3},
}
# Persons without an identity caption or another outfit are all on one process.
T2I = {
    "t2i_reid, batch norm": {"neck": "batch_norm"},
    "t2i_reid as published": {"grl_on": "seed", "losses": {"cloth": 0.5, "cls": 1.0}},
}
SYSTEMS = ["phase1", "phase2", "phase3", *NECK, *GENERATION, *TEXT, *IRRA, *MER, *T2I]

NAMES = ("sdm", "itc", "cmpm", "id", "mlm", "gen", "gen_itc", "norm", *T2iReidLosses.model_fields)
LOSSES = [f"{name}_loss" for name in NAMES]


def build(system):
    if system in IRRA:
        return build_irra(irra_scale(conv_stem=True, **IRRA[system]))
    if system in MER:
        model = build_clip_mer(clip_mer_scale(conv_stem=True, norm_band=(0.9, 1.1), **MER[system]))
        give_updates(model)
        return model
    if system in T2I:
        return build_t2i_reid(t2i_reid_scale(conv_stem=True, **T2I[system]))
    neck = "batch_norm" if system in NECK else "none"
    scale = tiny_scale(positions="2d", conv_stem=True, neck=neck)
    if system in GENERATION:
        return build_phase4(scale, GENERATION[system])
    if system in TEXT:
        model = build_text(scale, TEXT[system])
        for weight in model.generator.reader.parameters():
            torch.nn.init.normal_(weight, std=0.1)  # or it says nothing and teaches nothing
        return model
    torch.manual_seed(0)
    return build_model(NECK.get(system, system), scale, VOCABULARY)


def share_of_batch(system, rank, processes):
    """The batch of one of `processes`, its captions padded as far as its own need it."""
    if system in IRRA:
        batch = irra_batch()
        batch["mlm_labels"][0, 1] = IGNORED
        mask, padded = "caption_attn_mask", ["caption_ids", "mlm_ids", "mlm_labels"]
    elif system in MER:
        batch = clip_mer_batch()
        batch["sk_present"][:3] = False
        batch["nir_present"][4] = False
        mask, padded = "caption_attn_mask", ["caption_ids"]
    elif system in T2I:
        batch = t2i_reid_batch()
        batch["identity_there"][:3] = batch["is_matched"][4] = False
        batch["other_there"][:3] = False
        mask, padded = "caption_attn_mask_bert", ["caption_ids_bert"]
    elif system in TEXT:
        batch = text_batch(TEXT[system])
        mask, padded = "caption_attn_mask_t5", ["caption_ids_t5"]
    else:
        batch = full_batch(GENERATION.get(system, tiny_generation()))
        mask, padded = "caption_attn_mask_t5", ["caption_ids_t5"]
    size = len(batch["pids"]) // processes
    batch = {name: field[rank * size : (rank + 1) * size] for name, field in batch.items()}
    longest = batch[mask].sum(1).max()
    return batch | {name: batch[name][:, :longest] for name in [mask, *padded]}


def learn(system, rank=0, processes=1):
    """Losses, gradients and buffers after one backward pass."""
    model = build(system).train()
    weights = dict.fromkeys(LOSSES, 1.0) | loss_weights(tiny_scale().losses)
    wrapped = DistributedDataParallel(model) if processes > 1 else model
    if system in MER:
        torch.manual_seed(rank)  # of the combinations that each would draw, the first one's count
    losses = wrapped(share_of_batch(system, rank, processes))
    torch.stack([weights[name] * value for name, value in losses.items()]).sum().backward()
    return {
        "losses": {name: value.detach() for name, value in losses.items()},
        "gradients": {name: value.grad for name, value in model.named_parameters()},
        "buffers": dict(model.named_buffers()),
    }


def normalised():
    """Features and their gradient after batch norm, and its statistics."""
    generator = torch.Generator().manual_seed(0)
    features = 3 + 0.1 * torch.randn(6, 4, generator=generator)
    own = features.chunk(world_size())[rank()].requires_grad_()
    norm = FeatureNorm(4)
    gathered = gather_features(norm(own))
    (gathered * torch.arange(24.0).reshape(6, 4).sin()).sum().backward()
    gradient = gather_labels(own.grad) / world_size()
    return {"features": gathered.detach(), "gradient": gradient, **dict(norm.named_buffers())}


def weighted_means():
    """A mean of 2 and 4 numbers, of which only the second process has the gradient of 4."""
    found = {}
    for name, mean in (("sums", mean_over_processes), ("means", mean_of_means)):
        weight = torch.tensor(3.0, requires_grad=True)
        numbers = weight * torch.arange(6.0).tensor_split([2])[rank()]
        own = numbers.sum() if name == "sums" else numbers.mean()
        result = mean(own, len(numbers))
        result.backward()
        dist.all_reduce(weight.grad)
        found[name] = result.detach(), weight.grad / world_size()
    return found


def exchange():
    """What the small functions give on this process."""
    return {
        "rank": rank(),
        "main": is_main(),
        "features": gather_features(torch.full((2, 1), rank())),
        "labels": gather_labels(torch.tensor([rank(), 7])),
        "rows": own_rows(7, 2).tolist(),
        "batches": gather_batches([f"{rank()}{i}" for i in range(3 - rank())]),
        "from_main": from_main(lambda: rank()),
        "none": mean_over_processes(torch.tensor(0.0), 0),
    }


def held_out_results():
    """Features and scores of a split whose batches do not divide between the processes."""
    model = build("phase4 parallel").eval()
    table = held_out_table()
    split = make_split(table, "val", WordTokenizer(), 9)
    features = encode_split(model, split, MemoryPack(), batch_size=3, quiet=True)
    held_out = hold_out(table, tiny_generation())
    scores = score(model, held_out, own_captions(table), batch_size=3)
    return {"text": features.text_QD, "image": features.image_GD} | {
        name: torch.from_numpy(value) for name, value in asdict(scores).items()
    }


class Classifier(nn.Module):
    """A loss over all processes' samples, behind a classifier with a weight of its own."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, batch):
        logits = self.scale * gather_features(self.layers(batch["x"]))
        return {"id_loss": nn.functional.cross_entropy(logits, gather_labels(batch["y"]))}

    def pretrained_modules(self):
        return []

    def lr_factors(self):
        return []

    def saved_parts(self):
        return {"model": self}


class Shares:
    """Five batches of eight samples an epoch, of which each process has its share."""

    def __len__(self):
        return 5

    def epoch(self, epoch, start_step=0):
        own = 8 // world_size()
        for step in range(start_step, 5):
            generator = torch.Generator().manual_seed(100 * epoch + step)
            x = torch.randn(8, 4, generator=generator)[rank() * own :][:own]
            yield {"x": x, "y": x[:, :3].argmax(1)}


def train_classifier(folder):
    """The whole loop: accumulated gradients, clipping, a validation that the main process does."""
    torch.manual_seed(0)
    model = Classifier()
    told = []
    progress = train(
        model,
        Shares(),
        Hooks(
            lambda epochs: {"id_loss": 1.0},
            lambda model: from_main(lambda: {"r1": float(model.scale.detach())}),
            on_epoch=lambda history: told.append(len(history)),
        ),
        Recipe(
            sections.training(epochs=2, batch_size=8, accumulate=2, precision="fp32"),
            OPTIMISER,
            seed=1,
        ),
        folder,
    )
    history = [list(record.values()) for record in progress.history]
    return {"weights": model.state_dict(), "history": torch.tensor(history), "told": told}


def work(own_rank: int, port: int, folder: Path) -> None:
    os.environ |= {
        "RANK": str(own_rank),
        "LOCAL_RANK": str(own_rank),
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "CUDA_VISIBLE_DEVICES": "",
    }
    torch.set_num_threads(1)
    with process_group():
        found = {system: learn(system, own_rank, 2) for system in SYSTEMS}
        found |= {"weighted_means": weighted_means(), "exchange": exchange()}
        found |= {"normalised": normalised()}
        found |= {"held_out": held_out_results(), "loop": train_classifier(folder)}
    torch.save(found, folder / f"{own_rank}.pt")


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    """What each of two processes found, by rank."""
    folder = tmp_path_factory.mktemp("processes")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(work, (port, folder), nprocs=2)
    return [torch.load(folder / f"{i}.pt", weights_only=True) for i in range(2)]


@pytest.mark.parametrize("system", SYSTEMS)
def test_losses_gradients_and_statistics_are_those_of_one_process(two_processes, system):
    expected = learn(system)
    assert all(gradient is not None for gradient in expected["gradients"].values())
    for found in two_processes:
        for kind in ("losses", "gradients", "buffers"):
            assert found[system][kind].keys() == expected[kind].keys()
            for name, value in expected[kind].items():
                error = (found[system][kind][name] - value).abs().max()
                tolerance = 1e-4 if "batch norm" in system else 1e-5
                assert error <= tolerance * max(1, value.abs().max()), (kind, name)


def test_batch_norm_of_features_is_that_of_one_process(two_processes):
    expected = normalised()
    for found in two_processes:
        assert found["normalised"].keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(found["normalised"][name], value, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("system", [*GENERATION, *IRRA])
def test_the_processes_score_different_numbers_of_positions(system):
    """Else a plain mean of the two would pass."""
    labels = "mlm_labels" if system in IRRA else "vq_target_ids"
    counts = [(share_of_batch(system, i, 2)[labels] != IGNORED).sum().item() for i in range(2)]
    assert 0 < counts[0] != counts[1] > 0


@pytest.mark.parametrize("kind", ["sums", "means"])
def test_a_mean_counts_everything_once(two_processes, kind):
    for found in two_processes:
        mean, gradient = found["weighted_means"][kind]
        assert mean.item() == pytest.approx(3 * 2.5)
        assert gradient.item() == pytest.approx(2.5)


def test_the_processes_share_encoding_and_scoring(two_processes):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # products of another number of threads round otherwise
    expected = held_out_results()
    torch.set_num_threads(threads)
    for found in two_processes:
        for name, value in expected.items():
            assert torch.equal(found["held_out"][name], value), name


def test_the_loop_in_two_processes_ends_with_the_weights_of_one(two_processes, tmp_path):
    expected = train_classifier(tmp_path)
    for own_rank, found in enumerate(two_processes):
        found = found["loop"]
        assert found.pop("told") == ([1, 2] if own_rank == 0 else [])
        torch.testing.assert_close(found["weights"], expected["weights"], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(found["history"], expected["history"], rtol=1e-5, atol=1e-5)


def test_exchange_keeps_the_order_of_the_ranks(two_processes):
    for own_rank, found in enumerate(two_processes):
        found = found["exchange"]
        assert (found["rank"], found["main"]) == (own_rank, own_rank == 0)
        assert found["features"].tolist() == [[0], [0], [1], [1]]
        assert found["labels"].tolist() == [0, 7, 1, 7]
        assert found["rows"] == [[0, 1, 4, 5], [2, 3, 6]][own_rank]
        assert found["batches"] == ["00", "10", "01", "11", "02"]
        assert (found["from_main"], found["none"]) == (0, 0)


def test_one_process_is_left_as_it_is():
    features = torch.randn(3, 2, requires_grad=True)
    mean = features.mean()
    assert gather_features(features) is features
    assert gather_labels(features) is features
    assert mean_of_means(mean, 6) is mean
    assert mean_over_processes(features.sum(), 6).item() == pytest.approx(mean.item())
    assert own_rows(5, 2).tolist() == list(range(5))
    assert gather_batches(["a", "b"]) == ["a", "b"]
    assert from_main(lambda: 3) == 3
    assert (rank(), world_size(), is_main()) == (0, 1, True)
