#!/bin/sh
# check_audio.sh PROGRAM - examples/audio_stream with the shipped recordings, standard input, and what is no sound.
set -u
listen=$1 failed=0
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

fail() { echo "$*"; failed=1; }

# refused WANTED ARGUMENT... - ends with 1 and says so.
refused() {
    wanted=$1
    shift
    got=$($listen "$@" 2>&1 >/dev/null)
    [ $? -eq 1 ] || fail "$*: exit status is not 1"
    case $got in *"$wanted"*) ;; *) fail "$*: '$wanted' is wanted, not: $got" ;; esac
}
# The lines between the first and the last one.
evidence() { sed '1d;$d'; }
# Bytes of a number, lowest first.
le32() { printf "\\$(printf %03o $(($1 & 255)))\\$(printf %03o $(($1 >> 8 & 255)))\\$(printf %03o $(($1 >> 16 & 255)))\\$(printf %03o $(($1 >> 24 & 255)))"; }
le16() { printf "\\$(printf %03o $(($1 & 255)))\\$(printf %03o $(($1 >> 8 & 255)))"; }
# format KIND CHANNELS RATE BITS - the chunk.
format() {
    printf 'fmt '
    le32 16; le16 "$1"; le16 "$2"; le32 "$3"; le32 $(($3 * $2 * $4 / 8)); le16 $(($2 * $4 / 8)); le16 "$4"
}
riff() { printf 'RIFF'; le32 100; printf 'WAVE'; }

for digit in 0 1 2 3 4 5 6 7 8 9; do
    $listen "examples/audio/digit-$digit.wav" >"$scratch/said" 2>&1 || fail "digit-$digit.wav: $(cat "$scratch/said")"
    tail -n 1 "$scratch/said" | grep -q "^$digit: 0\.[0-9]* s of sound in .* times \|^$digit: 1\.00 s of sound in " ||
        fail "digit-$digit.wav: $(tail -n 1 "$scratch/said")"
done

# The same samples raw, behind chunks of other kinds and of unknown length give the very same lines.
wav=examples/audio/digit-3.wav
$listen $wav | evidence >"$scratch/wanted"
[ "$(wc -l <"$scratch/wanted")" -ge 4 ] || fail "no evidence is shown"
tail -c +45 $wav >"$scratch/raw"
$listen - <"$scratch/raw" | evidence | cmp -s - "$scratch/wanted" || fail "standard input gives other lines"
{ riff; printf 'LIST'; le32 5; printf 'odd..\0'; format 1 1 8000 16; printf 'data'; le32 -1; cat "$scratch/raw"
} >"$scratch/pipe.wav"
$listen "$scratch/pipe.wav" | evidence | cmp -s - "$scratch/wanted" || fail "other chunks give other lines"
# Every file begins afresh.
$listen examples/audio/digit-8.wav $wav | tail -n "$(($(wc -l <"$scratch/wanted") + 1))" | sed '$d' |
    cmp -s - "$scratch/wanted" || fail "a second file gives other lines"

refused "No such file" "$scratch/none.wav"
refused "is no WAV" README.md
: >"$scratch/a.wav";                                                        refused "is no WAV" "$scratch/a.wav"
riff >"$scratch/a.wav";                                                     refused "ends before its samples" "$scratch/a.wav"
{ riff; format 1 1 8000 16; } >"$scratch/a.wav";                            refused "ends before its samples" "$scratch/a.wav"
{ riff; printf 'LIST'; le32 2147483647; echo short; } >"$scratch/a.wav";    refused "ends before its samples" "$scratch/a.wav"
{ riff; printf 'fmt '; le32 15; echo 12345678901234567; } >"$scratch/a.wav"; refused "broken format" "$scratch/a.wav"
{ riff; printf 'fmt '; le32 -1; echo 12345678901234567; } >"$scratch/a.wav"; refused "broken format" "$scratch/a.wav"
{ riff; printf 'data'; le32 4; echo 1234; } >"$scratch/a.wav";              refused "before their format" "$scratch/a.wav"
{ riff; format 1 1 8000 16; printf 'data'; le32 0; } >"$scratch/a.wav";     refused "no samples" "$scratch/a.wav"
{ riff; format 1 1 8000 16; printf 'data'; le32 500; echo 1; } >"$scratch/a.wav"; refused "before its last" "$scratch/a.wav"
{ riff; format 1 2 44100 16; printf 'data'; le32 4; } >"$scratch/a.wav";    refused "is 44100 Hz, 2 channels" "$scratch/a.wav"
{ riff; format 3 1 8000 32; printf 'data'; le32 4; } >"$scratch/a.wav";     refused "32 bits, kind 3" "$scratch/a.wav"
refused "no classifier of sound" --model examples/models/s5-har.safetensors $wav
refused "none.gguf" --model "$scratch/none.gguf" $wav
$listen >/dev/null 2>&1;    [ $? -eq 2 ] || fail "no argument: exit status is not 2"
$listen --loud >/dev/null 2>&1; [ $? -eq 2 ] || fail "--loud: exit status is not 2"
$listen --help | grep -q '^usage: ' || fail "--help says nothing"
exit $failed
