# docs.awk - a document's fenced blocks as one shell script.  A comment on a line of its own before a block says
# what it is:
#
#     <!-- file NAME -->   it is written to NAME, in the folder where the script then is
#     <!-- run -->         it is run
#     <!-- prints -->      the last run block printed just that
#     <!-- read -->        it is only to be read
#
# A block without one is an error.  at=FOLDER holds what is printed.
/^<!-- (file [^ ]+|run|prints|read) -->$/ { kind = $2; name = kind == "file" ? $3 : ""; next }
/^```/ && !inside {
    inside = 1
    if (kind == "") {
        print FILENAME ":" FNR ": a block without a mark" >"/dev/stderr"
        bad = 1
    } else if (kind == "file") {
        print "mkdir -p \"$(dirname '" name "')\""
        print "cat >'" name "' <<'END_OF_BLOCK'"
    } else if (kind == "run") {
        print "# run, line " FNR
        print "echo '" FILENAME ":" FNR "'"
        print "{"
    } else if (kind == "prints") {
        print "cat >'" at "/wanted' <<'END_OF_BLOCK'"
    }
    next
}
/^```/ {
    inside = 0
    if (kind == "file" || kind == "prints")
        print "END_OF_BLOCK"
    if (kind == "run")
        print "} >'" at "/printed' 2>&1"
    if (kind == "prints")
        print "diff '" at "/wanted' '" at "/printed'"
    kind = ""
    next
}
inside && kind != "read" { print }
END { exit bad }
