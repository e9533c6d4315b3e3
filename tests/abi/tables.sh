# tables.sh - read by record.sh and check.sh: how a header and a library are described.  CC, W.
: "${CC:=gcc}"
# What a 64-bit compiler of Debian needs to find its own headers when it makes 32-bit code.
NARROW="-m32 -idirafter /usr/include/$($CC -print-multiarch 2>/dev/null)"
LC_ALL=C
export LC_ALL

number() { sed -n "s/^.define KRAIT_$1  *\([0-9]*\).*/\1/p" "$2"; }
version() {
    echo "$(number VERSION_MAJOR "$1").$(number VERSION_MINOR "$1").$(number VERSION_PATCH "$1")"
}

# table 64|32 FOLDER - of the krait.h there.
table() {
    flags=
    [ "$1" = 64 ] || flags=$NARROW
    awk -f tests/abi/layout.awk "$2/krait.h" >"$W/layout.c" &&
        # shellcheck disable=SC2086
        $CC $flags -I"$2" -o "$W/layout" "$W/layout.c" && "$W/layout"
}

# symbols LIBRARY - name and version of each.
symbols() {
    nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@@*/, " ", $3); print $3 }' | sort
}

# described LIBRARY - its functions and the types in krait.h, as libabigail's XML.
described() {
    mkdir -p "$W/public" && cp include/krait.h "$W/public" &&
        abidw --headers-dir "$W/public" --drop-private-types --no-corpus-path --no-comp-dir-path \
            --no-show-locs "$1"
}

# The whole library in a hurry, with all that a debugger knows; its path is printed.
library() {
    awk -f pkgconfig/amalgamate.awk $(ls src/*.c src/*/*.c | grep -v '^src/cli/' | sort) \
        >"$W/krait.c" &&
        $CC -std=c11 -O0 -g -fPIC -shared -Iinclude -Wl,--version-script=src/krait.map \
            -Wl,-soname,"libkrait.so.$(number ABI include/krait.h)" -o "$W/libkrait.so" \
            "$W/krait.c" -lm &&
        ln -sf libkrait.so "$W/libkrait.so.$(number ABI include/krait.h)" && echo "$W/libkrait.so"
}

for tool in "$CC" g++ awk nm abidw abidiff; do
    command -v "$tool" >/dev/null || { echo "needs $tool"; exit 1; }
done
