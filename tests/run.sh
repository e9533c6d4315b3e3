#!/bin/sh
# run.sh [filter...] - what `make test` runs when all is built: stages, one line each.
#
# A stage is a command: 0 passes, 77 skips with its last line as the reason, anything
# else fails and its output is shown.  A filter keeps what has it in its name.
# The Makefile exports BUILD, SOURCES, OBJECTS, COMPILE, LINK, SPECIAL, RUN, EXE, CC and CXX.
# RUN is what runs a program of another machine, as words; empty where that is not needed.
set -u
passed=0 failed=0 skipped=0
out=$BUILD/output
TMPDIR=$(mkdir -p "$BUILD/scratch" && cd "$BUILD/scratch" && pwd) || exit 1
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

export RUN="${RUN-}" EXE="${EXE-}"
filters=$*
wanted() {
    [ -z "$filters" ] && return 0
    for filter in $filters; do
        case $1 in *"$filter"*) return 0 ;; esac
    done
    return 1
}

stage() {
    name=$1
    shift
    wanted "$name" || return 0
    "$@" >"$out" 2>&1 </dev/null
    case $? in
    0)  passed=$((passed + 1))
        echo "ok   $name" ;;
    77) skipped=$((skipped + 1))
        echo "SKIP $name: $(tail -n 1 "$out")" ;;
    *)  failed=$((failed + 1))
        cat "$out"
        echo "FAIL $name" ;;
    esac
}

# The runner counts for itself; its last line is what is added up.
units() {
    # shellcheck disable=SC2086
    [ -z "$filters" ] || [ -n "$($RUN "$BUILD/krait-test$EXE" -l $filters)" ] || return 0
    # shellcheck disable=SC2086
    $RUN "$BUILD/krait-test$EXE" -j 0 $filters >"$out" 2>&1 </dev/null
    result=$?
    counts=$(sed -n '$s/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$out")
    if [ -n "$counts" ]; then
        sed '$d' "$out"
    else
        cat "$out"
        echo "FAIL krait-test ended before its last test, with status $result"
        counts="0 1 0"
    fi
    # shellcheck disable=SC2086
    set -- $counts
    # It may also fail after its last test: a leak that is found at the end.
    [ $result -eq 0 ] || [ "$2" -gt 0 ] || set -- "$1" 1 "$3"
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
    [ "$2" -eq 0 ] && verdict="ok  " || verdict=FAIL
    echo "$verdict krait-test: $1 passed, $2 failed, $3 skipped"
}

# With the arguments in <name>.args, where $BUILD may stand for the build's folder.
example() {
    arguments=$(cat "examples/$1.args" 2>/dev/null)
    eval "\$RUN \"\$BUILD/examples/\$1\$EXE\" $arguments"
}

stage includes     tests/check_includes.sh
stage names        tests/check_names.sh
stage registered   tests/check_registered.sh
stage header-c99   tests/check_headers.sh c99
stage header-c++98 tests/check_headers.sh c++98
stage headers      tests/check_headers.sh src
stage symbols      tests/check_symbols.sh
units
# Another system has not all of them: make has built what there is.
for program in tests/programs/*.c; do
    # shellcheck disable=SC2086
    [ -e "$BUILD/${program%.c}$EXE" ] && stage "${program%.c}" $RUN "$BUILD/${program%.c}$EXE"
done
for source in examples/*.c; do
    name=$(basename "$source" .c)
    [ -e "$BUILD/examples/$name$EXE" ] && stage "examples/$name" example "$name"
done
stage see          tests/check_see.sh "$RUN $BUILD/examples/see$EXE"
stage audio        tests/check_audio.sh "$RUN $BUILD/examples/audio_stream$EXE"
stage motion       tests/check_motion.sh "$RUN $BUILD/examples/motion_loop$EXE"
stage command      tests/cli/test_cli.sh "$BUILD/krait$EXE"
stage command-tree tests/cli/test_tree.sh "$BUILD"
stage manual       tests/cli/test_man.sh "$BUILD/krait$EXE"
stage manual-lint  tests/cli/test_man.sh lint
stage command-check tests/cli/test_check.sh "$BUILD"
stage one-file     tests/check_one_file.sh

if [ $((passed + failed + skipped)) -eq 0 ]; then
    echo "nothing here is called $filters"
    failed=1
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
