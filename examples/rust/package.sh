#!/bin/sh
# package.sh [FOLDER] - the crates as they would be published, krait.c within, into FOLDER (target/package).
#
# What is copied into the crates for that is taken away again.
set -eu
cd "$(dirname "$0")"
to=${1:-target/package}
top=../..
made=$PWD/target/amalgamation
copies="krait-sys/amalgamation krait-sys/LICENSE krait/LICENSE"
# shellcheck disable=SC2064,SC2086
trap "rm -rf $copies" EXIT

make -s -C $top amalgamation O="$made"
mkdir -p krait-sys/amalgamation "$to"
cp "$made/.build/amalgamation/krait.c" "$made/.build/amalgamation/krait.h" krait-sys/amalgamation/
cp $top/LICENSE krait-sys/
cp $top/LICENSE krait/
# Both at once: krait finds the krait-sys beside it, which no registry has yet.
cargo package --workspace --offline --allow-dirty --no-verify --quiet --target-dir target
for crate in krait-sys krait; do
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
    file=target/package/$crate-$version.crate
    [ "$to" = target/package ] || cp "$file" "$to/"
    echo "$to/$crate-$version.crate $(($(wc -c <"$file") / 1024)) KB"
done
