#!/bin/bash
# check.sh - krait as someone else's program gets it, outside of the tree: installed by make and by CMake,
# through pkg-config, find_package and add_subdirectory, shared and static, and as one file.  Takes nothing.
#
# Debian: gcc g++ clang make cmake pkg-config binutils man-db
set -u
cd "$(dirname "$0")/../.." || exit 1
TOP=$PWD
W=$(mktemp -d) || exit 1
trap 'rm -rf "$W"' EXIT
unset MAKEFLAGS CFLAGS LDFLAGS CPPFLAGS DESTDIR
STRICT="-Wall -Wextra -Werror"
failed=0
jobs=$(nproc)

verdict() {
    local name=$1
    shift
    if ("$@") >"$W/said" 2>&1 </dev/null; then
        echo "ok   $name"
    else
        tail -n 25 "$W/said" | sed 's/^/     /'
        echo "FAIL $name"
        failed=1
    fi
}

# installed FOLDER ARGUMENT... - by make, below a DESTDIR of that name.
installed() {
    local to=$W/$1 made=$1
    shift
    make -j"$jobs" CC=gcc O="$W/made$made" WERROR=1 DESTDIR="$to" PREFIX=/opt/krait LIBDIR=/opt/krait/lib64 "$@"
}

# shared|static FOLDER COMPILER SOURCE - compiled through pkg-config against the install there, and run.
shared() {
    local at=$1 compiler=$2 source=$3
    export PKG_CONFIG_SYSROOT_DIR=$at PKG_CONFIG_PATH=$at/opt/krait/lib64/pkgconfig
    # shellcheck disable=SC2046,SC2086
    $compiler $STRICT -o "$W/consumer" "$source" $(pkg-config --cflags --libs krait) &&
        readelf -d "$W/consumer" | grep -q 'NEEDED.*libkrait\.so\.[0-9]*\]' &&
        LD_LIBRARY_PATH=$at/opt/krait/lib64 "$W/consumer" >"$W/printed" &&
        grep -q "^krait $(pkg-config --modversion krait)," "$W/printed"
}

static() {
    local at=$1 compiler=$2 source=$3
    export PKG_CONFIG_SYSROOT_DIR=$at PKG_CONFIG_PATH=$at/opt/krait/lib64/pkgconfig
    # shellcheck disable=SC2046,SC2086
    $compiler $STRICT -static -o "$W/consumer" "$source" $(pkg-config --static --cflags --libs krait) &&
        "$W/consumer"
}

wrapped() {
    local at=$1 compiler=$2
    # shellcheck disable=SC2086
    $compiler $STRICT -I"$at/opt/krait/include" -o "$W/wrapper" tests/consumer/wrapper.cc \
        "$at/opt/krait/lib64/libkrait.a" -lm && "$W/wrapper"
}

command_and_manual() {
    "$1/opt/krait/bin/krait" --help >/dev/null && cmp "$1/opt/krait/share/man/man1/krait.1" docs/krait.1 &&
        man -l "$1/opt/krait/share/man/man1/krait.1" | grep -q 'run state space models'
}

nothing_left() {
    installed stage uninstall || return 1
    local left
    left=$(find "$W/stage" ! -type d)
    [ -z "$left" ] || { echo "uninstall leaves $left"; return 1; }
}

# project FOLDER FIND TARGET ARGUMENT... - a CMake project of C and C++ that gets krait by the lines FIND.
project() {
    local name=$W/$1 find=$2 target=$3
    shift 3
    mkdir -p "$name" && cp tests/consumer/consumer.c tests/consumer/consumer.cc "$name" || return 1
    cat >"$name/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.13)
project(consumer LANGUAGES C CXX)
$find
add_executable(consumer consumer.c)
target_link_libraries(consumer $target)
add_executable(consumer_cc consumer.cc)
target_link_libraries(consumer_cc $target)
set_target_properties(consumer_cc PROPERTIES LINKER_LANGUAGE CXX)
END
    cmake -S "$name" -B "$name/build" -DCMAKE_BUILD_TYPE=Release "$@" &&
        cmake --build "$name/build" -j "$jobs" &&
        "$name/build/consumer" && "$name/build/consumer_cc" || return 1
    case $target in
    krait::krait) readelf -d "$name/build/consumer" | grep -q 'NEEDED.*libkrait\.so\.[0-9]*\]' ;;
    *)            ! readelf -d "$name/build/consumer" | grep -q 'NEEDED.*libkrait' ;;
    esac
}

found() { project "$1" "find_package(krait 0.1 REQUIRED)" "$2" -Dkrait_DIR="$3/cmake/krait"; }

too_new() {
    ! project new "find_package(krait 99.0 REQUIRED)" krait::krait -Dkrait_DIR="$1/cmake/krait" &&
        grep -q 'requested version "99.0"' "$W/said"
}

by_cmake() {
    cmake -S pkgconfig -B "$W/cmade" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_INSTALL_PREFIX="$W/cinst" \
        -DCMAKE_INSTALL_LIBDIR=lib &&
        cmake --build "$W/cmade" -j "$jobs" && cmake --install "$W/cmade" &&
        [ "$(nm -D --defined-only "$W/cinst/lib/libkrait.so" | grep -c '@@KRAIT_')" = \
            "$(grep -c '^    krait_' src/krait.map)" ] &&
        [ "$(PKG_CONFIG_PATH=$W/cinst/lib/pkgconfig pkg-config --variable=libdir krait)" = "$W/cinst/lib" ]
}

# The library as someone drops it among files of his own, and what it gives.
one_file() {
    local compiler=$1 object=$W/one.o
    # shellcheck disable=SC2086
    $compiler -O2 -Wall -Wextra -Werror -I"$W/one/.build/amalgamation" -c -o "$object" \
        "$W/one/.build/amalgamation/krait.c" &&
        gcc -I"$W/one/.build/amalgamation" -o "$W/consumer" tests/consumer/consumer.c "$object" -lm &&
        "$W/consumer" &&
        gcc -pthread -o "$W/one_test" $(find "$W/madestage/.build/gcc/tests" -name '*.o' \
            ! -path '*/programs/*' ! -path '*/bench/*') "$object" -lm &&
        "$W/one_test" conformance_table selftest
}

test_objects() {
    make -j"$jobs" CC=gcc O="$W/madestage" WERROR=1 "$W/madestage/.build/gcc/krait-test" &&
        make O="$W/one" amalgamation
}

verdict "make install" installed stage install
for at in "$W/stage"; do
    for std in c99 c11; do
        verdict "pkg-config, shared, $std" shared "$at" "gcc -std=$std -pedantic-errors" tests/consumer/consumer.c
    done
    verdict "pkg-config, static, c99" static "$at" "gcc -std=c99 -pedantic-errors" tests/consumer/consumer.c
    for std in c++98 c++11 c++17 c++20; do
        verdict "pkg-config, shared, $std" shared "$at" "g++ -std=$std -pedantic-errors" tests/consumer/consumer.cc
    done
    for std in c++11 "c++11 -fno-exceptions" c++17 c++20; do
        verdict "krait.hpp, $std" wrapped "$at" "g++ -std=$std"
    done
    verdict "the command and its manual" command_and_manual "$at"
    verdict "find_package after make, shared" found find1 krait::krait "$at/opt/krait/lib64"
    verdict "find_package after make, static" found find2 krait::krait_static "$at/opt/krait/lib64"
    verdict "find_package refuses another version" too_new "$at/opt/krait/lib64"
done
verdict "cmake --install" by_cmake
verdict "find_package after cmake, shared" found find3 krait::krait "$W/cinst/lib"
verdict "find_package after cmake, static" found find4 krait::krait_static "$W/cinst/lib"
verdict "add_subdirectory" project sub "add_subdirectory($TOP/pkgconfig krait)" krait::krait_static \
    -DCMAKE_BUILD_TYPE=Debug
verdict "OPENMP=1: make install" installed openmp OPENMP=1 install
verdict "OPENMP=1: pkg-config, shared" shared "$W/openmp" "gcc -std=c99" tests/consumer/consumer.c
verdict "OPENMP=1: pkg-config, static" static "$W/openmp" "gcc -std=c99" tests/consumer/consumer.c
verdict "OPENMP=1: find_package, static" found find5 krait::krait_static "$W/openmp/opt/krait/lib64"
verdict "the objects of krait-test" test_objects
for compiler in gcc "gcc -march=native" clang "clang -march=native"; do
    verdict "one file, $compiler" one_file "$compiler"
done
verdict "make uninstall" nothing_left
exit $failed
