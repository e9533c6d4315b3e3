/* embedded.h - between motion.c and its machine. */
#ifndef EMBEDDED_H
#define EMBEDDED_H

#include <stddef.h>

/* The file of the model, aligned to KRAIT_STATE_ALIGNMENT (model.S). */
extern const unsigned char embedded_model[], embedded_model_end[];

static inline size_t embedded_model_bytes(void)
{
    return (size_t)(embedded_model_end - embedded_model);
}

int embedded_main(void);

/* The machine's: shows text, and how deep the stack went. */
void   say(const char *text);
size_t stack_used(void);

#endif
