#!/usr/bin/env bash
# Runs `make setup` without a network, from a folder that has only the files hashed in the locks.
#
# No test of pytest: it fetches 3 GB and needs 15 GB of the disk while it runs. It installs what is
# committed. From anywhere, with the Python to install for:
#
#     tests/clean_install.sh python3.12
#
# Ends with an error where the installation needs anything else, where what it installed does not
# work, or where it goes through although a file of the folder is missing or has a byte more.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$("${1:-python3}" -c 'import sys; print(sys.executable)')
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
export TMPDIR=$place
files=$place/files
pip=("$place/tools/bin/python" -m pip --quiet --disable-pip-version-check)

offline=(unshare --map-root-user --net)
"${offline[@]}" true 2>"$place/said" || { offline=(); echo "note: only pip is told to use no network"; }
alone() {  # nor the caller's environment, settings and caches
  (cd "$place/ubg" && "${offline[@]}" env -i PATH=/usr/bin:/bin HOME="$place" TMPDIR="$place" \
    PIP_CONFIG_FILE=/dev/null PIP_NO_CACHE_DIR=1 PIP_NO_INDEX=1 PIP_FIND_LINKS="$files" "$@")
}
install() {
  rm -rf "$place/ubg" && mkdir "$place/ubg"
  git archive HEAD | tar -x -C "$place/ubg"
  alone make setup PYTHON="$python" >"$place/said" 2>&1
}
fail() { echo "error: $1" >&2; exit 1; }

"$python" -m venv "$place/tools"
fetch=("${pip[@]}" download --require-hashes --no-deps --dest "$files")
"${fetch[@]}" --only-binary :all: -r requirements.build.lock
"${pip[@]}" install --no-index --find-links "$files" --require-hashes --no-deps -r requirements.build.lock
"${fetch[@]}" --no-build-isolation -r requirements.lock
"${fetch[@]}" --only-binary :all: -r requirements.milvus.lock
for hash in $(sha256sum "$files"/* | cut -c -64); do
  grep -q "sha256:$hash" requirements*.lock || fail "a file is in no lock: sha256 $hash"
done
echo "$("$python" --version): $(ls "$files" | wc -l) files, $(du -sh "$files" | cut -f 1); not wheels: $(ls --ignore='*.whl' "$files")"

mv "$files"/wheel-*.whl "$place"
install && fail "it needs no wheel-*.whl"
grep -m 1 "No matching distribution" "$place/said"
mv "$place"/wheel-*.whl "$files"
source=$(ls "$files"/*.tar.gz | head -1)
cp "$source" "$place/kept" && printf x >>"$source"
install && fail "it takes a source with a byte more"
grep -m 1 -o "PACKAGES DO NOT MATCH THE HASHES" "$place/said"
mv "$place/kept" "$source"

SECONDS=0
install || { cat "$place/said"; fail "make setup needs more than these files"; }
echo "installed in $SECONDS s, $(du -sh "$place/ubg/.venv" | cut -f 1)"
alone .venv/bin/python - <<'END'
import importlib, pkgutil, re
from importlib.metadata import packages_distributions, requires
import ubg

plain = lambda name: re.sub("[-_.]+", "-", name).lower()
declared = {plain(re.match(r"[\w.-]+", one)[0]) for one in requires("ubg")}
names = [name for name, owners in packages_distributions().items() if plain(owners[0]) in declared]
names += [found.name for found in pkgutil.walk_packages(ubg.__path__, "ubg.")]
names = [name for name in names if name.replace(".", "").isidentifier()]
for name in names:
    importlib.import_module(name)
print(f"{len(names)} packages and modules import")
END
alone env PYTHONPATH=.venv/milvus .venv/bin/python -c "import milvus_lite, pyarrow"
alone .venv/bin/python -m pytest -q -p no:cacheprovider tests/test_dependencies.py  # pip check too
alone .venv/bin/ubg --help >"$place/said"
alone .venv/bin/python stages/train.py --help >"$place/said"
echo "make setup needs nothing but these files, and what it installs works"
