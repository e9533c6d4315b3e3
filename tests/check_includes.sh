#!/bin/sh
# Who may include whom: a file's own folder and those before it, nothing else.
#
#     core < kernels < scan < layers < model < krait.c
#     core < formats < text          < model
#
# Also: the command and the examples see krait.h alone, only core and the command see
# the system, only core, kernels and the command's probe see instruction sets.
set -u
bad=0
wrong() { echo "$1: may not include $2"; bad=1; }

may_see() {
    case $1 in
    core)    echo core ;;
    kernels) echo core kernels ;;
    scan)    echo core kernels scan ;;
    layers)  echo core kernels scan layers ;;
    formats) echo core formats ;;
    text)    echo core formats text ;;
    model)   echo core kernels scan layers formats text model ;;
    cli)     echo cli ;;
    .)       echo core kernels scan layers formats text model ;;
    esac
}

names() { sed -n 's/^[ \t]*#[ \t]*include[ \t]*\([<"][^>"]*\).*/\1/p' "$1"; }

for file in src/*.[ch] src/*/*.[ch] src/*/*.def; do
    [ -e "$file" ] || continue
    folder=$(basename "$(dirname "$file")")
    [ "$folder" = src ] && folder=.
    allowed=$(may_see "$folder")
    [ -n "$allowed" ] || { echo "$file: an unknown folder"; bad=1; }
    for name in $(names "$file"); do
        case $name in
        \"krait.h)           continue ;;
        *krait.h | *..* | \"*.c) wrong "$file" "$name" ;;
        \"*/*)
            to=${name#\"}
            to=${to%%/*}
            case " $allowed " in *" $to "*) ;; *) wrong "$file" "$name" ;; esac ;;
        \"*)
            [ -e "$(dirname "$file")/${name#\"}" ] || wrong "$file" "$name" ;;
        '<'sys/* | '<'unistd.h | '<'fcntl.h | '<'pthread.h | '<'dirent.h | '<'omp.h | '<'windows.h)
            case $folder in core | cli) ;; *) wrong "$file" "$name>" ;; esac ;;
        '<'*intrin.h | '<'arm_*.h | '<'cpuid.h)
            case $folder,$file in
            core,* | kernels,* | cli,src/cli/probe.c) ;;
            *) wrong "$file" "$name>" ;;
            esac ;;
        esac
    done
done
for file in examples/*.c; do
    [ -e "$file" ] || continue
    for name in $(names "$file"); do
        case $name in \"krait.h) ;; \"* | *..* | *krait*) wrong "$file" "$name" ;; esac
    done
done
exit $bad
