#!/bin/sh
# test_cli.sh KRAIT [MODEL] - tests of the command.
#
# MODEL is a small model over bytes that takes features of width 16 as well; without it
# make_tiny.c, beside this script, is compiled and makes one.  Everything else is printed
# here byte by byte: no Python.  Each check prints ok or FAILED.
set -u
krait=$1
RUN=${RUN-}                     # what runs a program of another machine, as words
here=$(dirname "$0")
work=$(mktemp -d "${TMPDIR:-/tmp}/krait-cli.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

if [ $# -gt 1 ]; then
    model=$2
else
    model=$work/tiny
    mkdir "$model"
    # shellcheck disable=SC2086
    ${CC:-cc} -o "$work/make_tiny" "$here/make_tiny.c" || exit 1
    $RUN "$work/make_tiny" "$model" || exit 1
fi

# run ARGUMENTS: the command; its output in $work/out and $work/err, then $status.
run() {
    $RUN "$krait" "$@" >"$work/out" 2>"$work/err" </dev/null
    status=$?
}

# finish PID: its status in $status; what does not end is ended after 20 seconds.
finish() {
    ( sleep 20; kill -9 "$1" ) >/dev/null 2>&1 &
    watch=$!
    wait "$1" 2>/dev/null
    status=$?
    kill $watch 2>/dev/null
}

verdict() {
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok     $2"
    else
        failed=$((failed + 1))
        echo "FAILED $2"
        [ -s "$work/err" ] && sed 's/^/       stderr: /' "$work/err" | head -n 3
    fi
}

# check NAME COMMAND...: the command succeeds.
check() {
    name=$1
    shift
    "$@" >/dev/null 2>&1
    verdict $? "$name"
}

# ends NAME STATUS [WORDS]: how the last run ended, and that stderr (stdout if status 0)
# has the words.
ends() {
    stream=$work/err
    [ "$2" -eq 0 ] && stream=$work/out
    [ "$status" -eq "$2" ] && { [ -z "${3:-}" ] || grep -qF -e "$3" "$stream"; }
    verdict $? "$1"
}

has()  { grep -qF -e "$2" "$work/$1"; }
gone() { [ ! -e "$1" ] && [ -z "$(ls "$1".partial* 2>/dev/null)" ]; }
size() { wc -c <"$1" | tr -d ' '; }
# shaped FILE TEXT: the header of an array has the text.
shaped() { head -c 128 "$work/$1" | grep -qF -e "$2"; }

# npy TYPE SHAPE: the start of an array on stdout, 128 bytes.
npy() {
    printf '\223NUMPY\001\000\166\000'
    printf '%-117s\n' "{'descr': '$1', 'fortran_order': ${3:-False}, 'shape': ($2), }"
}
# data FILE [BYTES OF ONE NUMBER]: what follows the header of an array that krait wrote.
data() { tail -c +"$(($(size "$1") - $2 + 1))" "$1"; }

int32() { for n; do printf "\\$(printf '%03o' "$n")\\000\\000\\000"; done; }
int64() { for n; do int32 "$n"; printf '\000\000\000\000'; done; }
zeros() { head -c "$1" /dev/zero; }

# ---- usage -------------------------------------------------------------------------

run --version;              ends "version" 0 "krait 0."
run --help;                 ends "help" 0 "usage: krait"
run;                        ends "no command" 2 "usage: krait"
run frobnicate;             ends "unknown command" 2 "frobnicate"
run --frobnicate;           ends "unknown option before a command" 2 "--frobnicate"
for command in info run generate convert check bench; do
    run $command --help;            ends "$command --help" 0 "usage: krait $command"
    check "$command --help: every option has words" sh -c "! grep -q 'null' '$work/out'"
    run $command --frobnicate;      ends "$command: an unknown option" 2 "--frobnicate"
    check "$command: points to --help" has err "krait $command --help"
    run $command;                   ends "$command: no model" 2 "there is no"
done
run info a b;                       ends "one argument too many" 2 "too many: b"
run info --json=1 a;                ends "a flag with a value" 2 "--json"
run generate a --tokens;            ends "a value is missing" 2 "--tokens"
run generate a --tokens -1;         ends "a count below 0" 2 "--tokens"
run generate a --tokens 4294967296; ends "a count too large" 2 "--tokens"
run generate a --tokens=;           ends "an empty count" 2 "--tokens"
run generate a --temperature x;     ends "no number" 2 "--temperature"
run generate a --temperature inf;   ends "infinity" 2 "--temperature"
run run a --mode sideways;          ends "no such mode" 2 "recurrent|auto"
run run a --mode=rec --input x;     ends "half a choice" 2 "--mode"
run run a;                          ends "run without input" 2 "--input"
run run a --input x;                ends "run without output" 2 "--output"
run generate a --prompt x --prompt-ids 1; ends "two prompts" 2 "more than one prompt"

# ---- info --------------------------------------------------------------------------

run info "$work/nothing.gguf";      ends "no such file" 1 "nothing.gguf"
printf 'GGUF but not really' >"$work/bad.gguf"
run info "$work/bad.gguf";          ends "a damaged file" 1 "bad.gguf"
run info "$model";                  ends "info" 0 "mamba1"
check "info: parameters" has out "parameters"
check "info: the tree is drawn" has out "residual"
check "info: it can step" has out "any number of rows at a time"
run info "$model" --tensors;        ends "info --tensors" 0 "[32, 4]"
check "info --tensors: names" has out "A_log"
run info "$model" --metadata;       ends "info --metadata" 0 "metadata"
run info --hash -- "$model";        ends "info --hash" 0 "model hash"
run info "$model" --json --tensors --metadata --hash
ends "info --json" 0 '"description": {'
check "info --json: ends as it should" sh -c "tail -n 1 '$work/out' | grep -q '^}\$'"

# ---- trees of krait's own ----------------------------------------------------------

if [ $# -eq 1 ]; then
    for tree in whole mean grid; do
        mkdir "$work/$tree"
        $RUN "$work/make_tiny" "$work/$tree" $tree
        run info "$work/$tree"
        ends "info: $tree" 0
        sed -n '/^  runs /p; /^  [a-z]* order /p; /^  gives /p; /^  grid /p; /^tree/,$p' \
            "$work/out" >"$work/drawn"
        check "info: $tree as it should be" cmp "$here/trees/info-$tree.txt" "$work/drawn"
        run info "$work/$tree" --json
        ends "info --json: $tree" 0 '"slots": ['
        run check "$work/$tree" --steps 20
        ends "check: $tree" 0 " promises held, 0 broken"
        cp "$work/out" "$work/$tree.check"
        run bench "$work/$tree" --lanes 1,2 --rows 20 --seconds 0
        ends "bench: $tree" 0
        cp "$work/out" "$work/$tree.bench"
    done
    check "check: whole sequences are not cut" sh -c "! grep -q 'calls of' '$work/whole.check'"
    check "check: it says so" has whole.check "whole sequences, cannot step"
    check "check: each lane of whole sequences" has whole.check "each lane alone"
    check "check: with dt" has mean.check "saved and loaded, dt"
    check "check: no steps with orders" has grid.check "a step brings no orders"
    check "bench: cannot step" has whole.bench "cannot step"
fi

# ---- arrays ------------------------------------------------------------------------

( npy '<i4' '6,'; int32 72 101 108 108 111 33 ) >"$work/tokens.npy"
( npy '<i8' '6,'; int64 72 101 108 108 111 33 ) >"$work/tokens64.npy"
( npy '|u1' '6,'; printf 'Hello!' ) >"$work/tokens8.npy"
( npy '<i4' '2, 3'; int32 72 101 108 108 111 33 ) >"$work/lanes.npy"
( npy '<i4' '3,'; int32 72 101 108 ) >"$work/first.npy"
( npy '<i4' '3,'; int32 108 111 33 ) >"$work/rest.npy"
( npy '<f4' '3, 16'; zeros 192 ) >"$work/rows.npy"
( npy '<f8' '3, 16'; zeros 384 ) >"$work/rows64.npy"
( npy '<f4' '1, 3, 16'; zeros 192 ) >"$work/rows3.npy"
ran() {
    name=$1
    shift
    run run "$model" "$@" --quiet
    ends "$name" 0
}
same() { cmp -s "$work/$1" "$work/$2"; }

ran "run tokens" --input "$work/tokens.npy" --output "$work/a.npy"
check "run: size of the output" [ "$(size "$work/a.npy")" -eq $((128 + 6 * 256 * 4)) ]
check "run: its header" shaped a.npy "'shape': (6, 256), }"
run run "$model" --input "$work/tokens.npy" --output "$work/b.npy"
check "run: says what it did" has err "6 steps of 1 lane, recurrent"
check "run: the same twice" same a.npy b.npy
ran "run int64" --input "$work/tokens64.npy" --output "$work/b.npy"
check "run: int64 as int32" same a.npy b.npy
ran "run uint8" --input "$work/tokens8.npy" --output "$work/b.npy"
check "run: uint8 as int32" same a.npy b.npy
for chunk in 1 2 5 1000; do
    ran "run --chunk $chunk" --chunk $chunk --input "$work/tokens.npy" \
        --output "$work/b.npy"
    check "run: chunks of $chunk change nothing" same a.npy b.npy
done
for threads in 0 1 2 5; do
    ran "run --threads $threads" --threads $threads --chunk 2 --input "$work/tokens.npy" \
        --output "$work/b.npy"
    check "run: $threads threads change nothing" same a.npy b.npy
done
run run "$model" --threads 1000 --input "$work/tokens.npy" --output "$work/x.npy"
ends "run: too many threads" 1 "--threads 1000"
check "run: too many threads: nothing is written" gone "$work/x.npy"
ran "run --last" --last --input "$work/tokens.npy" --output "$work/b.npy"
data "$work/a.npy" 1024 >"$work/a.last"
data "$work/b.npy" 1024 >"$work/b.last"
check "run --last: the last row" same a.last b.last
check "run --last: its header" shaped b.npy '(256,)'

ran "run, saving" --input "$work/first.npy" --output "$work/b.npy" --state-out "$work/s"
ran "run, going on" --input "$work/rest.npy" --output "$work/c.npy" --state-in "$work/s"
( data "$work/b.npy" 3072; data "$work/c.npy" 3072 ) >"$work/bc"
data "$work/a.npy" 6144 >"$work/abc"
check "run: a saved state goes on" same bc abc
ran "run without output" --input "$work/first.npy" --state-out "$work/s2"
check "run: states are the same" same s s2
run run "$model" --input "$work/rest.npy" --state-in "$work/tokens.npy" \
    --output "$work/x.npy"
ends "run: a damaged state" 1 "tokens.npy"
check "run: nothing was written then" gone "$work/x.npy"

ran "run two lanes" --input "$work/lanes.npy" --output "$work/b.npy"
check "run: lanes in the header" shaped b.npy '(2, 3, 256)'
ran "run the first lane" --input "$work/first.npy" --output "$work/c.npy"
ran "run the second lane" --input "$work/rest.npy" --output "$work/d.npy"
( data "$work/c.npy" 3072; data "$work/d.npy" 3072 ) >"$work/cd"
data "$work/b.npy" 6144 >"$work/bb"
check "run: lanes are as if alone" same bb cd
ran "run --lanes" --lanes 3 --input "$work/first.npy" --output "$work/b.npy"
( data "$work/c.npy" 3072; data "$work/c.npy" 3072; data "$work/c.npy" 3072 ) >"$work/ccc"
data "$work/b.npy" 9216 >"$work/bbb"
check "run --lanes: three times the same" same bbb ccc
run run "$model" --lanes 3 --input "$work/lanes.npy" --output "$work/x.npy"
ends "run --lanes: not those of the input" 1 "2 lanes"

( npy '|b1' '6,'; printf '\000\000\000\001\000\000' ) >"$work/reset.npy"
ran "run --reset" --reset "$work/reset.npy" --input "$work/tokens.npy" \
    --output "$work/b.npy"
data "$work/b.npy" 6144 >"$work/bb"
check "run --reset: a new episode" same bb cd

ran "run features" --input "$work/rows.npy" --output "$work/b.npy"
ran "run float64" --input "$work/rows64.npy" --output "$work/c.npy"
check "run: float64 as float32" same b.npy c.npy
ran "run features of a lane" --input "$work/rows3.npy" --output "$work/c.npy"
check "run: 3 dimensions in, 3 out" shaped c.npy '(1, 3, 256)'

# ---- orders and rows by name -------------------------------------------------------

# named NAME STATUS WORDS ARGUMENTS: a run of one of krait's own trees, which is $tree.
named() {
    name=$1 wanted=$2 words=$3
    shift 3
    run run "$work/$tree" --quiet "$@"
    ends "run $tree: $name" "$wanted" "$words"
}
# floats NUMBERS: from 0 to 127, as 0.5 to almost 1.
floats() { for n; do printf "\\000\\000\\$(printf '%03o' "$n")\\077"; done; }

if [ $# -eq 1 ]; then
    mkdir "$work/kept"
    $RUN "$work/make_tiny" "$work/kept" kept
    first="1 100 3 90 5 80  70 8 60 10 50 12  13 40 15 30 17 20"
    second="9 19 29 39 49 59  69 79 89 99 109 119  118 108 98 88 78 68"
    # shellcheck disable=SC2086
    {
        ( npy '<f4' '3, 6'; floats $first ) >"$work/row-first.npy"
        ( npy '<f4' '3, 6'; floats $second ) >"$work/row-second.npy"
        ( npy '<f4' '2, 3, 6'; floats $first $second ) >"$work/both.npy"
    }
    ( npy '<i4' '3,'; int32 0 1 2 ) >"$work/forth.npy"
    ( npy '<i8' '3,'; int64 2 0 1 ) >"$work/turned.npy"
    ( npy '<i4' '2, 3'; int32 0 1 2 2 0 1 ) >"$work/orders.npy"

    tree=whole
    for row in first second; do
        for order in forth turned; do
            named "--order $row, $order" 0 "" --input "$work/row-$row.npy" \
                --order "path=$work/$order.npy" --rows="hidden=$work/h.npy" \
                --output "$work/$row-$order.npy"
        done
    done
    check "run --order: an output of 4 rows" shaped first-forth.npy "'shape': (4, 3), }"
    check "run --rows: 3 were kept" shaped h.npy "'shape': (3, 16), }"
    check "run --order: it matters" \
        sh -c "! cmp -s '$work/first-forth.npy' '$work/first-turned.npy'"
    named "--order for each lane" 0 "" --input "$work/both.npy" \
        --order "path=$work/orders.npy" --output "$work/y.npy" --rows "hidden=$work/h2.npy" \
        --rows "longer=$work/long.npy"
    check "run --rows: as many as there are" shaped long.npy "'shape': (2, 4, 16), }"
    check "run --order: shape" shaped y.npy "'shape': (2, 4, 3), }"
    ( data "$work/first-forth.npy" 48; data "$work/second-turned.npy" 48 ) >"$work/alone"
    data "$work/y.npy" 96 >"$work/lanes"
    check "run --order: lanes are as if alone" same alone lanes
    data "$work/h.npy" 192 >"$work/alone"
    data "$work/h2.npy" 192 >"$work/lanes"
    check "run --rows: lanes are as if alone" same alone lanes
    named "one --order for all lanes" 0 "" --input "$work/both.npy" \
        --order "path=$work/turned.npy" --output "$work/y.npy"
    ( data "$work/first-turned.npy" 48; data "$work/second-turned.npy" 48 ) >"$work/alone"
    data "$work/y.npy" 96 >"$work/lanes"
    check "run --order: lanes are as if alone with one order" same alone lanes
    named "--last" 0 "" --last --input "$work/row-first.npy" --order "path=$work/turned.npy" \
        --output "$work/y.npy"
    check "run --last of a whole sequence: shape" shaped y.npy "'shape': (3,), }"
    data "$work/first-turned.npy" 12 >"$work/alone"
    data "$work/y.npy" 12 >"$work/lanes"
    check "run --last of a whole sequence: the last row" same alone lanes

    usual="--input $work/row-first.npy --output $work/x.npy"
    ( npy '<i4' '2,'; int32 0 1 ) >"$work/o2.npy"
    ( npy '<i4' '3,'; int32 0 1 1 ) >"$work/o3.npy"
    ( npy '<i4' '3,'; int32 0 1 3 ) >"$work/o4.npy"
    # shellcheck disable=SC2086
    {
        named "no order" 1 "--order path=FILE.npy is missing" $usual
        named "--order of no such name" 1 "--order hidden: the model takes no" $usual \
            --order "hidden=$work/forth.npy"
        named "--order without a name" 2 "--order cannot be x.npy" $usual --order x.npy
        named "--order, empty name" 2 "--order cannot be =x" $usual --order =x
        named "--order, empty file" 2 "--order cannot be path=" $usual --order=path=
        named "--order twice" 2 "another NAME" $usual --order path=a --order path=b
        named "--order not there" 1 "no.npy" $usual --order "path=$work/no.npy"
        named "--order of another length" 1 "--order path: must be [3] or [1, 3]" $usual \
            --order "path=$work/o2.npy"
        named "--order of other lanes" 1 "--order path: must be" $usual \
            --order "path=$work/orders.npy"
        named "--order of floats" 1 "--order path: floats" $usual --order "path=$work/row-first.npy"
        named "--order, a number twice" 1 "--order: order 'path' at lane 0" $usual \
            --order "path=$work/o3.npy"
        named "--order, too large" 1 "--order: order 'path'" $usual --order "path=$work/o4.npy"
        named "--rows of no such name" 1 "--rows path: the model keeps no" $usual \
            --order "path=$work/forth.npy" --rows "path=$work/x.npy"
        named "--rows without a name" 2 "--rows cannot be x.npy" $usual --rows x.npy
    }
    check "run --order: nothing is written" gone "$work/x.npy"

    tree=kept
    named "--rows" 0 "" --input "$work/row-first.npy" --output "$work/y.npy" \
        --rows "last=$work/last.npy" --rows "hidden=$work/h.npy"
    check "run --rows: kept after the last layer, the output" same y.npy last.npy
    check "run --rows: shape" shaped h.npy "'shape': (3, 16), }"
    named "--rows alone" 0 "" --input "$work/row-first.npy" --rows "hidden=$work/h2.npy" --chunk 1
    check "run --rows: chunks change nothing" same h.npy h2.npy
    named "--rows of lanes" 0 "" --input "$work/both.npy" --last --output "$work/y.npy" \
        --rows "hidden=$work/h2.npy" --rows "last=$work/last.npy"
    check "run --rows: shape with lanes" shaped h2.npy "'shape': (2, 3, 16), }"
    data "$work/h.npy" 192 >"$work/alone"
    tail -c +129 "$work/h2.npy" | head -c 192 >"$work/lanes"
    check "run --rows: the first lane is as if alone" same alone lanes
    data "$work/y.npy" 12 >"$work/alone"
    data "$work/last.npy" 12 >"$work/lanes"
    check "run --rows: all of them with --last" same alone lanes
    named "--order of no order" 1 "--order path: the model takes no" \
        --input "$work/row-first.npy" --output "$work/x.npy" --order "path=$work/forth.npy"

    tree=grid
    ( npy '<f4' '1, 24'
      floats 1 99 3 97 5 95 7 93 9 91 11 89 13 87 15 85 17 83 19 81 21 79 23 77 ) >"$work/cells.npy"
    ( npy '<i4' '1, 12'; int32 0 1 2 3 4 5 6 7 8 9 10 11 ) >"$work/o1.npy"
    ( npy '<i4' '2, 1, 12'; int32 0 1 2 3 4 5 6 7 8 9 10 11 11 10 9 8 7 6 5 4 3 2 1 0 ) \
        >"$work/o2.npy"
    named "--order" 0 "" --input "$work/cells.npy" --order "cells=$work/o1.npy" \
        --output "$work/y.npy"
    named "--order of lanes" 0 "" --input "$work/cells.npy" --lanes 2 \
        --order "cells=$work/o2.npy" --output "$work/y2.npy"
    data "$work/y.npy" 12 >"$work/alone"
    tail -c +129 "$work/y2.npy" | head -c 12 >"$work/lanes"
    check "run --order: cells of the first lane" same alone lanes
    data "$work/y2.npy" 12 >"$work/lanes"
    check "run --order: other cells, another output" sh -c "! cmp -s '$work/alone' '$work/lanes'"
    named "--order without cells" 1 "--order cells: must be [1, 12] or [1, 1, 12]" \
        --input "$work/cells.npy" --order "cells=$work/forth.npy" --output "$work/x.npy"
fi

# ---- arrays that are wrong ---------------------------------------------------------

# wrong NAME WORDS < ARRAY
wrong() {
    cat >"$work/wrong.npy"
    run run "$model" --input "$work/wrong.npy" --output "$work/x.npy"
    ends "wrong array: $1" 1 "$2"
    check "wrong array: $1: nothing is written" gone "$work/x.npy"
}
printf '' | wrong "empty" "not a .npy file"
printf 'PK\003\004abcdefgh' | wrong "a .npz" "not a .npy file"
printf '\223NUMPY\004\000\166\000' | wrong "version 4" "version 4"
printf '\223NUMPY\001\000\166\000{' | wrong "half a header" "ends within its header"
printf '\223NUMPY\002\000\377\377\377\377{' | wrong "a header of 4 GB" "of 4294967295"
( npy '<i4' '6,'; int32 1 2 3 4 5 ) | wrong "too short" "5 of 6"
( npy '<i4' '6,'; int32 1 2 3 4 5 6 7 ) | wrong "too long" "more in the file"
( npy '<i4' '1000000000000,'; int32 1 ) | wrong "a million million" "ends after 1 of"
( npy '<i4' '4611686018427387904, 4' ) | wrong "a shape that overflows" "too large"
( npy '<i4' '99999999999999999999999,' ) | wrong "a size that overflows" "understood"
( npy '<i4' '' ) | wrong "no dimensions" "one number"
( npy '<i4' '1, 1, 1, 1'; int32 1 ) | wrong "four dimensions" "more than 3"
( npy '<i4' '1, 1, 1'; int32 1 ) | wrong "tokens of three dimensions" "[lanes, steps]"
( npy '<f4' '16,'; zeros 64 ) | wrong "features of one dimension" "[steps, width]"
( npy '<f4' '3, 15'; zeros 180 ) | wrong "another width" "15 numbers, but"
( npy '<f4' '3, 16' True; zeros 192 ) | wrong "Fortran order" "Fortran"
( npy '<f2' '3, 16'; zeros 96 ) | wrong "float16" "float16"
( npy '>i4' '1,'; zeros 4 ) | wrong "big-endian" "big-endian"
( npy '<c8' '1,'; zeros 8 ) | wrong "complex" "<c8"
( npy '<U1' '1,'; zeros 4 ) | wrong "text" "<U1"
( npy '<i8' '1,'; printf '\000\000\000\000\001\000\000\000' ) | wrong "2^32" "fit 32 bits"
( npy '<i4' '1,'; printf '\000\001\000\000' ) | wrong "token 256" "token"
( npy '<i4' '1,'; printf '\376\377\377\377' ) | wrong "token -2" "token"
( npy "<i4', 'x': '1" '1,'; int32 1 ) | wrong "an unknown key" "understood"
( npy "<i4', 'descr': '<i4" '1,'; int32 1 ) | wrong "a key twice" "understood"
printf '\223NUMPY\001\000\002\000{}' | wrong "no keys" "understood"
printf '\223NUMPY\001\000\012\000{"descr": [' | wrong "half a dict" "records"
# Version 2, another order, other quotes, no blanks: legal.
( printf '\223NUMPY\002\000\100\000\000\000%-63s\n' \
    '{"shape":(6,),"fortran_order":True,"descr":"<i4"}'
  int32 72 101 108 108 111 33 ) >"$work/odd.npy"
ran "run an odd header" --input "$work/odd.npy" --output "$work/b.npy"
check "run: an odd header is fine" same a.npy b.npy
run run "$model" --input "$work/tokens.npy" --reset "$work/first.npy" \
    --output "$work/x.npy"
ends "reset of another length" 1 "must be [6]"
run run "$model" --input "$work/tokens.npy" --output "$work/no/such/x.npy"
ends "an output that cannot be" 1 "cannot be written"
( trap '' XFSZ
  ulimit -f 1
  $RUN "$krait" run "$model" --input "$work/tokens.npy" --output "$work/x.npy" 2>"$work/err" )
status=$?
ends "an output that is cut off" 1 "cannot be written"
check "an output that is cut off: nothing is left" gone "$work/x.npy"
( trap '' XFSZ
  ulimit -f 0
  $RUN "$krait" run "$model" --input "$work/tokens.npy" --state-out "$work/x" 2>&1 ) |
    cat >"$work/err"
check "a state that is cut off: a complaint" has err "cannot be written"
check "a state that is cut off: nothing is left" gone "$work/x"
: >"$work/b.npy"
ln -s b.npy "$work/link.npy"
run run "$model" --input "$work/tokens.npy" --output "$work/link.npy"
check "an output to a link" same a.npy b.npy
check "an output to a link: it still is one" [ -L "$work/link.npy" ]
run run "$model" --input "$work/no.npy" --output "$work/x.npy"
ends "an input that is not there" 1 "no.npy"

# ---- generate ----------------------------------------------------------------------

run generate "$model" --tokens 20 --ids --prompt Hello
ends "generate" 0
check "generate: 20 ids" [ "$(wc -w <"$work/out")" -eq 20 ]
check "generate: speeds at the end" has err "prompt: 5 tokens"
cp "$work/out" "$work/ids"
run generate "$model" --tokens 20 --ids --prompt-ids '72,101, 108,108,111' --quiet
check "generate: ids as text" same out ids
check "generate --quiet" [ ! -s "$work/err" ]
printf 'Hello' >"$work/prompt"
run generate "$model" --tokens 20 --ids --prompt-file "$work/prompt" --chunk 2
check "generate: a file as text" same out ids
run generate "$model" --tokens 20 --ids --prompt Hello --threads 3 --quiet
check "generate: threads change nothing" same out ids
run generate "$model" --threads 257;    ends "generate: too many threads" 1 "--threads 257"
run generate "$model" --tokens 20 --ids --prompt Hello --seed 2
check "generate: another seed" sh -c "! cmp -s '$work/out' '$work/ids'"
run generate "$model" --tokens 20 --ids --prompt Hello --top-k 40 --top-p 0.9 \
    --min-p 0.01 --repetition 1.2 --temperature 1.5
ends "generate with everything" 0
run generate "$model" --tokens 3 --ids --temperature 0
ends "generate without a prompt" 0
: >"$work/end" >"$work/went-on"
for first in 1 2 3 5 8 13 21 34; do     # some of them write several tokens, not one again
    run generate "$model" --tokens 6 --ids --temperature 0 --prompt-ids $first
    cut -d ' ' -f 2-6 "$work/out" >>"$work/end"
    second=$(cut -d ' ' -f 1 "$work/out")
    run generate "$model" --tokens 5 --ids --temperature 0 --prompt-ids "$first,$second"
    cut -d ' ' -f 1-5 "$work/out" >>"$work/went-on"
done
check "generate: its own text goes on as it did" same end went-on
run generate "$model" --tokens 0 --prompt Hello --echo
ends "generate --echo" 0 "Hello"
printf '\303\251 \342\202\254\360\237\230\200 \342\202z\377\303\303\251\360' >"$work/odd"
run generate "$model" --tokens 0 --prompt-file "$work/odd" --echo
echo >>"$work/odd"
check "generate: characters and other bytes come through" same out odd
run generate "$model" --tokens 100 --prompt Hello
check "generate: text" [ "$(size "$work/out")" -eq 101 ]
run generate "$model" --prompt-ids 1,2x;    ends "half an id" 1 "--prompt-ids"
run generate "$model" --prompt-ids 1,x;     ends "ids that are none" 1 "--prompt-ids"
run generate "$model" --prompt-ids 256;     ends "an id too large" 1 "256"
run generate "$model" --prompt-ids -1;      ends "an id below 0" 1 "-1"
run generate "$model" --prompt-file "$work/none"; ends "no such prompt" 1 "none"
run generate "$model" --top-p 2;            ends "a top-p of 2" 1 "krait:"
run generate "$model" --temperature -1;     ends "a temperature below 0" 1 "krait:"

# A session put away and taken up goes on as it would have, chance and all.
run generate "$model" --tokens 40 --ids --prompt Hello --repetition 1.2 --seed 7 --quiet
cp "$work/out" "$work/all"
run generate "$model" --tokens 15 --ids --prompt Hello --repetition 1.2 --seed 7 --quiet --save-state "$work/session"
ends "generate --save-state" 0
tr -d '\n' <"$work/out" >"$work/parts"
run generate "$model" --tokens 25 --ids --repetition 1.2 --load-state "$work/session" --quiet
ends "generate --load-state" 0
cat "$work/out" >>"$work/parts"
check "generate: a saved session goes on as if it had not been" same all parts
run generate "$model" --tokens 0 --prompt He --save-state "$work/session" --quiet
run generate "$model" --tokens 40 --ids --prompt llo --repetition 1.2 --seed 7 --load-state "$work/session" --quiet
run generate "$model" --tokens 5 --temperature 0 --ids --prompt Hello --quiet
cp "$work/out" "$work/all"
run generate "$model" --tokens 5 --temperature 0 --ids --prompt llo --load-state "$work/session" --quiet
check "generate: a prompt goes on a saved session" same out all
printf 'krait session 1\npending 300\n' >"$work/bad.session"
run generate "$model" --load-state "$work/bad.session"; ends "generate: no session" 1 "is no session"
head -c 200 "$work/session" >"$work/bad.session"
run generate "$model" --load-state "$work/bad.session"; ends "generate: half a session" 1 "bad.session"
run generate "$model" --load-state "$work/none";        ends "generate: no such session" 1 "none"
run generate "$model" --tokens 2 --prompt Hello --verbose
check "generate --verbose" has err "prefill: 5 tokens in"
check "generate --verbose: loading" has err "load: "
$RUN "$krait" generate "$model" --tokens 0 --echo --prompt-file - --quiet <"$work/prompt" >"$work/out" 2>"$work/err"
status=$?
ends "generate: a prompt from standard input" 0 "Hello"

# Stops: the third byte of what it writes, held back and not written.
run generate "$model" --tokens 12 --prompt Hello --seed 3 --quiet
whole=$(od -An -v -tx1 "$work/out" | tr -d ' \n')
stop=$(head -c 5 "$work/out" | tail -c 2 | od -An -v -tx1 | tr -d ' \n')
run generate "$model" --tokens 12 --prompt Hello --seed 3 --quiet \
    --stop nowhere --stop "$(printf "\\$(printf '%03o' 0x"${stop%??}")\\$(printf '%03o' 0x"${stop#??}")")"
cut=$(od -An -v -tx1 "$work/out" | tr -d ' \n')
case $whole in "${cut%0a}$stop"*) true ;; *) false ;; esac
verdict $? "generate --stop"
run generate "$model" --stop '';                ends "generate: an empty stop" 2 "--stop"

# Perplexity is that of the logits, and says nothing of one token.
run generate "$model" --perplexity "$here/test_cli.sh" --quiet
ends "generate --perplexity" 0 "bits a byte"
cp "$work/out" "$work/predicted"
run generate "$model" --perplexity "$here/test_cli.sh" --chunk 7 --quiet
check "generate --perplexity: chunks change nothing" same out predicted
printf x >"$work/one"
run generate "$model" --perplexity "$work/one"; ends "generate --perplexity: one token" 1 "nothing to predict"
run generate "$model" --perplexity a --prompt b; ends "generate --perplexity with a prompt" 2 "--perplexity"

# talk LINES...: turns of four tokens; what was written in $work/out.
talk() {
    for line; do printf '%s\n' "$line"; done >"$work/lines"
    $RUN "$krait" generate "$model" --interactive --tokens 4 --temperature 0 <"$work/lines" >"$work/out" 2>"$work/err"
    status=$?
}
talk Hello one; cp "$work/out" "$work/two"
ends "generate --interactive" 0
check "interactive: two turns of four bytes" [ "$(size "$work/two")" -ge 10 ]
talk Hello other /undo one
head -c "$(($(size "$work/two") / 2))" "$work/out" >"$work/first"
tail -c "$(($(size "$work/two") / 2))" "$work/out" >"$work/last"
cat "$work/first" "$work/last" >"$work/undone"
check "interactive: /undo is as if it had not been said" same undone two
talk Hello /again; cp "$work/out" "$work/again"
talk Hello; cat "$work/out" "$work/out" >"$work/twice"
check "interactive: /again from the same place" same again twice
talk /undo;                             check "interactive: nothing to undo" has err "nothing to take back"
talk /again;                            check "interactive: nothing to repeat" has err "no turn to repeat"
talk /frobnicate;                       check "interactive: no such order" has err "no such order"
talk Hello "/save $work/talked" /quit x; ends "interactive: /save and /quit" 0
check "interactive: what was saved goes on" sh -c "head -n 1 '$work/talked' | grep -q 'krait session 1'"

$RUN "$krait" generate "$model" --tokens 4000000000 >"$work/out" 2>"$work/err" &
long=$!
sleep 1
kill -TERM $long
finish $long
ends "generate: interrupted" 1 "written:"
if [ -e /dev/full ]; then
    $RUN "$krait" generate "$model" --tokens 4000000000 >/dev/full 2>"$work/err" &
    finish $!
    ends "generate: a full disk" 1 "cannot be written"
fi

# ---- check --------------------------------------------------------------------------

run check "$model"
ends "check" 0 " promises held, 0 broken"
check "check: recurrent by single steps" has out "single steps                   same bits"
check "check: modes that are not there" has out "not there"
run check "$model" --steps 3 --lanes 1 --seed 2
ends "check: few rows" 0 "1 lane of 3 rows, seed 2"
run check "$model" --steps 1
ends "check: one row" 0 " 0 broken"
run check "$model" --lanes 0;       ends "check: no lanes" 2 "--lanes"
run check "$work/bad.gguf";         ends "check: a damaged file" 1 "bad.gguf"

# ---- bench --------------------------------------------------------------------------

run bench "$model" --lanes 1,3 --threads 1,2 --rows 20 --seconds 0
ends "bench" 0 "prefill rows/s"
lines=$(grep -c '^ *[12]  *[13]  *[0-9.]*  *[0-9.]*  *[0-9.]*  ' "$work/out")
check "bench: a line for each" [ "$lines" -eq 4 ]
check "bench: figures above 0" sh -c "! grep -q '  0\.0  ' '$work/out'"
run bench "$model" --lanes 1,3 --threads 2 --rows 20 --seconds 0 --json
ends "bench --json" 0 '"decode_rows_per_second"'
check "bench --json: threads and lanes" has out '"threads": 2, "lanes": 3,'
check "bench --json: ends as it should" sh -c "tail -n 1 '$work/out' | grep -q '^}\$'"
for list in 0 '1,' x '1,x' '1;2' ',1' '1,,2' '' 99999999999999999999 \
    1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17; do
    run bench "$model" --lanes "$list"; ends "bench: no lanes are '$list'" 2 "--lanes"
done
run bench "$model" --threads 1,-2;  ends "bench: threads below 0" 2 "--threads"
run bench "$model" --threads 300;   ends "bench: too many threads" 1 "--threads 300"
run bench "$model" --chunk 0;       ends "bench: no chunk" 2 "--chunk"
run bench "$model" --seconds -1;    ends "bench: less than no time" 2 "--seconds"
$RUN "$krait" bench "$model" --seconds 100 >"$work/out" 2>"$work/err" &
long=$!
sleep 1
kill -TERM $long
finish $long
ends "bench: interrupted" 1 "interrupted"

# ---- convert -----------------------------------------------------------------------

id() { $RUN "$krait" info "$1" 2>/dev/null | sed -n 's/^  model id *//p'; }
run convert "$model" "$work/f32.gguf"
ends "convert" 0
check "convert: says the sizes" has err "% of"
check "convert: the same id" [ "$(id "$model")" = "$(id "$work/f32.gguf")" ]
check "convert: an id at all" [ "$(id "$model" | wc -c)" -eq 17 ]
run run "$work/f32.gguf" --input "$work/tokens.npy" --output "$work/b.npy"
check "convert: the same numbers" same a.npy b.npy
run generate "$work/f32.gguf" --tokens 20 --ids --prompt Hello --quiet
check "convert: the same text" same out ids
for type in f16 bf16 q8_0 q6_k q5_k q4_k q4_0; do
    run convert "$model" "$work/$type.gguf" --type $type --read
    ends "convert --type $type" 0
    check "convert: $type is smaller" \
        [ "$(size "$work/$type.gguf")" -lt "$(size "$work/f32.gguf")" ]
    run run "$work/$type.gguf" --input "$work/tokens.npy" --output "$work/$type.npy"
    ends "run $type" 0
    run convert "$model" "$work/$type-panels.gguf" --type $type --layout panels
    ends "convert --type $type --layout panels" 0
    run run "$work/$type-panels.gguf" --input "$work/tokens.npy" --output "$work/b.npy"
    check "convert: $type panels, the same numbers" same $type.npy b.npy
done
run convert "$work/f16.gguf" "$work/again.gguf" --type f16
ends "convert a GGUF" 0
run convert "$model" "$work/no/such/x.gguf"
ends "convert: an output that cannot be" 1 "krait:"
run convert "$work/bad.gguf" "$work/x.gguf"
ends "convert: a damaged file" 1 "bad.gguf"
check "convert: nothing is left of it" [ -z "$(ls "$work" | grep '^x\.gguf')" ]
cp "$work/f32.gguf" "$work/keep.gguf"
run convert "$work/bad.gguf" "$work/keep.gguf"
check "convert: a failure keeps what was there" same f32.gguf keep.gguf

# ---- vocabularies -----------------------------------------------------------------

# le BYTES VALUE: little-endian.  text WORDS, key NAME TYPE: as GGUF has them.
le() {
    n=$1 v=$2
    while [ "$n" -gt 0 ]; do
        printf "\\$(printf %03o $((v % 256)))"
        n=$((n - 1)) v=$((v / 256))
    done
}
text() { le 8 "$(printf %s "$1" | wc -c)"; printf %s "$1"; }
key()  { text "$1"; le 4 "$2"; }

# A tree over 7 tokens of which 5 are in the vocabulary; token n is followed by token 0.
tree='{"model_type":"krait","version":1,"input":{"tokens":7},"tree":{"sequence":[
{"embed":{"width":1,"weights":{"weight":"e"}}},{"linear":{"width":7,"weights":{"weight":"e"}}}]}}'
{
    printf GGUF; le 4 3; le 8 1; le 8 7
    key general.architecture 8; text krait
    key krait.description 8; text "$tree"
    key tokenizer.ggml.model 8; text llama
    key tokenizer.ggml.tokens 9; le 4 8; le 8 5
    text ' one'; text '▁two'; text '<0x0A>'; text "$(printf '\033[2J')"; text five
    key tokenizer.ggml.token_type 9; le 4 5; le 8 5
    le 4 1; le 4 1; le 4 6; le 4 1; le 4 1
    key tokenizer.ggml.bos_token_id 4; le 4 3
    key tokenizer.ggml.eos_token_id 4; le 4 4
    text e; le 4 2; le 8 1; le 8 7; le 4 0; le 8 0
} >"$work/head"
{
    cat "$work/head"
    le $(((32 - $(size "$work/head") % 32) % 32)) 0
    # 2.0, 1.0 and so on: the logits of token 0 are the highest, since 2 has the greatest square.
    for one in 64 63 63 63 63 63 63; do le 2 0; le 1 $((one == 63 ? 128 : 0)); le 1 "$one"; done
} >"$work/words.gguf"
run info "$work/words.gguf"
ends "info: a vocabulary" 0 "llama, 5 tokens; bos 3, eos 4"
check "info: tokens" has out '1 " two"'
check "info: a byte token" has out '2 "\n"'
check "info: nothing steers the terminal" has out '3 "\x1b[2J"'
run info "$work/words.gguf" --json
check "info --json: a vocabulary" has out '"tokens": 5'
run generate "$work/words.gguf" --prompt-ids 1,6 --echo --tokens 3 --temperature 0 --quiet
ends "generate: with a vocabulary" 0
check "generate: its text" [ "$(cat "$work/out")" = "two one one one" ]
run generate "$work/words.gguf" --prompt x
ends "generate: a prompt that cannot be encoded" 1 "--prompt-ids"
run convert "$work/words.gguf" "$work/words-too.gguf"
run info "$work/words-too.gguf"
ends "convert: a vocabulary goes over" 0 "llama, 5 tokens; bos 3, eos 4"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
