#!/bin/sh
# check_headers.sh c99|c++98|src - krait.h alone in that language, or each header of src.
set -u
text=$BUILD/header.c
case $1 in
c99)
    echo '#include "krait.h"' >"$text"
    $CC -std=c99 -pedantic-errors -Wall -Wextra -Werror -Iinclude -fsyntax-only "$text" ;;
c++98)
    # shellcheck disable=SC2086
    set -- ${CXX:-c++}
    command -v "$1" >/dev/null || { echo "no C++ compiler"; exit 77; }
    for header in include/*; do
        language=c++98
        case $header in *.hpp) language=c++11 ;; esac
        echo "#include \"${header#include/}\"" >"$text"
        "$@" -std=$language -Wall -Wextra -Werror -Iinclude -fsyntax-only -x c++ "$text" || exit 1
    done ;;
src)
    bad=0
    for header in src/*/*.h; do
        [ -e "$header" ] || continue
        # Without a guard it is text for several inclusions.
        grep -q '^#ifndef [A-Z_0-9]*_H$' "$header" || continue
        echo "#include \"${header#src/}\"" >"$text"
        $COMPILE -Isrc -Iinclude -fsyntax-only "$text" || { echo "$header: not alone"; bad=1; }
    done
    exit $bad ;;
esac
