# reference.awk - krait.h as doxygen reads it: sections become groups, comments behind a member belong to it, and
# members whose meaning is the same in every struct are told once, here.
FNR == 1 && /^\/\*/ { print "/**"; print " * \\mainpage"; next }
/^\/\* ---- .* -+ \*\/$/ {
    name = $3
    for (i = 4; $i !~ /^-+$/; i++)
        name = name " " $i
    printf "%s/** \\defgroup %s %s\n * @{ */\n", open ? "/** @} */\n" : "", name, name
    open = 1
    next
}
/^#ifdef __cplusplus/ && open { print "/** @} */"; open = 0 }
# A member, a constant or a macro, and what is said of it.
/[;,0-9A-Z] +\/\* / { sub(/\/\* /, "/**< ") }
/^    size_t +size;$/          { $0 = $0 " /**< sizeof this struct */" }
/^ .*\*[a-z]+_user;$/          { $0 = $0 " /**< given to the callback */" }
/^ .* unused[0-9]*_(\[2\])?;$/ { $0 = $0 " /**< 0 */" }
/^    size_t +[a-z]+_count;$/  { $0 = $0 " /**< of them */" }
{ print }
