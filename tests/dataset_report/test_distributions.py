import numpy as np
import pandas as pd

from ubg.dataset_report.distributions import distributions, histogram, summary


def test_each_image_identity_and_caption_counts_once():
    table = pd.DataFrame(
        [
            ("train", 0, 0, "one two"),
            ("train", 0, 0, "one"),
            ("train", 0, 1, " one  two\nthree "),
            ("test", 1, 2, ""),
            ("test", 1, -1, "one"),
            ("test", 2, -1, "one"),
        ],
        columns=["split", "pid", "image_id", "caption"],
    )
    queries = table[table["caption"] != ""]
    found = distributions(table, queries, np.array([4, 3, 5, 3, 3]))
    as_lists = {
        name: {split: values.tolist() for split, values in by_split.items()}
        for name, by_split in vars(found).items()
    }
    assert as_lists == {
        "captions_per_image": {"train": [2, 1], "test": [0]},
        "images_per_identity": {"train": [2], "test": [1, 0]},
        "words_per_caption": {"train": [2, 1, 3], "test": [1, 1]},
        "tokens_per_caption": {"train": [4, 3, 5], "test": [3, 3]},
    }
    assert histogram(found.words_per_caption) == {"1": 3, "2": 1, "3": 1}
    assert summary(found.words_per_caption["train"]) == {"min": 1, "median": 2.0, "max": 3}
