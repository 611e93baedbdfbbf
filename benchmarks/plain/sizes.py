"""The towers of the base preset with random weights: ViT-B/16, CLIP text, T5-base, BERT-base."""

from pathlib import Path

from ubg.params import Scale
from ubg.params.read import read_section

ROOT = Path(__file__).parents[2]
BASE = read_section(Scale, ROOT / "configs/scales/base.yaml", ROOT)


def sized(tower, width, layers, heads, mlp_width, **changes):
    """A tower of the preset, built from these sizes instead of fetched."""
    sizes = {"width": width, "layers": layers, "heads": heads, "mlp_width": mlp_width}
    return tower.model_copy(update={"pretrained": None, **sizes, **changes})


VISION = sized(BASE.towers.clip, 768, 12, 12, 3072)
CLIP_TEXT = sized(BASE.towers.clip_text, 512, 12, 8, 2048)
T5 = sized(BASE.towers.t5, 768, 12, 12, 3072)
BERT = sized(BASE.towers.bert, 768, 12, 12, 3072)

# Of a moment, for the tests of the benchmarks.
TINY_VISION = sized(BASE.towers.clip, 64, 2, 2, 96)
TINY_CLIP_TEXT = sized(BASE.towers.clip_text, 32, 2, 2, 48, vocab_size=500)
TINY_T5 = sized(BASE.towers.t5, 32, 2, 2, 48)
TINY_BERT = sized(BASE.towers.bert, 32, 2, 2, 48)


def image(height, width):
    return BASE.image.model_copy(update={"height": height, "width": width})
