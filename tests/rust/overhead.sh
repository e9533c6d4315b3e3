#!/bin/sh
# overhead.sh [ROUNDS] - one step of a tiny model from C and from Rust, in turns, with the same shared library.
#
# Prints the fastest batch of each: what other programs take away from a batch only ever adds.
set -eu
cd "$(dirname "$0")/../.."
rounds=${1:-7}
at=$PWD/.build/rust
mkdir -p "$at"
make -s install PREFIX="$at/stage" >"$at/install.log"
export PKG_CONFIG_PATH="$at/stage/lib/pkgconfig" LD_LIBRARY_PATH="$at/stage/lib"
export CARGO_TARGET_DIR="$at/target" CARGO_NET_OFFLINE=true KRAIT_SYS_BUNDLED=0
# shellcheck disable=SC2046
${CC:-cc} -std=c99 -O2 -o "$at/step" tests/rust/step.c $(pkg-config --cflags --libs krait)
(cd examples/rust && cargo bench -q --no-run --bench step)
for _ in $(seq "$rounds"); do
    "$at/step"
    (cd examples/rust && cargo bench -q --bench step)
done | awk '{
    for (i = 1; i < NF; i++)
        if ($i ~ /^(C|safe|raw)$/ && (!($i in least) || $(i + 1) + 0 < least[$i]))
            least[$i] = $(i + 1) + 0
} END {
    printf "a step: C %.1f ns; Rust, krait::State::step %.1f ns (%+.1f), krait_sys::krait_step %.1f ns (%+.1f)\n",
        least["C"], least["safe"], least["safe"] - least["C"], least["raw"], least["raw"] - least["C"]
}'
