#!/bin/sh
# record.sh - what programs compiled against this version of krait will rely on, into
# tests/abi/<version>/: `make abi-record`, once a release, just before its tag.
#
#     krait.h             as it was released
#     layout-64, -32      every constant, type, struct, field and function (layout.awk), x86-64 and i386
#     symbols             every exported name and its version
#     library.abi         what libabigail knows of the library, x86-64
set -u
cd "$(dirname "$0")/../.." || exit 1
W=$(mktemp -d) || exit 1
trap 'rm -rf "$W"' EXIT
. tests/abi/tables.sh

version=$(version include/krait.h)
to=tests/abi/$version
if [ -d "$to" ] && git rev-parse -q --verify "refs/tags/v$version" >/dev/null 2>&1; then
    echo "$version is released: its record stays as it is"
    exit 1
fi
mkdir -p "$to" &&
    cp include/krait.h "$to" &&
    table 64 include >"$to/layout-64" &&
    table 32 include >"$to/layout-32" &&
    built=$(library) &&
    symbols "$built" >"$to/symbols" &&
    described "$built" >"$to/library.abi" || exit 1
echo "$to: $(wc -l <"$to/layout-64") lines of layout, $(wc -l <"$to/symbols") symbols"
