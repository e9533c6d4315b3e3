#!/bin/sh
# wasm.sh - the library, the command and the tests as WebAssembly with WASI, run by node.  Debian: clang, lld,
# llvm, wasi-libc, libclang-rt-14-dev-wasm32, nodejs of 18 or later.
set -u
. "$(dirname "$0")/common.sh"
needs clang wasm-ld llvm-ar node
export TMPDIR="$W"
run="node --no-warnings tests/systems/wasi.mjs"
cc="clang --target=wasm32-wasi"
node -e 'import("node:wasi")' 2>/dev/null || fail "needs a node that has node:wasi"

# Clocks count for nothing there: CPU time is not to be had.
KRAIT_UNTIMED=1 tests CC="$cc" RUN="$run" T="no_threads examples see audio motion $(echo $THERE)"
program=$W/.build/clang---target-wasm32-wasi/krait.wasm

# The command, whose tests take minutes by node: text of the model, and the numbers of a converted one.
made() {
    $run "$program" generate "$1" --prompt "It was" --tokens 24 --temperature 0 --quiet 2>&1
}
here=$(made examples/models/mamba-novels.gguf) || fail "$here"
$run "$program" convert examples/models/mamba-novels.gguf "$W/again.gguf" --layout panels --quiet || fail "no conversion"
[ "$(made "$W/again.gguf")" = "$here" ] || fail "the converted model writes something else"
$run "$program" check examples/models/s5-har.safetensors >"$LOG" 2>&1 || { cat "$LOG"; fail "krait check"; }
echo "krait.wasm: $(wc -c <"$program") bytes; writes:$here"
