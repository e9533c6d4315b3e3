#!/bin/sh
# test_check.sh BUILD - does krait check see what it looks for?
#
# The command is linked against a library that breaks one promise at a time (faults.c), and
# has to say which.  COMPILE and LINK come from the Makefile.
set -u
RUN=${RUN-}                     # what runs a program of another machine, as words
build=$1
here=$(dirname "$0")
work=$(mktemp -d "${TMPDIR:-/tmp}/krait-check.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

mkdir "$work/tiny" "$work/whole" "$work/kept"
wraps=$(sed -n 's/^[a-z].* __wrap_\(krait_[a-z_]*\)(.*/\1/p' "$here/faults.c" | sort -u |
    sed 's/^/-Wl,--wrap=/')
# shellcheck disable=SC2086
${CC:-cc} -o "$work/make_tiny" "$here/make_tiny.c" && $RUN "$work/make_tiny" "$work/tiny" &&
    $RUN "$work/make_tiny" "$work/whole" whole &&
    $RUN "$work/make_tiny" "$work/kept" kept &&
    $COMPILE -Iinclude -c -o "$work/faults.o" "$here/faults.c" &&
    $LINK -pthread -o "$work/krait" "$build"/src/cli/*.o "$work/faults.o" $wraps \
        "$build/libkrait.a" -lm || exit 1

model=tiny

verdict() {
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $2"
        sed 's/^/       /' "$work/out"
    fi
}

check() {
    # shellcheck disable=SC2086
    KRAIT_FAULT=$1 $RUN "$work/krait" check "$work/$model" >"$work/out" 2>&1 </dev/null
    status=$?
}

# holds FAULT WORDS: nothing is broken, and a line has the words.
holds() {
    check "$1"
    [ $status -eq 0 ] && ! grep -q BROKEN "$work/out" && grep -q -e "$2" "$work/out" &&
        grep -q '^[1-9][0-9]* promises held, 0 broken$' "$work/out"
    verdict $? "$1: nothing is broken"
}

# broken FAULT MODE NAME: it says so of that line, and of no other in recurrent mode.
broken() {
    check "$1"
    [ $status -eq 1 ] && grep -q "^  $2  *$3 .* BROKEN\$" "$work/out"
    verdict $? "$1: $2, $3, is broken"
    others=$(grep '^  recurrent.*BROKEN$' "$work/out" | grep -cv "^  recurrent  *$3 ")
    [ "$others" -le "${4:-0}" ]
    verdict $? "$1: $others other lines are broken too"
}

holds  none                     'recurrent  *single steps  *same bits  same bits  same bits  held$'
broken step      recurrent      'single steps'
broken cut-1     recurrent      'calls of 1 row'
broken cut-7     recurrent      'calls of 7 rows'
broken cut-37    recurrent      'calls of 37 rows'
broken cut-64    recurrent      'calls of 64 rows'
broken chunk-1   recurrent      'chunk 1' 1         # single steps have it too
broken chunk-all recurrent      'chunk of all rows'
broken alone     recurrent      'each lane alone'
broken threads   recurrent      '2 threads'
broken backwards recurrent      '2 tasks, the last first'
broken last      recurrent      'only the last row'
broken plain     recurrent      'plain C kernels'
broken load      recurrent      'saved and loaded'
broken reset     recurrent      'again after a reset'
broken episode   recurrent      'a second episode'
broken state     recurrent      'calls of 1 row' 1
holds  dt                       'recurrent  *calls of 7 rows, dt  *same bits .* held$'
broken dt-cut    recurrent      'calls of 7 rows, dt'
holds  scan                     'scan  *one call, chunk 64  *1e-04  *[1-9.]*e-0[67] .*held$'
holds  scan                     'scan  *2 threads  *same bits  *same bits'
broken scan-far  scan           'one call, chunk 64'
broken scan-threads scan        '2 threads'
broken scan-fails scan          ''
broken auto-lies auto           'one call, chunk 64'
broken second    recurrent      'a second episode'
broken lengths   recurrent      'lanes of other lengths'
broken past      recurrent      'lanes of other lengths'
broken awake     recurrent      'lanes of other lengths'
broken counts    recurrent      'lanes of other lengths'
model=kept
holds  none                     'recurrent  *lanes of other lengths  *same bits  same bits  same bits  same bits  held$'
holds  none                     'recurrent  *single steps  *same bits  same bits  same bits  none  *held$'
broken kept-cut  recurrent      'calls of 7 rows  *same bits  same bits  same bits  [^s].*'
broken kept-end  recurrent      'only the last row  *same bits  same bits  same bits  [^s].*'
broken kept-past recurrent      'lanes of other lengths  *same bits  same bits  same bits  inf .*'
broken past      recurrent      'lanes of other lengths'
model=whole
holds  none                     'recurrent  *each lane alone  *same bits  same bits  none  *same bits  held$'
holds  none                     'recurrent  *lanes of other lengths  *same bits  same bits  none  *same bits  held$'
broken kept-end  recurrent      'only the last row  *same bits  same bits  none  *[^s].*'
broken kept-stride recurrent    '2 tasks, the last first  *same bits  same bits  none  *inf .*'
broken lengths   recurrent      'lanes of other lengths'
broken past      recurrent      'lanes of other lengths'
broken counts    recurrent      'lanes of other lengths'
broken alone     recurrent      'each lane alone'
broken backwards recurrent      '2 tasks, the last first'
broken last      recurrent      'only the last row'
broken episode   recurrent      'a second episode'
broken second    recurrent      'a second episode'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
