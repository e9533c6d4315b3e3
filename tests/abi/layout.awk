# layout.awk - krait.h becomes a C program that prints what of it is in the ABI, one line each:
#
#     constant NAME VALUE                     of #define and enum
#     type NAME TEXT                          a typedef that is no struct
#     struct NAME BYTES grows|frozen          grows: its first field is its size
#     field STRUCT NAME OFFSET BYTES TYPE
#     function NAME TEXT                      types of results and parameters
#
# What a version number says about itself is left out.  A form that is not known here ends it.

function fail(why)
{
    print "layout.awk: " why >"/dev/stderr"
    failed = 1
    exit 1
}

function trim(text)
{
    gsub(/[ \t]+/, " ", text)
    sub(/^ /, "", text)
    sub(/ $/, "", text)
    return text
}

function say(text) { printf "    puts(\"%s\");\n", text }

function constant(name)
{
    printf "    printf(\"constant %s %%lld\\n\", (long long)(%s));\n", name, name
}

function last_word(text)
{
    sub(/(\[[^]]*\])+$/, "", text)
    sub(/^.*[^A-Za-z0-9_]/, "", text)
    return text
}

# "int32_t a, char *b" without the names, which bind nobody.
function types(list,    n, i, parts, out, name)
{
    n = split(list, parts, ",")
    for (i = 1; i <= n; i++) {
        parts[i] = trim(parts[i])
        if (parts[i] ~ /[ *][A-Za-z_][A-Za-z0-9_]*(\[[^]]*\])?$/) {
            name = last_word(parts[i])
            parts[i] = trim(substr(parts[i], 1, match(parts[i], name "(\\[[^]]*\\])?$") - 1) \
                            substr(parts[i], RSTART + length(name)))
        }
        out = out (i > 1 ? ", " : "") parts[i]
    }
    return out
}

# "result (*name)(parameters)" or "result name(parameters)".
function function_text(text, name,    at, result, rest)
{
    at = match(text, "\\(\\*" name "\\)\\(")
    if (!at)
        at = match(text, name "\\(")
    result = trim(substr(text, 1, at - 1))
    rest = substr(text, at + RLENGTH)
    sub(/\)$/, "", rest)
    return result " (" types(rest) ")"
}

function enumerators(text,    n, i, parts)
{
    sub(/^[^{]*\{/, "", text)
    sub(/\}.*$/, "", text)
    n = split(text, parts, ",")
    for (i = 1; i <= n; i++) {
        sub(/=.*/, "", parts[i])
        constant(trim(parts[i]))
    }
}

function field(owner, text,    name, type)
{
    text = trim(text)
    if (match(text, /\(\*[a-z_0-9]+\)\(/)) {
        name = substr(text, RSTART + 2, RLENGTH - 4)
        type = function_text(text, name)
    } else {
        if (text ~ /,/)
            fail("two fields in one declaration: " text)
        name = last_word(text)
        match(text, name "(\\[[^]]*\\])*$")
        type = trim(substr(text, 1, RSTART - 1) substr(text, RSTART + length(name)))
    }
    printf "    printf(\"field %s %s %%zu %%zu %s\\n\", offsetof(%s, %s), sizeof ((%s *)0)->%s);\n",
        owner, name, type, owner, name, owner, name
}

function structure(text,    name, n, i, parts, grows)
{
    name = last_word(text)
    sub(/^[^{]*\{/, "", text)
    sub(/\}[^}]*$/, "", text)
    n = split(text, parts, ";")
    grows = trim(parts[1]) == "size_t size"
    printf "    printf(\"struct %s %%zu %s\\n\", sizeof(%s));\n", name, grows ? "grows" : "frozen", name
    for (i = 1; i <= n; i++)
        if (trim(parts[i]) != "")
            field(name, parts[i])
}

function declaration(text,    name)
{
    text = trim(text)
    if (text == "")
        return
    if (text ~ /^enum \{/)
        enumerators(text)
    else if (text ~ /^typedef struct [a-z_0-9]+ \{/)
        structure(text)
    else if (text ~ /^typedef .*\(\*[a-z_0-9]+\)\(/) {
        match(text, /\(\*[a-z_0-9]+\)/)
        name = substr(text, RSTART + 2, RLENGTH - 3)
        sub(/^typedef /, "", text)
        say("type " name " " function_text(text, name))
    } else if (text ~ /^typedef [^({]*$/) {
        name = last_word(text)
        sub(/^typedef /, "", text)
        say("type " name " " trim(substr(text, 1, length(text) - length(name))))
    } else if (text ~ /^KRAIT_API [^({]*[a-z]\(/) {
        sub(/^KRAIT_API /, "", text)
        match(text, /[a-z_0-9]+\(/)
        name = substr(text, RSTART, RLENGTH - 1)
        say("function " name " " function_text(text, name))
    } else
        fail("not known: " text)
}

BEGIN {
    print "#include <stddef.h>\n#include <stdio.h>\n#include \"krait.h\"\n"
    print "int main(void)\n{"
}
# Comments away.
{
    line = ""
    for (;;) {
        if (inside) {
            if (!(at = index($0, "*/")))
                break
            $0 = substr($0, at + 2)
            inside = 0
        }
        if (!(at = index($0, "/*"))) {
            line = line $0
            break
        }
        line = line substr($0, 1, at - 1) " "
        $0 = substr($0, at + 2)
        inside = 1
    }
}
line ~ /^#ifdef __cplusplus/ { skipped = 1 }
line ~ /^#endif/ { skipped = 0 }
line ~ /^#define KRAIT_[A-Z0-9_]+ +[^ ]/ {
    split(line, word, " ")
    if (word[2] !~ /^KRAIT_(API|ABI|NUMERICS|VERSION_.*)$/)
        constant(word[2])
}
line ~ /^#/ || skipped { next }
{
    n = split(line, at_line, "")
    for (i = 1; i <= n; i++) {
        depth += (at_line[i] == "{") - (at_line[i] == "}")
        if (at_line[i] == ";" && depth == 0) {
            declaration(text)
            text = ""
        } else
            text = text at_line[i]
    }
    text = text " "
}
END {
    if (failed)
        exit 1
    if (trim(text) != "")
        fail("no end: " text)
    print "    return 0;\n}"
}
