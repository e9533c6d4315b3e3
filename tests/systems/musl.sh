#!/bin/sh
# musl.sh - the library, the command and the tests as static programs of musl, by musl-gcc (Debian: musl-tools).
set -u
. "$(dirname "$0")/common.sh"
needs musl-gcc readelf

tests CC=musl-gcc LDFLAGS=-static T="symbols programs examples see audio motion command $(echo $THERE)"
program=$W/.build/musl-gcc/krait
! readelf -lW "$program" | grep -q INTERP || fail "$program is not static"
! grep -aq 'GLIBC_' "$program" || fail "$program has something of glibc"
echo "krait of musl: $(wc -c <"$program") bytes, static"
