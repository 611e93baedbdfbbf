"""No reader bypasses `ubg.runtime.opening`: what opens a file stands beside its check."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
CHECKS = {"check_file", "open_file", "read_bytes", "read_text", "read_json", "read_array"}
# What opens a file; classes of ours have an `open` too.
OPENS = re.compile(
    r"open|safe_open|load_file|load_model|Image\.open|(?![A-Z]).*\.(open|read_text|read_bytes)"
    r"|(os|gzip)\.open|(np|torch)\.load|np\.(fromfile|memmap|genfromtxt|loadtxt)|json\.load"
    r"|yaml\.(safe_)?load(_all)?|pd\.read_\w+|h5py\.File|zipfile\.\w+|sqlite3\.connect"
    r"|faiss\.read_\w+"
)
WRITES = re.compile(r"\(.*(['\"][awx]b?['\"]|O_WRONLY)")
# Nothing from outside is read there.
OWN = {
    "comparison/experiments.py _fetch": "from DVC's own file system, a commit or its cache",
    "comparison/transfer.py compare_other": "what was written just now",
    "data/text/clip_tokens.py _tokenizer": "a file of the package open_clip",
    "disentanglement/evaluate.py _write": "what was written just now",
    "evaluation/queries.py parse_queries": "a text",
    "report/build.py as_html": "a file of this package",
    "report/origin.py _value": "files of the kernel",
    "runtime/files.py replace_file": "what was written just now",
    "runtime/pipeline.py rooms_digest": "the code of this package",
    "runtime/weights.py fill": "weights of which `read_shapes` has read the header",
    "search/database.py _own_entries": "a database in memory",
    "search/database.py create_database": "a new file",
    "search/serving/app.py _serve_page": "files of this package",
    "synthpedes/contact_sheet.py contact_sheet": "what was drawn just now",
    "towers/sources.py _is_torchscript": "called behind the check",
    "vqgan/codes/encode.py Progress": "its own file among the checkpoints",
    "stages/compare.py main": "what was written just now",
    "stages/study.py main": "what was written just now",
}
DECODES = re.compile(r"json\.loads?\(|[^_]load_yaml\(|yaml\.(safe_)?load\(")
# No text from outside is decoded there.
NO_TEXT_FROM_OUTSIDE = {
    "data/text/tokenizers.py _without_special_pieces": "what the library itself writes",
    "plan/architectures.py _table": "a file of this package",
    "runtime/pipeline.py read_stages": "DVC's reader, which has its own limits",
}


def files():
    package = ROOT / "src/ubg"
    yield from ((path, path.relative_to(package)) for path in sorted(package.rglob("*.py")))
    yield from ((path, path.relative_to(ROOT)) for path in sorted((ROOT / "stages").glob("*.py")))


def readers(module: ast.Module):
    """Functions and classes that open a file without a check in the same function, and where."""
    for outer in module.body:
        for function in outer.body if isinstance(outer, ast.ClassDef) else [outer]:
            calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
            if CHECKS & {ast.unparse(call.func) for call in calls}:
                continue
            for call in calls:
                text = ast.unparse(call)
                if OPENS.fullmatch(ast.unparse(call.func)) and not WRITES.search(text):
                    yield getattr(outer, "name", "the module"), f"line {call.lineno}: {text[:60]}"


def test_every_reader_checks_its_file_first():
    faults, found = [], set()
    for path, name in files():
        if name.as_posix() == "runtime/opening.py":
            continue
        for function, where in readers(ast.parse(path.read_text())):
            key = f"{name.as_posix()} {function}"
            found.add(key)
            if key not in OWN:
                faults.append(f"{key}, {where}")
    assert faults == [], "open it by ubg.runtime.opening, or call check_file in the same function"
    assert OWN.keys() - found == set(), "they open nothing any more"


def test_what_reads_json_or_yaml_survives_deep_nesting():
    """Python's decoders answer it with a RecursionError, which is no ValueError."""
    faults = []
    for path, name in files():
        code = path.read_text()
        for function in ast.walk(ast.parse(code)) if DECODES.search(code) else []:
            if not isinstance(function, ast.FunctionDef):
                continue
            text = ast.unparse(function)
            if DECODES.search(text) and "RecursionError" not in text:
                faults.append(f"{name.as_posix()} {function.name}")
    assert sorted(faults) == sorted(NO_TEXT_FROM_OUTSIDE)


def test_the_test_finds_readers():
    code = """
def one(path):
    return path.read_text()
def two(path):
    with open(path) as file:
        return file.read()
class Three:
    def load(self):
        return np.load(self.path)
def four(path):
    return pd.read_csv(path)
def checked(path):
    check_file(path, Kind.TABLE)
    return path.open()
def writes(path):
    path.open("w")
"""
    assert [name for name, _ in readers(ast.parse(code))] == ["one", "two", "Three", "four"]
