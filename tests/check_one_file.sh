#!/bin/sh
# The amalgamation compiles without a warning, gives away what krait.map does and passes the
# conformance tests; without optimisation, which compiles ten times as fast.
set -u
one=$BUILD/one_file

$COMPILE -O0 -Wall -Wextra -c -o "$one.o" "$ONE/krait.c" >"$one.log" 2>&1
result=$?
cat "$one.log"
[ $result -eq 0 ] && [ ! -s "$one.log" ] || exit 1

readelf=$($CC -print-prog-name=readelf)
case $SPECIAL in *sanitizers*) readelf= ;; esac
if command -v "$readelf" >/dev/null; then
    sed -n 's/^ *\([A-Za-z0-9_]*\);.*/\1/p' src/krait.map | sort >"$one.mapped"
    "$readelf" -Ws "$one.o" | awk '$5 == "GLOBAL" && $6 == "DEFAULT" && $7 != "UND" { print $8 }' |
        sort >"$one.given"
    diff "$one.mapped" "$one.given" || { echo "krait.map (<), the amalgamation (>)"; exit 1; }
fi

# shellcheck disable=SC2086
$LINK -o "$one" $OBJECTS "$one.o" -lm || exit 1
# shellcheck disable=SC2086
[ -z "$($RUN "$one" -l conformance)" ] || $RUN "$one" -j 0 conformance
