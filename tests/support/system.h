/* system.h - what the tests ask of the system they run on, where POSIX is not everywhere. */
#ifndef TEST_SYSTEM_H
#define TEST_SYSTEM_H

#include <stddef.h>

/* Makes the folder; 0 as mkdir's. */
int system_folder(const char *path);
/* Makes a folder of a name that nobody has, out of one that ends in XXXXXX; 0: none could be made. */
int system_scratch(char *path);
/* The folder and all that is in it. */
void system_remove(const char *path);
/* Calls 'crashed' with a signal that would end the program, where nobody else waits for it. */
void system_watch(void (*crashed)(int number));

#endif
