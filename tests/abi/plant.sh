#!/bin/sh
# plant.sh [name...] - breaks the ABI in a copy of the tree, one way after another, and sees check.sh
# find each; then makes changes that docs/abi.md allows, which it must let pass.  Half a minute each.
set -u
cd "$(dirname "$0")/../.." || exit 1
top=$PWD
copy=$(mktemp -d) || exit 1
trap 'rm -rf "$copy"' EXIT
wanted=$*
failed=0

fresh() {
    rm -rf "$copy/tree"
    mkdir "$copy/tree" &&
        tar -C "$top" -cf - include src pkgconfig LICENSE tests/abi | tar -C "$copy/tree" -xf - &&
        mkdir -p "$copy/tree/examples" && ln -s "$top/examples/models" "$copy/tree/examples/models" &&
        cd "$copy/tree" || exit 1
    # What is recorded is out; this is the version after it.
    minor=$(sed -n 's/^#define KRAIT_VERSION_MINOR *//p' include/krait.h)
    sed -i "s/^\(#define KRAIT_VERSION_MINOR *\)[0-9]*/\1$((minor + 1))/" include/krait.h
    grep -q "KRAIT_ABI  *[0-9]" include/krait.h || exit 1
}

# plant NAME caught|passes SCRIPT - sed's, over krait.h, or a command that begins with '!'.
plant() {
    name=$1 want=$2 script=$3
    case " $wanted " in "  " | *" $name "*) ;; *) return ;; esac
    fresh
    cp include/krait.h before.h && cp src/krait.map before.map
    case $script in
    !*) eval "${script#!}" ;;
    '') ;;
    *)  sed -i "$script" include/krait.h ;;
    esac
    if [ -n "$script" ] && cmp -s include/krait.h before.h && cmp -s src/krait.map before.map; then
        echo "FAIL $name: the plant changes nothing"
        failed=1
        return
    fi
    tests/abi/check.sh >said 2>&1 && got=passes || got=stopped
    # What does not compile is not found by a comparison.
    [ $got = passes ] || ! grep -q '^FAIL' said || got=caught
    if [ $got = "$want" ]; then
        echo "ok   $name: $want"
        sed -n 's/^FAIL \(.*\)/         by \1/p' said
        [ $got = passes ] || grep '^     ' said | head -n 2 | sed 's/^/    /'
    else
        cat said
        echo "FAIL $name: $got"
        failed=1
    fi
}

# A function more, declared and defined; in the node $1 of krait.map.
one_more() {
    sed -i 's/^KRAIT_API int32_t     krait_abi(void);/&\nKRAIT_API int32_t krait_more(void);/' include/krait.h
    echo 'int32_t krait_more(void) { return 1; }' >>src/krait.c
    case $1 in
    old) sed -i 's/^    krait_abi;/&\n    krait_more;/' src/krait.map ;;
    new) printf '\nKRAIT_0.2 {\nglobal:\n    krait_more;\n} KRAIT_0.1;\n' >>src/krait.map ;;
    esac
}

plant nothing           passes ''
plant field-inserted    caught '/^typedef struct krait_input {/,/^}/ s/^    size_t  *steps;/    size_t again;\n&/'
plant field-added-to-frozen caught 's/uint64_t word\[2\]; } krait_rng/uint64_t word[2]; uint64_t more; } krait_rng/'
plant padding-at-end    caught '/^typedef struct krait_slot_info {/,/^}/ s/^    int32_t  *unused_;//'
plant field-in-place-of-unused caught '/^typedef struct krait_slot_info {/,/^}/ s/^    int32_t  *unused_;.*/    int16_t unused_; int16_t more;/'
plant struct-with-padding caught 's/^typedef struct krait_rng /typedef struct krait_new { size_t size; int32_t less; } krait_new;\n&/'
plant field-gone        caught 's/^    int32_t  *which; .*//'
plant fields-swapped    caught '/^typedef struct krait_state_options {/,/^}/ { s/\<lanes;/other;/; s/\<chunk;/lanes;/; s/\<other;/chunk;/ }'
plant type-changed      caught '/^typedef struct krait_part {/,/^}/ s/int32_t\( *\)dimensions/uint32_t\1dimensions/'
plant type-widened      caught '/^typedef struct krait_output {/,/^}/ s/int32_t\( *\)which/int64_t\1which/'
plant parameter-changed caught '! sed -i "s/krait_rng_seed(krait_rng \*rng, uint64_t seed)/krait_rng_seed(krait_rng *rng, uint32_t seed)/" include/krait.h src/*.c'
plant typedef-changed   caught 's/^typedef int32_t krait_status;/typedef int64_t krait_status;/'
plant symbol-dropped    caught '! sed -i "/^    krait_state_adopt;/d" src/krait.map'
plant symbol-moved      caught '! sed -i "/^    krait_sample;/d" src/krait.map; printf "\nKRAIT_0.2 {\nglobal:\n    krait_sample;\n} KRAIT_0.1;\n" >>src/krait.map'
plant symbol-late       caught '! one_more old'
plant constant-changed  caught 's/KRAIT_ERR_BUILD       = -12/KRAIT_ERR_BUILD       = -13/'
plant constant-inserted caught 's/^    KRAIT_VOCABULARY, /    KRAIT_NEW_KEY,\n&/'
plant alignment-raised  caught 's/^#define KRAIT_STATE_ALIGNMENT 64/#define KRAIT_STATE_ALIGNMENT 128/'
plant header-not-c99    caught 's/^typedef int32_t krait_status;/&\ntypedef int krait_lambda[sizeof(auto)];/'
plant field-appended    passes '/^typedef struct krait_output {/,/^}/ s/^    size_t  *slot_count;/&\n    size_t more;/'
plant constant-appended passes 's/KRAIT_Q8_0 = 8 }/KRAIT_Q8_0 = 8, KRAIT_NEW = 99 }/'
plant function-appended passes '! one_more new'
plant abi-raised        passes 's/^\(#define KRAIT_ABI  *\)0/\11/; s/^typedef int32_t krait_status;/typedef int64_t krait_status;/'
exit $failed
