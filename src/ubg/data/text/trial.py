"""A tokenizer from outside is built by a process of its own before this one builds it.

On some files the libraries, in Rust and C++, abort, take all memory or do not come back, which
nothing can catch. The child does the same work within limits, in a tenth of a second: it imports
neither transformers nor PyTorch.
"""

import os
import resource
import signal
import string
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import ubg
from ubg.data.text.sentencepiece_file import read_pieces

SECONDS = 8  # of the processor; the largest vocabulary here, 262,144 pieces, takes two
WAIT = 60  # seconds by the clock, on a machine that is busy with other work
MEMORY = 2**31
ONE_THREAD = {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "RUST_BACKTRACE": "0"}
# Every character of ASCII, other scripts, and runs, which make patterns try again and again.
CAPTIONS = (
    "A woman, 25, in a red coat; she isn't tall.",
    " ".join(string.printable.split()),
    "一个穿着红色外套的女人 \U0001f9e5 \ufb03 İ é",
    *(letter * 300 for letter in string.ascii_letters + string.digits),
)


def try_in_child(vocabulary: Sequence[Path]) -> None:
    """Build a tokenizer and encode a few captions in a child with limits of time and memory.

    Args:
        vocabulary: `tokenizer.json`, a SentencePiece model, or `vocab.json` and `merges.txt`.

    Raises:
        ValueError: the child failed, was killed by a limit, or crashed; one line, why.
    """
    path = os.pathsep.join([str(Path(ubg.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-m", "ubg.data.text.trial", *map(str, vocabulary)],
            env=os.environ | ONE_THREAD | {"PYTHONPATH": path.rstrip(os.pathsep)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=WAIT,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"reading it and a few captions takes more than {WAIT} s") from None
    if child.returncode == -signal.SIGXCPU:
        raise ValueError(f"reading it and a few captions takes more than {SECONDS} s of processor")
    if child.returncode:
        said = child.stdout.decode("utf-8", "replace").strip()
        limit = f"reading it crashes, or takes more than {MEMORY >> 30} GiB of memory"
        raise ValueError(said or f"{limit} (status {child.returncode})")


def _build(vocabulary: Sequence[Path]) -> Any:
    """The tokenizer as its library has it, beneath that of transformers."""
    from tokenizers import Tokenizer, normalizers
    from tokenizers.models import BPE, Unigram

    first = vocabulary[0]
    if first.suffix == ".model":
        pieces, charsmap = read_pieces(first)
        tokenizer = Tokenizer(Unigram(pieces, unk_id=2))
        if charsmap is not None:
            tokenizer.normalizer = normalizers.Precompiled(charsmap)
        return tokenizer
    if len(vocabulary) == 1:
        return Tokenizer.from_file(str(first))
    return Tokenizer(BPE.from_file(*map(str, vocabulary)))


def _try(vocabulary: Sequence[Path]) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        tokenizer = _build(vocabulary)
        for caption in CAPTIONS:
            with suppress(Exception):  # of a character that it does not know: no fault of its file
                tokenizer.encode(caption)
    except BaseException as error:  # a panic of Rust is no Exception
        print(" ".join(str(error).split())[:300] or type(error).__name__)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_try([Path(name) for name in sys.argv[1:]]))
