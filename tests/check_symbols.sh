#!/bin/sh
# What the libraries give away: exported = krait.map = krait.h, each with a version; the static library defines
# kr_ and krait_ names only; libc and libm suffice; nothing can be written to.
set -u
# Those of the compiler, which may be for another machine.
nm=$($CC -print-prog-name=nm) readelf=$($CC -print-prog-name=readelf)
command -v "$nm" >/dev/null || { echo "no nm"; exit 77; }
case $SPECIAL in *sanitizers*) echo "sanitizers add names of their own"; exit 77 ;; esac
static=$BUILD/libkrait.a
shared=$(ls "$BUILD"/libkrait.so.*.*.*)
bad=0

# Comments away, then every name before a parenthesis.
awk '{
    for (;;) {
        if (inside) {
            if (!(i = index($0, "*/"))) next
            $0 = substr($0, i + 2)
            inside = 0
        }
        if (!(i = index($0, "/*"))) break
        printf "%s", substr($0, 1, i - 1)
        $0 = substr($0, i + 2)
        inside = 1
    }
    print
}' include/krait.h | grep -o 'krait_[a-z0-9_]*(' | tr -d '(' | sort -u >"$BUILD/declared"
sed -n 's/^ *\([A-Za-z0-9_]*\);.*/\1/p' src/krait.map | sort >"$BUILD/mapped"
"$nm" -D --defined-only "$shared" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
    sort >"$BUILD/exported"
echo "krait.h (<) and krait.map (>):" >"$BUILD/difference"
diff "$BUILD/declared" "$BUILD/mapped" >>"$BUILD/difference" || { cat "$BUILD/difference"; bad=1; }
echo "krait.map (<) and what $shared exports (>):" >"$BUILD/difference"
diff "$BUILD/mapped" "$BUILD/exported" >>"$BUILD/difference" || { cat "$BUILD/difference"; bad=1; }

bare=$("$nm" -D --defined-only "$shared" |
    awk '$2 != "A" && $3 !~ /@@KRAIT_[0-9]+\.[0-9]+$/ { print $3 }')
[ -z "$bare" ] || { echo "exported without a version:" $bare; bad=1; }

strange=$("$nm" -g --defined-only "$static" | awk 'NF == 3 { print $3 }' | grep -v '^kr_\|^krait_')
[ -z "$strange" ] || { echo "defined without kr_ or krait_:" $strange; bad=1; }

# Relocated constants lie in .data.rel.ro, which is read-only when the program runs.
writable=$("$nm" -f sysv --defined-only "$static" | awk -F'|' '
    NF == 7 {
        gsub(/ /, "")
        if ($3 ~ /^[DdBbCcSsGg]$/ && $7 !~ /^\.data\.rel\.ro/) print $1
    }')
[ -z "$writable" ] || { echo "can be written to:" $writable; bad=1; }

if command -v "$readelf" >/dev/null; then
    needed=$("$readelf" -d "$shared" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
        grep -v '^libc\.\|^libm\.\|^ld-linux')
    case $SPECIAL in *openmp*) needed=$(echo "$needed" | grep -v '^libg*omp\.\|^libpthread') ;; esac
    [ -z "$needed" ] || { echo "needs" $needed; bad=1; }
    "$readelf" -d "$shared" | grep -q 'SONAME.*\[libkrait\.so\.[0-9]*\]' ||
        { echo "no soname"; bad=1; }
    ! "$readelf" -d "$shared" | grep -q TEXTREL || { echo "text is relocated"; bad=1; }
fi
exit $bad
