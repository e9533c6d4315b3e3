#!/bin/sh
# Every TEST() is in tests.def.  (The linker finds what is there but not defined.)
set -u
command -v nm >/dev/null || { echo "no nm"; exit 77; }
# shellcheck disable=SC2086
nm $(printf '%s\n' $OBJECTS | grep '/test_[^/]*$') | sed -n 's/.* T test_//p' |
    sort >"$BUILD/defined"
sed -n 's/^TEST_CASE(\(.*\))$/\1/p' tests/tests.def | sort >"$BUILD/registered"
missing=$(comm -23 "$BUILD/defined" "$BUILD/registered")
twice=$(uniq -d "$BUILD/registered")
[ -z "$missing" ] || echo "not in tests/tests.def:" $missing
[ -z "$twice" ] || echo "twice in tests/tests.def:" $twice
[ -z "$missing$twice" ]
