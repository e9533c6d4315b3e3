/* consumer.cc - the same text as C++98. */
#include "consumer.c"
