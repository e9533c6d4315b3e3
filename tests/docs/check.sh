#!/bin/sh
# check.sh - the documents' programs run and print what is said, and what they name exists.
#
# getting-started.md: each block is written, or run in a shell that goes on from block to block, or compared with what
# the one before printed; docs.awk says how blocks are marked.  migrating.md: every krait_ and KRAIT_ of every document
# stands in krait.h.  Needs make, cc, c++, pkg-config, python3, cargo and doxygen, but no network.
set -eu
cd "$(dirname "$0")/../.."
top=$PWD
at=$top/.build/docs
fail() { echo "FAIL $*"; exit 1; }

# ---- names ----

bad=0
for document in README.md docs/*.md; do
    # krait_x of a file name (krait_state.c) is none; a name that ends with _ stands for several.
    for name in $(grep -o '\bkrait_[a-z_]*[a-z]\b\|\bKRAIT_[A-Z0-9_]*[A-Z0-9]\b' "$document" | sort -u); do
        grep -qw "$name" include/krait.h include/krait.hpp || grep -q "^$name\b" tests/docs/names ||
            { echo "$document: $name is not in krait.h"; bad=1; }
    done
done
[ $bad -eq 0 ] || fail "names"
echo "ok   names in documents"

# ---- links between documents ----

for document in README.md docs/*.md; do
    for link in $(grep -o '](\([^)# ]*\)[)#]' "$document" | sed 's/^](//; s/[)#]$//' | grep -v '^https\?:' | sort -u); do
        [ -e "$(dirname "$document")/$link" ] || { echo "$document: there is no $link"; bad=1; }
    done
done
[ $bad -eq 0 ] || fail "links"
echo "ok   links"

# ---- the reference ----

command -v doxygen >/dev/null || fail "needs doxygen"
make -s reference || fail "make reference: krait.h has something without a comment"
echo "ok   reference"

# ---- getting started ----

rm -rf "$at"
mkdir -p "$at/home"
awk -f tests/docs/docs.awk -v at="$at" docs/getting-started.md >"$at/all.sh" || fail "getting-started.md: a block is not marked"
for program in make cc c++ pkg-config python3 cargo; do
    command -v $program >/dev/null || fail "needs $program"
done
# The tools' own folders stay where they are.
export CARGO_HOME="${CARGO_HOME:-$HOME/.cargo}" RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}"
export HOME="$at/home" CARGO_NET_OFFLINE=true CARGO_TARGET_DIR="$at/target"
unset MAKEFLAGS MAKELEVEL PKG_CONFIG_PATH LD_LIBRARY_PATH PYTHONPATH KRAIT_LIBRARY KRAIT_SYS_BUNDLED
sh -eu "$at/all.sh" >"$at/log" 2>&1 ||
    { tail -n 40 "$at/log" "$at/printed"; fail "getting-started.md"; }
echo "ok   getting-started.md, $(grep -c '^# run' "$at/all.sh") blocks run"
