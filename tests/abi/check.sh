#!/bin/sh
# check.sh - a program compiled against a released krait.h still runs: docs/abi.md, held to
# the records of all releases with this KRAIT_ABI.  Takes nothing; half a minute.
set -u
cd "$(dirname "$0")/../.." || exit 1
W=$(mktemp -d) || exit 1
trap 'rm -rf "$W"' EXIT
. tests/abi/tables.sh
failed=0

# verdict NAME COMMAND... - a line, and what it printed if it fails.
verdict() {
    name=$1
    shift
    if "$@" >"$W/said" 2>&1; then
        echo "ok   $name"
    else
        sed 's/^/     /' "$W/said"
        echo "FAIL $name"
        failed=1
    fi
}

header() {
    echo '#include "krait.h"' >"$W/header.c"
    $CC -std=c99 -pedantic-errors -Wall -Wextra -Werror -I"$1" -fsyntax-only "$W/header.c" &&
        g++ -std=c++98 -pedantic-errors -Wall -Wextra -Werror -I"$1" -fsyntax-only -x c++ "$W/header.c"
}

# All that was exported is, under the version it had, and a version that was released got no more.
same_symbols() {
    comm -23 "$1/symbols" "$W/symbols" >"$W/lost"
    comm -13 "$1/symbols" "$W/symbols" |
        awk 'FNR == NR { old[$2] = 1; next } $2 in old' "$1/symbols" - >"$W/late"
    awk 'NF != 2 || $2 !~ /^KRAIT_[0-9]+\.[0-9]+$/' "$W/symbols" >"$W/bare"
    sed 's/^/gone, or of another version: /' "$W/lost"
    [ "$(version "$1/krait.h")" = "$now" ] || sed 's/^/new in a version that is out: /' "$W/late"
    sed 's/^/without a version: /' "$W/bare"
    [ ! -s "$W/lost" ] && [ ! -s "$W/bare" ] &&
        { [ "$(version "$1/krait.h")" = "$now" ] || [ ! -s "$W/late" ]; }
}

# Links with the recorded names and layouts, runs with the library of now.
program() {
    $CC -std=c11 -Wall -Wextra -Werror -I"$1" -o "$W/program" tests/abi/program.c "$W/libkrait.so" \
        -Wl,-rpath,"$W" && "$W/program" &&
        readelf -d "$W/program" | grep -q "NEEDED.*\[libkrait\.so\.$(number ABI "$1/krait.h")\]"
}

# Structs may grow at their end: compare.awk says which ones, and how.
unlike() {
    printf '[suppress_type]\n  type_kind = struct\n  has_data_member_inserted_at = end\n' >"$W/grown"
    abidiff --suppressions "$W/grown" --no-added-syms "$1/library.abi" "$W/library.abi"
}

unchanged() {
    cmp "$1/layout-64" "$W/layout-64" && cmp "$1/layout-32" "$W/layout-32" &&
        cmp "$1/symbols" "$W/symbols" && return 0
    echo "krait.h says $now but is not what was recorded for it."
    echo "If $now is not out yet: make abi-record.  If it is: a higher version in krait.h."
    return 1
}

# each COMMAND - for every record that binds this version.
each() {
    for record in tests/abi/[0-9]*; do
        [ "$(number ABI "$record/krait.h")" != "$(number ABI include/krait.h)" ] || "$1" "$record"
    done
}

layouts() {
    for bits in 64 32; do
        verdict "$(basename "$1"): layout, $bits bits" \
            awk -f tests/abi/compare.awk "$1/layout-$bits" "$W/layout-$bits"
    done
}

libraries() {
    compared=$((compared + 1))
    verdict "$(basename "$1"): symbols" same_symbols "$1"
    verdict "$(basename "$1"): a program of then" program "$1"
    verdict "$(basename "$1"): abidiff" unlike "$1"
    [ "$(basename "$1")" != "$now" ] || verdict "$now: the record is of this krait.h" unchanged "$1"
}

now=$(version include/krait.h)
compared=0
verdict "krait.h is C99 and C++98" header include
table 64 include >"$W/layout-64" && table 32 include >"$W/layout-32" || exit 1
each layouts
verdict "the library compiles" library
[ -e "$W/libkrait.so" ] || exit 1
symbols "$W/libkrait.so" >"$W/symbols" && described "$W/libkrait.so" >"$W/library.abi" || exit 1
each libraries
echo "$now with KRAIT_ABI $(number ABI include/krait.h) was compared with $compared release(s)"
exit $failed
