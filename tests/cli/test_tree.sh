#!/bin/sh
# test_tree.sh BUILD - descriptions, drawn as trees/*.txt have them; COMPILE and LINK come
# from the Makefile.
set -u
RUN=${RUN-}                     # what runs a program of another machine, as words
build=$1
here=$(dirname "$0")
work=$(mktemp -d "${TMPDIR:-/tmp}/krait-tree.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
failed=0

$COMPILE -Isrc -Iinclude -c -o "$work/draw.o" "$here/draw.c" &&
    $LINK -pthread -o "$work/draw" "$work/draw.o" "$build/command.a" "$build/libkrait.a" -lm ||
    exit 1

for json in "$here"/trees/*.json; do
    $RUN "$work/draw" <"$json" >"$work/out" || { echo "$json: cannot be drawn"; failed=1; }
    diff "${json%.json}.txt" "$work/out" || { echo "$json: drawn otherwise"; failed=1; }
    $RUN "$work/draw" --cut <"$json" >"$work/cut" || { echo "$json, cut: cannot be drawn"; failed=1; }
    tail -n "$(wc -l <"$work/out")" "$work/cut" | cmp -s - "$work/out" ||
        { echo "$json: its last cut is not the whole"; failed=1; }
done
exit $failed
