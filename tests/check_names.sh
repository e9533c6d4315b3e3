#!/bin/sh
# A static name is used once in src, so that all of it compiles as one file; external
# names begin with kr_ or krait_.
#
# Reads preprocessed text: macros may put prefixes to names.
set -u
: "${SOURCES:=$(ls src/*.c src/*/*.c 2>/dev/null | grep -v '^src/cli/')}"

for file in $SOURCES; do
    ${CC:-cc} -std=c11 -Isrc -Iinclude -E "$file" || exit 1
done | awk '
function record(kind, name) {
    if (kind == "extern") {
        if (name !~ /^(kr_|krait_)/)
            complain(file ": " name ": an external name without kr_ or krait_")
    } else if ((name in home) && home[name] != file)
        complain(file ": " name ": also static in " home[name])
    else
        home[name] = file
}
function complain(text) { if (!(text in said)) print text; said[text] = 1; bad = 1 }
function last_word(text) {
    sub(/[^A-Za-z0-9_]+$/, "", text)
    sub(/^.*[^A-Za-z0-9_]/, "", text)
    return text
}
# One declaration at file scope, without bodies and initialisers.
function declared(text, defines,    kind, n, i, parts) {
    if (text ~ /(^|[^A-Za-z0-9_])(typedef|_Static_assert)([^A-Za-z0-9_]|$)/)
        return
    if (text ~ /@[ ]*$/ || text ~ /^[ ]*(struct|union|enum)[ ]+[A-Za-z0-9_]+[ ]*$/)
        return                          # a type alone
    kind = text ~ /(^|[^A-Za-z0-9_])static([^A-Za-z0-9_]|$)/ ? "static" : "extern"
    if (kind == "extern" && (!defines || text ~ /(^|[^A-Za-z0-9_])extern([^A-Za-z0-9_]|$)/))
        return
    while (match(text, /__attribute__ *\(\([^()]*(\([^()]*\))?[^()]*\)\)/))
        text = substr(text, 1, RSTART - 1) substr(text, RSTART + RLENGTH)
    if (match(text, /\( *\* *(const *)?[A-Za-z_][A-Za-z0-9_]*/)) {
        record(kind, last_word(substr(text, RSTART, RLENGTH)))
        return
    }
    if (text ~ /\(/) {
        sub(/\(.*/, "", text)
        record(kind, last_word(text))
        return
    }
    gsub(/\[[^\]]*\]/, "", text)
    n = split(text, parts, ",")
    for (i = 1; i <= n; i++)
        if (last_word(parts[i]) != "")
            record(kind, last_word(parts[i]))
}
/^#/ {
    if (match($0, /"[^"]*"/)) {
        place = substr($0, RSTART + 1, RLENGTH - 2)
        ours = place ~ /^src\//
    }
    next
}
!ours { next }
{
    gsub(/\\./, "")
    gsub(/"[^"]*"/, "0")
    gsub(/\047[^\047]*\047/, "0")
    n = split($0, at, "")
    for (i = 1; i <= n; i++) {
        c = at[i]
        if (c == "{") {
            if (depth++ == 0)
                body = text ~ /\)[^=]*$/ && !value
        } else if (c == "}") {
            if (--depth == 0) {
                if (body) {
                    declared(text, 1)
                    text = ""
                } else if (!value)      # a struct: its objects are still to come
                    text = text "@"
            }
        } else if (depth == 0 && c == ";") {
            # A prototype defines nothing; an object does.
            declared(text, text !~ /\(/)
            text = ""
            value = 0
        } else if (depth == 0 && c == "=") {
            value = 1
        } else if (depth == 0 && !value) {
            if (text == "")
                file = place
            text = text c
        } else if (depth == 0 && c == "," && !round) {
            value = 0
            text = text c
        } else if (depth == 0) {
            round += (c == "(") - (c == ")")
        }
    }
    if (depth == 0 && text != "" && !value)
        text = text " "
}
END { exit bad }'
