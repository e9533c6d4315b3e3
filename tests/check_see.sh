#!/bin/sh
# check_see.sh PROGRAM - examples/see with every kind of PGM, and with what is none.
set -u
see=$1 failed=0
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT

# is WANTED IMAGE [MODEL] - stands in what it prints.
is() {
    got=$($see "$2" ${3:+"$3"} 2>&1)
    case $got in
    *"$1"*) ;;
    *) echo "$2: '$1' is wanted, not: $got"; failed=1 ;;
    esac
}
refused() {
    is "$@"
    # shellcheck disable=SC2086
    $see "$2" ${3:+"$3"} >/dev/null 2>&1 && { echo "$2: exit status 0"; failed=1; }
}

for digit in 0 1 2 3 4 5 6 7 8 9; do
    is "digit-$digit.pgm: $digit (" "examples/images/digit-$digit.pgm"
done

# The same pixels as text, with comments, and as numbers of two bytes (255 times 256 is white), give the very same line.
image=examples/images/digit-3.pgm
line=$($see $image | sed 's/^[^:]*//')
numbers=$(tail -c 784 $image | od -An -v -tu1)
printf 'P2 # text\n# two\n#\n28\t28 255\n%s\n' "$numbers" >"$scratch/text.pgm"
is "$line" "$scratch/text.pgm"
{ printf 'P5\n#\n28 28 65280\n'; for n in $numbers; do printf "\\$(printf %03o "$n")\\000"; done; } >"$scratch/wide.pgm"
is "$line" "$scratch/wide.pgm"

refused "cannot be opened" "$scratch/none.pgm"
refused "no PGM" README.md
: >"$scratch/empty.pgm"
refused "no PGM" "$scratch/empty.pgm"
printf 'P6\n28 28\n255\n' >"$scratch/colour.pgm"
refused "no PGM" "$scratch/colour.pgm"
head -c 500 $image >"$scratch/short.pgm"
refused "ends before" "$scratch/short.pgm"
head -c 500 "$scratch/text.pgm" >"$scratch/short.pgm"
refused "ends before" "$scratch/short.pgm"
printf 'P5\n27 28\n255\n' >"$scratch/small.pgm"
refused "27 x 28, but the model wants 28 x 28" "$scratch/small.pgm"
printf 'P5\n99999999999999999999 28\n255\n' >"$scratch/large.pgm"
refused "but the model wants" "$scratch/large.pgm"
printf 'P5\n28 28\n0\n' >"$scratch/dark.pgm"
refused "broken head" "$scratch/dark.pgm"
printf 'P5\n28 x\n' >"$scratch/head.pgm"
refused "broken head" "$scratch/head.pgm"
printf 'P2 28 28 9 10\n' >"$scratch/bright.pgm"
refused "above its maximum" "$scratch/bright.pgm"
refused "takes no grey images" $image examples/models/mamba-novels.gguf
refused "none.gguf" $image "$scratch/none.gguf"
exit $failed
