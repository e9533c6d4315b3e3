/* host.c - motion.c on a machine with stdio, to compare with. */
#include <stdio.h>

#include "embedded.h"

void say(const char *text)
{
    fputs(text, stdout);
}

size_t stack_used(void)
{
    return 0;
}

int main(void)
{
    return embedded_main();
}
