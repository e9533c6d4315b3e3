#!/bin/sh
# test_man.sh KRAIT - has docs/krait.1 the commands and options that --help has, each with the
# same value, and no others?
# test_man.sh lint  - is it good mdoc?  Skipped without mandoc.
set -u
page=docs/krait.1
if [ "$1" = lint ]; then
    command -v mandoc >/dev/null || { echo "no mandoc to check it"; exit 77; }
    mandoc -T lint -W style "$page"
    exit
fi
krait=$1
RUN=${RUN-}                     # what runs a program of another machine, as words
work=$(mktemp -d "${TMPDIR:-/tmp}/krait-man.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

# Lines "command", "command OPERANDS" and "command --option VALUE".
$RUN "$krait" --help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p' >"$work/commands"
[ "$(wc -l <"$work/commands")" -ge 4 ] || { echo "--help lists no commands"; exit 1; }
while read -r command; do
    echo "$command"
    $RUN "$krait" "$command" --help | sed -n \
        -e "s/^usage: krait \([a-zA-Z. ]*\) \[options\]\$/\1/p" \
        -e "s/^  \(--[a-z-]*\)\( [^ ][^ ]*\)\{0,1\}\(  .*\)\{0,1\}\$/$command \1\2/p" |
        grep -v -e ' --help$'
done <"$work/commands" | sort >"$work/help"

awk '
    /^\.Ss krait /           { command = $3; print command; operands = command }
    /^\.Sh /                 { command = "" }
    !command                 { next }
    /^\.Ar MODEL$|^\.Ar FROM$|^\.Ar TO/ { operands = operands " " $2 }
    /^\.Pp$/ && operands     { print operands; operands = "" }
    /^\.It Fl /              { print command " -" $3 ($4 == "Ar" ? " " $5 : "") }
' "$page" | sort >"$work/page"

diff "$work/help" "$work/page" || { echo "--help (<) and $page (>) differ"; exit 1; }
[ "$(grep -c -e ' --' "$work/page")" -ge 30 ] || { echo "too few options were seen"; exit 1; }
