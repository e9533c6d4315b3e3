#!/bin/sh
# check_flags.sh BUILD - no compiler flag gives other numbers unseen.
#
# The library is made with flags that change arithmetic, without the Makefile's own that forbid
# it, and linked to the tests of BUILD, a folder such as .build/gcc where `make test` was run.
# Right is: it does not compile (core/build.h), or opening a model answers KRAIT_ERR_BUILD
# (kernels/selftest.c), or the conformance table and the recorded samples come out.  With -v
# the reasons are shown; KRAIT_FEW=1 tries one flag of each kind.  Takes minutes; .ci/run calls
# it, `make test` does not.
set -u
cd "$(dirname "$0")/.." || exit 1
verbose=
[ "${1-}" = -v ] && { verbose=1; shift; }
build=${1:?the folder of a build, such as .build/gcc}
CC=${CC:-cc}
work=$build/check_flags
tests="conformance_ sample_recorded"
wrong=0

[ -e "$build/krait-test" ] || { echo "no $build/krait-test: run make test first"; exit 1; }
objects=$(ls "$build"/tests/*.o "$build"/tests/*/test_*.o "$build"/tests/layers/*.o \
    "$build"/tests/support/*.o 2>/dev/null | sort -u | grep -v '/tests/programs/\|/tests/bench/')

# The case whose failures are all KRAIT_ERR_BUILD, or follow from having no such model.
refused() {
    grep -q -- '-12 (unusable build)' "$1" &&
        ! grep '^FAIL conformance_' "$1" | grep -v -- '-12 (unusable build)\|: [0-9]* more$' | grep -q .
}

# also FLAGS - another one of a kind.
also() {
    [ -n "${KRAIT_FEW-}" ] || try "$1"
}

# try FLAGS [LINK FLAGS]
try() {
    rm -rf "$work"
    mkdir -p "$work"
    if ! $CC $1 -Werror -x c -c -o "$work/empty.o" /dev/null >"$work/log" 2>&1; then
        echo "     $CC $1: the compiler has no such flag"
        return
    fi
    if ! make -s ${JOBS:--j2} O="$work" CC="$CC" CFLAGS="$1" KR_CFLAGS="-std=gnu11 -fPIC" \
            "$work/.build/$(basename "$CC")/libkrait.a" >"$work/log" 2>&1; then
        if grep -q 'krait: ' "$work/log"; then
            verdict="does not compile"
        else
            verdict="FAILED TO BUILD"
            wrong=1
            cat "$work/log"
        fi
    # shellcheck disable=SC2086
    elif ! $CC ${2-} -o "$work/krait-test" $objects "$work/.build/$(basename "$CC")/libkrait.a" \
            -lm >"$work/log" 2>&1; then
        verdict="FAILED TO LINK"
        wrong=1
        cat "$work/log"
    # shellcheck disable=SC2086
    elif "$work/krait-test" -j 0 $tests >"$work/log" 2>&1; then
        verdict="the right bits"
    elif refused "$work/log"; then
        verdict="refused when a model is opened"
    else
        verdict="WRONG BITS"
        wrong=1
        cat "$work/log"
    fi
    echo "     $CC $1${2:+, linked with $2}: $verdict"
    [ -z "$verbose" ] || sed 's/^/         /' "$work/log" | head -n 12
}

# What a flag may not change at all comes first: it shows that refusing is not all we do.
try "-O2"
case $(uname -m) in
x86_64)
    also "-O3 -march=x86-64-v3"          # with fma, and GNU C contracts by itself
    try "-O2 -mfma -ffp-contract=fast"
    also "-O2 -mfpmath=387" ;;
*)  try "-O2 -ffp-contract=fast" ;;
esac
also "-O3 -fassociative-math -fno-signed-zeros -fno-trapping-math"
try "-O2 -freciprocal-math"
also "-O2 -fno-signed-zeros"
also "-O3 -funsafe-math-optimizations"
also "-O2 -ffinite-math-only"
also "-O2 -fno-math-errno -fno-trapping-math"
also "-O2 -frounding-math"
also "-O2 -fsingle-precision-constant"
also "-O2 -fapprox-func"
try "-O2 -ffp-model=fast"
try "-O2 -ffast-math"
also "-Ofast"
try "-O2" "-ffast-math"                 # sets FTZ and DAZ as the program starts
rm -rf "$work"
[ $wrong -eq 0 ]
