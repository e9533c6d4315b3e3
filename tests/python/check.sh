#!/bin/sh
# The Python package as users get it: an sdist of the checkout, a wheel of the sdist, and the wheel in fresh virtual
# environments: one with nothing else and no compiler in reach, one with NumPy, pytest and mypy, for all tests.
#
#     tests/python/check.sh           KRAIT_COMMAND=.../krait saves the time to build the command
#
# Needs make, a C compiler, python3 with venv, and what pip installs: setuptools, wheel, numpy, pytest, mypy, matplotlib.
set -eu
cd "$(dirname "$0")/../.."
at=$PWD/.build/check-python
rm -rf "$at"
mkdir -p "$at"
PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1
export PYTHONDONTWRITEBYTECODE PIP_DISABLE_PIP_VERSION_CHECK
unset PYTHONPATH KRAIT_LIBRARY MAKEFLAGS

say() { echo "== $*"; }
fail() { echo "FAILED $*"; exit 1; }

if [ -z "${KRAIT_COMMAND:-}" ]; then
    say "the command"
    make O="$at/make" "$at/make/.build/cc/krait" >"$at/make.log" 2>&1 || { tail "$at/make.log"; fail make; }
    KRAIT_COMMAND=$at/make/.build/cc/krait
fi
export KRAIT_COMMAND

say "an sdist, and a wheel of it"
python3 -m venv "$at/full"
python=$at/full/bin/python
"$python" -m pip install -q 'setuptools>=77' wheel numpy pytest mypy matplotlib
(cd examples/python && "$python" setup.py -q sdist -d "$at/sdist")
CC=${CC:-cc} "$python" -m pip wheel -q --no-deps --no-build-isolation -w "$at/wheel" "$at"/sdist/krait-*.tar.gz
wheel=$(echo "$at"/wheel/*)
echo "$wheel"
case $wheel in
*/krait-*-py3-none-linux_"$(uname -m)".whl) ;;
*) fail "the wheel's tag" ;;
esac
"$python" -m zipfile -l "$wheel" | awk 'NR > 1 { print $1 }' | sed 's/-[0-9][0-9.]*\.dist-info/.dist-info/' | sort >"$at/files"
for file in krait/libkrait.so krait/py.typed krait/__init__.py krait.dist-info/licenses/LICENSE; do
    grep -qx "$file" "$at/files" || fail "the wheel has no $file"
done
if grep -v '^krait/[a-z_]*\.py$\|^krait/py\.typed$\|^krait/libkrait\.so$\|^krait\.dist-info/' "$at/files"; then
    fail "the wheel has more than it should"
fi

say "alone: no NumPy, no compiler, another folder"
python3 -m venv "$at/alone"
"$at/alone/bin/python" -m pip install -q --no-deps --no-index "$wheel"
cp tests/python/package_plain.py "$at/alone/"
(cd / && env -i PATH="$at/alone/bin" "$at/alone/bin/python" - <<'EOF')
import importlib.util, shutil
assert not any(map(shutil.which, ("cc", "gcc", "clang", "make", "ld"))), "a compiler is in reach"
assert importlib.util.find_spec("numpy") is None, "NumPy is in reach"
EOF
(cd / && env -i PATH="$at/alone/bin" "$at/alone/bin/python" "$at/alone/package_plain.py" "$OLDPWD/examples/models")

say "tests"
"$python" -m pip install -q --no-deps --no-index "$wheel"
"$python" -m pytest -q -p no:cacheprovider tests/python

say "types"
"$python" -m mypy --strict --cache-dir=/dev/null -p krait
"$python" -m mypy --strict --cache-dir=/dev/null tests/python/package_types.py

say "examples and bench"
KRAIT_LIBRARY=$(find "$at/full" -name 'libkrait*' | head -n 1)      # the programs lie beside the package's source
[ -n "$KRAIT_LIBRARY" ] || fail "the wheel has no library"
export KRAIT_LIBRARY
"$python" examples/python/stream.py examples/motion/walking.csv examples/motion/sitting.csv
"$python" examples/python/plot_stream.py "$at/stream.png"
"$python" tests/bench/overhead.py --quick
say "the Python package is well"
