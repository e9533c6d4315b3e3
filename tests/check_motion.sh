#!/bin/sh
# check_motion.sh PROGRAM - examples/motion_loop with the shipped recordings, and with what is none.
set -u
loop=$1 failed=0
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
motion=examples/motion

fail() { echo "$*"; failed=1; }

# says WANTED ARGUMENT... - stands in what it prints.
says() {
    wanted=$1
    shift
    got=$($loop "$@" 2>&1) || fail "$*: exit status is not 0: $got"
    case $got in *"$wanted"*) ;; *) fail "$*: '$wanted' is wanted, not: $got" ;; esac
}
refused() {
    wanted=$1
    shift
    got=$($loop "$@" 2>&1 >/dev/null)
    [ $? -eq 1 ] || fail "$*: exit status is not 1"
    case $got in *"$wanted"*) ;; *) fail "$*: '$wanted' is wanted, not: $got" ;; esac
}

says "17 of 17 windows named rightly" $motion/*.csv
says "17 of 17 windows named rightly" --drop 0 --jitter 0 $motion/*.csv
says "1920 steps, 0 samples dropped, 1.0 to 1.0 periods apart" --drop 0 --jitter 0 $motion/*.csv
says "0 samples dropped, 0.1 to 1.9 periods apart" --drop 0 --jitter 45 $motion/*.csv
says "us at 99.9 %" $motion/laying.csv
says "WRONG" --drop 90 $motion/*.csv
says "17 of 17 windows named rightly" --drop 50 --jitter 45 $motion/*.csv
says "14 of 17 windows named rightly" --drop 50 --jitter 45 --no-dt $motion/*.csv
$loop --seed 1 $motion/walking-upstairs.csv | grep ' s  ' >"$scratch/one"
$loop $motion/walking-upstairs.csv | grep ' s  ' | cmp -s - "$scratch/one" || fail "the same seed gives other lines"
$loop --seed 2 $motion/walking-upstairs.csv | grep ' s  ' | cmp -s - "$scratch/one" && fail "another seed gives the same"

# Every recording begins afresh, and every window: what came before has no say.
$loop --drop 0 --jitter 0 $motion/walking.csv | grep ' s  ' >"$scratch/alone"
$loop --drop 0 --jitter 0 $motion/sitting.csv $motion/walking.csv | grep ' s  ' | tail -n 3 |
    cmp -s - "$scratch/alone" || fail "a second recording gives other lines"
{ echo '# walking'; tail -n 128 $motion/sitting.csv; sed 1d $motion/walking.csv; } >"$scratch/both.csv"
$loop --drop 0 --jitter 0 "$scratch/both.csv" | grep ' s  ' | sed '1d;s/.* s  //' >"$scratch/after"
sed 's/.* s  //' "$scratch/alone" | cmp -s - "$scratch/after" || fail "a second window gives other lines"
# Without a truth nothing is right or wrong.
sed 1d $motion/laying.csv >"$scratch/a.csv"
says "(unknown)" "$scratch/a.csv"
$loop "$scratch/a.csv" | grep -q 'rightly\|WRONG' && fail "unknown: there is a right and a wrong"

line=1,2,3,4,5,6,7,8,9
refused "No such file" "$scratch/none.csv"
: >"$scratch/a.csv";                                         refused "no two samples" "$scratch/a.csv"
echo $line >"$scratch/a.csv";                                refused "no two samples" "$scratch/a.csv"
printf '%s\n' $line 1,2,3,4,5,6,7,8 >"$scratch/a.csv";       refused "line 2: 9 numbers" "$scratch/a.csv"
printf '%s\n' $line $line,10 >"$scratch/a.csv";              refused "line 2: 9 numbers" "$scratch/a.csv"
printf '%s\n' $line $line, >"$scratch/a.csv";                refused "line 2: 9 numbers" "$scratch/a.csv"
printf '%s\n' $line $line 1,2,x,4,5,6,7,8,9 >"$scratch/a.csv"; refused "line 3: 9 numbers" "$scratch/a.csv"
printf '%s\n' $line nan,2,3,4,5,6,7,8,9 >"$scratch/a.csv";   refused "line 2: 9 numbers" "$scratch/a.csv"
printf '%s\n' $line 1e40,2,3,4,5,6,7,8,9 >"$scratch/a.csv";  refused "line 2: 9 numbers" "$scratch/a.csv"
refused "line 2: 9 numbers" README.md
refused "line 1 is too long" examples/models/s5-har.safetensors
printf '%05000d\n%05000d\n' 1 1 >"$scratch/a.csv";             refused "line 1 is too long" "$scratch/a.csv"
refused "line 1 is too long" --model examples/models/s4d-digits.safetensors "$scratch/a.csv"
refused "no classifier" --model examples/models/mamba-novels.gguf $motion/laying.csv
refused "none.gguf" --model "$scratch/none.gguf" $motion/laying.csv
for wrong in "" "--drop" "--drop 101 x" "--drop x x" "--jitter 50 x" "--seed -1 x" "--loud x" "--live"; do
    # shellcheck disable=SC2086
    $loop $wrong >/dev/null 2>&1
    [ $? -eq 2 ] || fail "'$wrong': exit status is not 2"
done
$loop --help | grep -q '^usage: ' || fail "--help says nothing"
exit $failed
