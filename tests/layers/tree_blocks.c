/* tree_blocks.c - codes and scales by chance, halves so that no number is much larger than was asked for. */
#include "layers/tree_blocks.h"

#include "core/bits.h"
#include "krait.h"
#include "model/model.h"

/* Where the halves are, and what they are multiplied with at most; a negative one where it is added, not subtracted. */
static const struct block_form {
    int32_t type;
    size_t  numbers, bytes, scale, offset;
    double  most, most_offset;
} forms[] = {
    { KRAIT_Q8_0, 32, 34, 0, 0, 128, 0 },         { KRAIT_Q4_0, 32, 18, 0, 0, 8, 0 },
    { KRAIT_Q4_1, 32, 20, 0, 2, 7.5, -1 },        { KRAIT_Q5_0, 32, 22, 0, 0, 16, 0 },
    { KRAIT_Q5_1, 32, 24, 0, 2, 15.5, -1 },       { KRAIT_Q2_K, 256, 84, 80, 82, 1.5 * 15, 15 },
    { KRAIT_Q3_K, 256, 110, 108, 108, 128, 0 },   { KRAIT_Q4_K, 256, 144, 0, 2, 7.5 * 63, 63 },
    { KRAIT_Q5_K, 256, 176, 0, 2, 15.5 * 63, 63 }, { KRAIT_Q6_K, 256, 210, 208, 208, 4096, 0 },
};

static const struct block_form *form_of(int32_t type)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (forms[i].type == type)
            return &forms[i];
    return NULL;
}

size_t tree_block_numbers(int32_t type)
{
    return form_of(type) ? form_of(type)->numbers : 0;
}

size_t tree_block_bytes(int32_t type)
{
    return form_of(type) ? form_of(type)->bytes : 0;
}

void tree_blocks(kr_random *random, int32_t type, double high, size_t count, unsigned char *raw, float *numbers)
{
    const struct block_form *form = form_of(type);

    for (size_t i = 0; i < count / form->numbers; i++) {
        unsigned char *block = raw + i * form->bytes;
        double         size = high * (0.75 + 0.25 * (double)kr_random_unit(random));

        for (size_t k = 0; k < form->bytes; k++)
            block[k] = (unsigned char)kr_random_u32(random);
        kr_store_u16(block + form->scale, kr_half_of_float((float)(size / form->most)));
        if (form->offset != form->scale)
            kr_store_u16(block + form->offset, kr_half_of_float((float)(size / form->most_offset)));
    }
    kr_source_floats(type, raw, 0, count, numbers);
}
