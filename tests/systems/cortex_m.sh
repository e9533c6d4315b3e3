#!/bin/sh
# cortex_m.sh - a trained model in a fixed arena on a Cortex-M4 and a Cortex-M7 of QEMU, without files, threads, stdio and malloc:
# the bits of the machine that this runs on, and how much flash and memory it takes.  Debian: gcc-arm-none-eabi,
# libnewlib-arm-none-eabi, qemu-system-arm; a cc and make for this machine.
set -u
. "$(dirname "$0")/common.sh"
needs arm-none-eabi-gcc arm-none-eabi-size arm-none-eabi-nm qemu-system-arm cc make awk
at=examples/embedded
wrap=-Wl,--wrap=__aeabi_dadd,--wrap=__aeabi_dsub,--wrap=__aeabi_drsub

# The model in panels, which are used in place, and 12 windows of recordings.
timeout 900 make "$JOBS" O="$W/host" all >"$LOG" 2>&1 || { tail -n 30 "$LOG"; fail "make failed"; }
"$W/host/krait" convert examples/models/s5-har.safetensors "$W/model.gguf" --layout panels --quiet || exit 1
awk -F, '!/^#/ && FNR <= 257 { printf "{"; for (i = 1; i <= NF; i++) printf " %sf,", $i; print " }," }' \
    examples/motion/*.csv >"$W/motion_rows.h"
[ "$(wc -l <"$W/motion_rows.h")" = 1536 ] || fail "the recordings are not 6 of 256 rows"

# build FOLDER COMPILER-AND-FLAGS - the library and the program's own objects.
build() {
    mkdir -p "$W/$1"
    # shellcheck disable=SC2086
    timeout 900 make "$JOBS" O="$W/$1" MINIMAL=1 WERROR=1 CC="${2%% *}" CFLAGS="${2#* }" static >"$LOG" 2>&1 ||
        { tail -n 30 "$LOG"; fail "make MINIMAL=1 failed"; }
    # shellcheck disable=SC2086
    $2 -std=c11 -Wall -Wextra -Werror -Iinclude -I"$W" -c -o "$W/$1/motion.o" $at/motion.c &&
        $2 -DMODEL="\"$W/model.gguf\"" -c -o "$W/$1/model.o" $at/model.S || fail "$at does not compile"
}

build plain "cc -O2"
cc -Wall -Wextra -Werror -Iinclude -o "$W/plain/motion" $at/host.c "$W/plain/motion.o" "$W/plain/model.o" \
    "$W/plain/libkrait.a" -lm || fail "$at does not link"
"$W/plain/motion" >"$W/plain.txt" || { cat "$W/plain.txt"; fail "no numbers of this machine"; }
[ "$(grep -c '^[0-5]: ' "$W/plain.txt")" = 12 ] || fail "not 12 windows"

# What the library needs of libc, and no more.
allowed="memcpy memmove memset memcmp memchr strlen strcmp strncmp strchr strrchr strstr strspn strpbrk strcpy sqrt sqrtf"

# board CORE FLAGS MACHINE - build, run, compare; soft doubles need sums of their own.
board() {
    core=$1 flags="-mcpu=$1 -mthumb $2 -Os -ffunction-sections -fdata-sections" machine=$3 extra=
    gcc="arm-none-eabi-gcc $flags"
    build "$core" "$gcc"
    case $2 in *fpv5-d16*) ;; *) extra="$at/double_add.c $wrap" ;; esac
    strange=$(arm-none-eabi-nm -u "$W/$core/libkrait.a" | sed -n 's/^ *U //p' | sort -u |
        grep -v '^kr_\|^krait_\|^__aeabi_' | grep -vxF "$(echo "$allowed" | tr ' ' '\n')")
    [ -z "$strange" ] || fail "$core: the library needs" $strange
    # shellcheck disable=SC2086
    $gcc -Wall -Wextra -Werror -nostartfiles -T $at/board.ld -Wl,--gc-sections,--no-warn-execstack -o "$W/$core.elf" $at/board.c $extra \
        "$W/$core/motion.o" "$W/$core/model.o" "$W/$core/libkrait.a" -lm || fail "$core does not link"
    timeout 120 qemu-system-arm -M "$machine" -nographic -semihosting-config enable=on,target=native \
        -kernel "$W/$core.elf" >"$W/$core.txt" 2>&1 </dev/null || { cat "$W/$core.txt"; fail "$core on $machine failed"; }
    grep -v '^#' "$W/plain.txt" >"$W/wanted"
    grep -v '^#' "$W/$core.txt" | diff "$W/wanted" - || fail "$core computes other bits"
    echo "$core on $machine: the same bits; code $(section .text) + $(section .rodata), model $(section .model) bytes"
    grep '^# [0-9]' "$W/$core.txt"
}
section() {
    arm-none-eabi-size -A "$W/$core.elf" | awk -v s="$1" '$1 == s { print $2 }'
}

board cortex-m4 "-mfloat-abi=hard -mfpu=fpv4-sp-d16" mps2-an386
board cortex-m7 "-mfloat-abi=hard -mfpu=fpv5-d16" mps2-an500

# Without those sums the self-test refuses: the check that a check is made.
# shellcheck disable=SC2086
core=cortex-m4
arm-none-eabi-gcc -mcpu=$core -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 -nostartfiles -T $at/board.ld -Wl,--gc-sections \
    -Os -Wl,--no-warn-execstack -o "$W/refused.elf" $at/board.c "$W/$core/motion.o" "$W/$core/model.o" "$W/$core/libkrait.a" -lm || exit 1
timeout 120 qemu-system-arm -M mps2-an386 -nographic -semihosting-config enable=on,target=native \
    -kernel "$W/refused.elf" 2>&1 </dev/null | grep -q 'options that change arithmetic' ||
    echo "note: this libgcc adds doubles rightly; double_add.c is no longer needed"
