#!/bin/sh
# All of the library compiles as one file, without a macro that means two things, and
# passes the conformance tests; without optimisation, which compiles ten times as fast.
set -u
one=$BUILD/one_file

# What a file asks of the system's headers must stand before the first of them.
# shellcheck disable=SC2086
{
    sed -n '/^#define _[A-Z0-9_]*_SOURCE/p' $SOURCES | sort -u
    printf '#include "%s"\n' $SOURCES
} >"$one.c"
$COMPILE -O0 -I. -Isrc -Iinclude -c -o "$one.o" "$one.c" >"$one.log" 2>&1
result=$?
cat "$one.log"
[ $result -eq 0 ] || exit 1
! grep -q 'redefined' "$one.log" || exit 1

# shellcheck disable=SC2086
$LINK -o "$one" $OBJECTS "$one.o" -lm || exit 1
# shellcheck disable=SC2086
[ -z "$($RUN "$one" -l conformance)" ] || $RUN "$one" -j 0 conformance
