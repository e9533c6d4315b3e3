# common.sh - for the scripts beside it: W, a folder of their own, JOBS, and what they all do.
# shellcheck shell=sh
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C.UTF-8
unset MAKEFLAGS MAKELEVEL CFLAGS LDFLAGS CPPFLAGS
W=${W:-$PWD/.build/systems}/$(basename "$0" .sh)
JOBS=-j$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
LOG=$W/log
mkdir -p "$W"

# What another system has to repeat: all numbers, and what touches files, memory and text.
THERE="conformance_table kernels_ selftest fpenv real_f real_h real_t real_exp_is json safetensors gguf_ state_
       saved model_ run_ arguments description configs_ recorded_outputs convert layers_equal layers_saved
       tokenizer_gguf_small tokenizer_scores"
export KRAIT_TREES=20

fail() {
    echo "$*"
    exit 1
}

needs() {
    for tool; do
        command -v "$tool" >/dev/null || fail "needs $tool, which is not there"
    done
}

# tests ARGUMENT... - make test with them; filters that match nothing would pass unseen.
tests() {
    timeout 900 make "$JOBS" O="$W" WERROR=1 "$@" test >"$LOG" 2>&1 </dev/null ||
        { grep -v '^ok \|^  \(cc\|ld\|ar\) ' "$LOG" | tail -n 60; fail "make test failed"; }
    grep '^SKIP' "$LOG" | grep -v 'this CPU has no vector kernels'
    grep -q '^ok   krait-test: [1-9]' "$LOG" || fail "no test ran"
    tail -n 1 "$LOG"
}
