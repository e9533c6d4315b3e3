#!/bin/sh
# check_chat.sh CHAT - a line taken back and said again has the same answer, another answer is another one, and a story
# goes on where it was saved.  CHAT may be words: an emulator and the program.
set -u
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

chat() { $1 --tokens 60 >"$folder/out" 2>&1 || { cat "$folder/out"; exit 1; }; }
line() { sed -n "$1p" "$folder/out"; }
fail() { cat "$folder/out"; echo "FAIL $*"; exit 1; }

printf 'She opened the door and \n/undo\nShe opened the door and \n/again\n/undo\n/undo\n' | chat "$1"
[ -n "$(line 1)" ] && [ "$(line 1)" = "$(line 3)" ] || fail "taken back and said again, but answered otherwise"
[ "$(line 2)" = "> (taken back)" ] || fail "nothing was taken back"
[ "$(line 3)" != "$(line 4)" ] || fail "/again says the same"
line 6 | grep -q 'nothing was said' || fail "more was taken back than was said"

printf 'It was late. \n/save %s/story\nHe said \n' "$folder" | chat "$1"
whole=$(line 3)
printf '/load %s/story\nHe said \n' "$folder" | chat "$1"
line 1 | grep -q 'goes on' || fail "a story does not go on"
[ "${#whole}" -gt 8 ] || fail "nothing was answered"
printf '/load %s\n/load examples/chat.c\n' "$folder/none" | chat "$1"
line 1 | grep -q 'cannot be read' && line 2 | grep -q 'not a story' || fail "a file that is none was loaded"
