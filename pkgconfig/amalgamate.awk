# amalgamate.awk - the whole library as one file: awk -f pkgconfig/amalgamate.awk src/*.c src/*/*.c
#
# Headers with a guard come first, in the order of their needs; what has no guard is text for
# several inclusions and stands wherever it was included.  A system header that is asked for
# under no condition comes before all, any other where it was.  The text says by itself what the
# Makefile says with flags: no contracted multiply-add, and no names to the outside but krait's.
# Any awk will do.

function fail(why)
{
    print "amalgamate.awk: " why >"/dev/stderr"
    failed = 1
    exit 1
}

function load(path,    line, n, got)
{
    if (path in lines)
        return
    while ((got = (getline line <path)) > 0) {
        if (line ~ /^#ifndef [A-Z_0-9]*_H$/)
            guarded[path] = 1
        text[path, ++n] = line
    }
    close(path)
    if (got < 0)
        fail(path " cannot be read")
    lines[path] = n + 0
}

# What the line of 'path' includes: a file of ours, "<...>", or "".
function included(path, line)
{
    if (line !~ /^[ \t]*#[ \t]*include[ \t]*[<"]/)
        return ""
    sub(/^[ \t]*#[ \t]*include[ \t]*/, "", line)
    sub(/[>"][^>"]*$/, "", line)
    if (line ~ /^</)
        return line ">"
    sub(/^"/, "", line)
    if (line == "krait.h")
        return "krait.h"
    if (line ~ /\//)
        return "src/" line
    sub(/[^\/]*$/, "", path)
    return path line
}

# How many conditions deeper the line leads.
function deeper(line)
{
    if (line ~ /^[ \t]*#[ \t]*if/)
        return 1
    return line ~ /^[ \t]*#[ \t]*endif/ ? -1 : 0
}

# Notes what 'path' needs, and what that needs, before it.
function gather(path, depth,    i, to)
{
    load(path)
    if (path in guarded) {
        if (path in gathered)
            return
        gathered[path] = 1
        depth = -1
    }
    for (i = 1; i <= lines[path]; i++) {
        depth += deeper(text[path, i])
        if (text[path, i] ~ /^#define _[A-Z0-9_]*_SOURCE/ && !(text[path, i] in asked)) {
            asked[text[path, i]] = 1
            asks[++ask_count] = text[path, i]
        }
        to = included(path, text[path, i])
        if (to ~ /^</) {
            if (depth == 0 && !(to in always)) {
                always[to] = 1
                systems[++system_count] = to
            }
        } else if (to != "" && to != "krait.h")
            gather(to, depth)
    }
    if (path in guarded)
        headers[++header_count] = path
}

function put(line)
{
    if (line == "" && blank)
        return
    blank = line == ""
    print line
}

function emit(path,    i, to)
{
    for (i = 1; i <= lines[path]; i++) {
        if (text[path, i] in asked)
            continue
        to = included(path, text[path, i])
        if (to == "")
            put(text[path, i])
        else if (to ~ /^</) {
            if (!(to in always)) {
                put("KR_OUTSIDE")
                put(text[path, i])
                put("KR_INSIDE")
            }
        } else if (to != "krait.h" && !(to in guarded))
            emit(to)
    }
}

function titled(path)
{
    put("")
    put("/* ---- " path " " substr("----------------------------------------------------------", 1,
        58 - length(path)) " */")
    put("")
    emit(path)
}

BEGIN {
    for (i = 1; i < ARGC; i++)
        gather(ARGV[i], 0)

    put("/*")
    put(" * krait.c - the whole of krait in one file, made by `make amalgamation`: compile it as C11")
    put(" * beside krait.h, without -ffast-math; libm is all it links with.  -fopenmp builds threads in.")
    put(" *")
    while ((getline line <"LICENSE") > 0)
        put(line == "" ? " *" : " * " line)
    put(" */")
    for (i = 1; i <= ask_count; i++)
        put(asks[i])
    put("")
    for (i = 1; i <= system_count; i++)
        put("#include " systems[i])
    put("")
    put("#include \"krait.h\"")
    put("")
    put("#if defined(__clang__)")
    put("#pragma STDC FP_CONTRACT OFF")
    put("#pragma clang diagnostic ignored \"-Wunused-function\"   /* of a header's inline functions */")
    put("#elif defined(__GNUC__)")
    put("#pragma GCC optimize(\"fp-contract=off\")")
    put("#endif")
    put("")
    put("/* Only what krait.h declares is seen from outside; what the system declares is. */")
    put("#if defined(__GNUC__) && (defined(__ELF__) || defined(__APPLE__))")
    put("#define KR_INSIDE  _Pragma(\"GCC visibility push(hidden)\")")
    put("#define KR_OUTSIDE _Pragma(\"GCC visibility pop\")")
    put("#else")
    put("#define KR_INSIDE")
    put("#define KR_OUTSIDE")
    put("#endif")
    put("")
    put("KR_INSIDE")
    for (i = 1; i <= header_count; i++)
        titled(headers[i])
    for (i = 1; i < ARGC; i++)
        titled(ARGV[i])
    put("")
    put("KR_OUTSIDE")
    exit
}
END { exit failed }
