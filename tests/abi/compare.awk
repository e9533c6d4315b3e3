# compare.awk OLD NEW - tables of layout.awk: what a program compiled against OLD would miss.
#
# Constants, functions, structs and fields may be added: fields only at the end of a struct that
# grows, behind all its bytes.  Nothing that was there may be another.  A struct may not end in
# padding: a field that is put there changes nothing that 'size' tells.

function wrong(text) { print text; bad = 1 }

{ id = $1 == "field" ? $1 " " $2 "." $3 : $1 " " $2 }

FNR == NR {
    old[id] = $0
    order[++n] = id
    if ($1 == "struct") {
        bytes[$2] = $3
        frozen[$2] = $4 == "frozen"
    }
    next
}

{ now[id] = $0 }

$1 == "struct" {
    if (last && end != whole)
        wrong("struct " last " ends in padding: " end " of " whole " bytes are fields")
    last = $2
    whole = $3
    end = 0
    if ($2 in bytes && (frozen[$2] ? $3 != bytes[$2] : $3 < bytes[$2]))
        wrong("struct " $2 " had " bytes[$2] " bytes and has " $3)
}

$1 == "field" {
    end = $4 + $5
    if (!(id in old) && $2 in bytes) {
        if (frozen[$2])
            wrong("struct " $2 " is frozen and has a new field " $3)
        else if ($4 < bytes[$2])
            wrong("field " $2 "." $3 " is new at " $4 ", within the " bytes[$2] " bytes of before")
    }
}

END {
    if (last && end != whole)
        wrong("struct " last " ends in padding: " end " of " whole " bytes are fields")
    for (i = 1; i <= n; i++) {
        id = order[i]
        if (!(id in now))
            wrong("gone: " old[id])
        else if (old[id] != now[id] && id !~ /^struct/)
            wrong("was " old[id] ", is " now[id])
        else if (id ~ /^struct/) {
            split(old[id], a)
            split(now[id], b)
            if (a[4] != b[4])
                wrong("was " old[id] ", is " now[id])
        }
    }
    exit bad
}
