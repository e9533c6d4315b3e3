#!/bin/sh
# check.sh - the Rust crates: clippy, tests and doc tests with an installed krait and with the source that comes with
# them, the same packaged, the example, and no leak.  Needs cargo, a C compiler, make, pkg-config and valgrind; no
# registry.  Everything it makes lies in .build/rust.
set -eu
cd "$(dirname "$0")/../.."
at=$PWD/.build/rust
top=$PWD
mkdir -p "$at"
for tool in cargo pkg-config valgrind; do
    command -v "$tool" >/dev/null || { echo "needs $tool"; exit 1; }
done
export CARGO_TARGET_DIR="$at/target" CARGO_NET_OFFLINE=true
begun=$(date +%s)
say() { echo "$(($(date +%s) - begun)) s: $*"; }
fail() { echo "FAIL $*"; exit 1; }

# tests FOLDER WANTED - all tests pass, and there are at least so many.
tests() {
    (cd "$1" && cargo test -q >"$at/tests.log" 2>&1) || { cat "$at/tests.log"; fail "tests"; }
    if grep -q '^skipped' "$at/tests.log"; then fail "a test was skipped"; fi
    passed=$(awk '/^test result: ok/ { sum += $4 } END { print sum + 0 }' "$at/tests.log")
    [ "$passed" -ge "$2" ] || fail "only $passed tests ran"
    say "$passed tests passed"
}

make -s install PREFIX="$at/stage" >"$at/install.log" 2>&1 || { cat "$at/install.log"; fail "install"; }
export KRAIT_COMMAND="$at/stage/bin/krait"
say "installed"

# ---- with an installed krait ----

export PKG_CONFIG_PATH="$at/stage/lib/pkgconfig" LD_LIBRARY_PATH="$at/stage/lib"
cd examples/rust
if cargo clippy --version >/dev/null 2>&1; then
    cargo clippy -q --all-targets -- -D warnings || fail "clippy"
    say "clippy has nothing to say"
fi
if cargo fmt --version >/dev/null 2>&1; then
    cargo fmt --check >/dev/null || fail "cargo fmt would change the sources"
fi
RUSTDOCFLAGS="-D warnings" cargo doc -q --no-deps || fail "cargo doc"
tests . 40
cargo run -q --example stream >"$at/stream.log" || fail "the example"
grep -q '^13 of 13 windows named rightly, 1920 rows' "$at/stream.log" ||
    { cat "$at/stream.log"; fail "the example names other things"; }
ldd "$at/target/debug/examples/stream" | grep -q 'libkrait\.so' || fail "the installed library was not linked"
for program in answers threads; do
    binary=$(cargo test -q --no-run --test $program --message-format=json |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
    (cd krait && valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,indirect \
        "$binary" --test-threads=1 --skip threads_write >"$at/valgrind.log" 2>&1) ||
        { cat "$at/valgrind.log"; fail "valgrind, $program"; }
done
say "no leak"

# ---- with the source that comes with the crates, as published ----

unset PKG_CONFIG_PATH LD_LIBRARY_PATH
export KRAIT_SYS_BUNDLED=1
./package.sh "$at/crates"
rm -rf "$at/unpacked"
mkdir -p "$at/unpacked"
for crate in krait-sys krait; do
    tar xzf "$at/crates/$crate"-*.crate -C "$at/unpacked"
    mv "$at/unpacked/$crate"-[0-9]* "$at/unpacked/$crate"
done
cat >"$at/unpacked/Cargo.toml" <<'EOF'
[workspace]
members = ["krait-sys", "krait"]
resolver = "2"
[patch.crates-io]
krait-sys = { path = "krait-sys" }
EOF
# The tests need the shipped models and are not published.
cp -r krait/tests "$at/unpacked/krait/"
ln -sfn "$top/examples/models" "$at/models"
ln -sfn "$top/examples/motion" "$at/motion"
tests "$at/unpacked" 40
cd "$at/unpacked"
cargo run -q --example stream >"$at/stream.log" && grep -q '^13 of 13' "$at/stream.log" || fail "the example, bundled"
if ldd "$at/target/debug/examples/stream" | grep -q libkrait; then fail "a library was linked besides the source"; fi
cd "$top"
[ -z "$(git status --porcelain examples/rust 2>/dev/null)" ] || say "examples/rust has changes that are not committed"
say "the crates are right"
