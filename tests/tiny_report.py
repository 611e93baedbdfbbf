"""A miniature of what the stages before the report leave, in a folder of its own."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from safetensors.numpy import save_file

from ubg.data.prepared import write_table
from ubg.foils.cases import Case, write_cases

ROOT = Path(__file__).parents[1]
PEOPLE = 24
CAPTION = "A person in a red coat, number {}."
HOSTILE = {
    3: "<script>alert(1)</script><img src=x onerror=alert(1)>",
    4: "</bdi></q></section><h1>Owned</h1>{{ 7 * 7 }}",
    5: "half a \ud800 character, \u202e backwards, \x00 and \x1b[31m",
    6: "word " * 5_000,
}
SCORES = dict.fromkeys(("r1", "r5", "r10", "map", "minp"), 50.0)
GENERATION = {"ce": 2.5, "unigram_ce": 3.0, "position_unigram_ce": 2.8, "below_floor": 0.3}


def write_project(folder: Path) -> None:
    """Two people in three are found by phase1, others by phase2; phase4 has a second score."""
    shutil.copy(ROOT / "params.yaml", folder)
    shutil.copytree(ROOT / "configs", folder / "configs")
    write_data(folder)
    write_system(folder, "phase1", [1, 1, 7] * (PEOPLE // 3))
    write_system(folder, "phase2", [1, 4, 1] * (PEOPLE // 3))
    write_system(folder, "phase4", [1, 1, 1] * (PEOPLE // 3), second_score=True)


def write_data(folder: Path) -> None:
    captions = [HOSTILE.get(pid, CAPTION.format(pid)) for pid in range(PEOPLE)]
    numbers = np.arange(PEOPLE)
    table = pd.DataFrame({"split": "test", "pid": numbers, "raw_id": numbers, "image_id": numbers})
    table["image_path"] = [f"{pid}.jpg" for pid in numbers]
    table["caption_id"], table["caption"] = numbers, captions
    (folder / "data/prepared").mkdir(parents=True)
    write_table(table, folder / "data/prepared/annotations.csv")
    counts = {"images": PEOPLE, "identities": PEOPLE, "captions": PEOPLE}
    oddity = {"name": "odd captions", "counts": {"test": 2}, "example": HOSTILE[3]}
    report = {"layout": "<b>.json", "records": PEOPLE, "splits": {"test": counts}, "notes": []}
    report |= {"distributions": {}, "oddities": [oddity]}
    (folder / "data/prepared/report.json").write_text(json.dumps(report))
    text = (
        "## To look at before training\n\n- **Captions** of `<i>`: 3.\n\n## What is odd\n\n- no\n"
    )
    (folder / "data/prepared/report.md").write_text(text)
    (folder / "plots/images").mkdir(parents=True)
    (folder / "plots/images/report.md").write_text("| | |\n|---|---|\n| images | 24: `<u>` 24 |\n")
    (folder / "data/images").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (PEOPLE, 48, 16, 3), np.uint8)
    (folder / "data/images/images.u8").write_bytes(pixels.tobytes())
    np.save(folder / "data/images/image_ids.npy", numbers)
    index = {"height": 48, "width": 16, "channels": 3, "fingerprint": "0"}
    (folder / "data/images/index.json").write_text(json.dumps(index))
    (folder / "data/foils/images").mkdir(parents=True)
    cases = [
        Case("binding", pid, 2 * pid, 2 * pid + 1, HOSTILE[3], "another", "same", "red", "blue")
        for pid in range(PEOPLE)
    ]
    write_cases(folder / "data/foils", cases, drawn=True)
    for number in range(2 * PEOPLE):
        Image.fromarray(pixels[number // 2]).save(folder / f"data/foils/images/{number:05d}.jpg")


def write_system(folder: Path, name: str, ranks: list[int], second_score: bool = False) -> None:
    both = {"t2i": SCORES, "i2t": SCORES}
    value = {"test": dict(both), "val": both, "last": {"test": both}}
    plots = folder / "plots" / name
    (plots / "evaluation").mkdir(parents=True)
    write_queries(plots / "evaluation/queries.csv", ranks)
    if second_score:
        value["test"] |= {"t2i_generative": SCORES, "i2t_generative": SCORES}
        value["generation"] = GENERATION
        write_queries(plots / "evaluation/queries_generative.csv", [1] * PEOPLE)
        (plots / "generation").mkdir()
        Image.new("RGB", (900, 700), "red").save(plots / "generation/from_captions.png")
    lines = [f"binding,{pid},1,1,{pid % 2},1,1" for pid in range(PEOPLE)]
    header = "kind,person,image_to_text,text_to_image,group,paraphrase,twin_r1"
    (plots / "evaluation/foils.csv").write_text("\n".join([header, *lines, ""]))
    curves = plots / "training/plots/metrics"
    curves.mkdir(parents=True)
    (curves / "val_r1.tsv").write_text("step\tval_r1\n1\t20.0\n2\t50.0\n3\t50.0\n")
    (curves / "sdm_loss.tsv").write_text("step\tsdm_loss\n1\t3.0\n2\t2.0\n3\t1.0\n")
    (folder / "metrics").mkdir(exist_ok=True)
    (folder / f"metrics/{name}.json").write_text(json.dumps(value))
    (folder / "models" / name).mkdir(parents=True)
    numbers = {"a": np.zeros((3, 4), np.float32), "b": np.zeros(5, np.float32)}
    save_file(numbers, folder / "models" / name / "model.safetensors")


def write_queries(path: Path, ranks: list[int]) -> None:
    lines = [f"{q},{q},{q},{rank},{1 / rank:.6f},{1 / rank:.6f}" for q, rank in enumerate(ranks)]
    header = "caption_id,image_id,pid,first_rank,average_precision,inp"
    path.write_text("\n".join([header, *lines, ""]))
