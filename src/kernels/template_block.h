/* template_block.h - products whose weights are codes with shared scales (blocks.h), and activations for them. */

/* The outputs that a matrix ends with; a block product has one chain and no segments. */
static KR_NOINLINE void KR_NAME(q8_store_part)(const kr_product *p, float *y, size_t output, V sum)
{
    size_t n = p->w->outputs > output ? p->w->outputs - output : 0;

    if (n > 0)
        V_STORE_N(y, p->bias ? V_ADD(sum, V_LOAD_N(p->bias + output, n)) : sum, n);
}

/* 'rows' rows by 'panels' panels, over all blocks. */
KR_INLINE void KR_NAME(q8_tile)(const kr_product *p, const unsigned char *strip, size_t width,
                                size_t output, size_t row, const size_t rows, const size_t panels)
{
    const size_t vectors = panels * KR_NAME(PER_PANEL);
    const size_t blocks = p->w->inputs / KR_BLOCK, shift = output % KR_STRIP;
    const kr_q8 *q = p->q + row * blocks;
    V            total[KR_Q8_ROWS][KR_NAME(MOST)];

    KR_UNROLL
    for (size_t r = 0; r < rows; r++)
        KR_UNROLL
        for (size_t j = 0; j < vectors; j++)
            total[r][j] = V_ZERO();
    for (size_t b = 0; b < blocks; b++, strip += width * (KR_BLOCK + 2)) {
        const unsigned char *weights = strip + 2 * width + 4 * shift;
        I                    sum[KR_Q8_ROWS][KR_NAME(MOST)];

        KR_UNROLL
        for (size_t r = 0; r < rows; r++)
            KR_UNROLL
            for (size_t j = 0; j < vectors; j++)
                sum[r][j] = Q_START(q[r * blocks + b].sum);
        KR_UNROLL
        for (size_t k = 0; k < KR_BLOCK / 4; k++)
            KR_UNROLL
            for (size_t j = 0; j < vectors; j++) {
                I w = Q_WEIGHTS(weights + (k * width + j * KR_V) * 4);

                KR_UNROLL
                for (size_t r = 0; r < rows; r++)
                    sum[r][j] = Q_DOT(sum[r][j], w, Q_INPUTS(q[r * blocks + b].q + 4 * k));
            }
        KR_UNROLL
        for (size_t j = 0; j < vectors; j++) {
            V scale = V_HALF(strip + 2 * (shift + j * KR_V));

            KR_UNROLL
            for (size_t r = 0; r < rows; r++)
                total[r][j] = V_FMA(I_FLOAT(sum[r][j]), V_MUL(scale, V_SET(q[r * blocks + b].scale)),
                                    total[r][j]);
        }
    }
    KR_UNROLL
    for (size_t r = 0; r < rows; r++)
        KR_UNROLL
        for (size_t j = 0; j < vectors; j++) {
            size_t at = output + j * KR_V;
            float *y = p->y + (row + r) * p->y_stride + at;

            if (at + KR_V <= p->w->outputs)
                V_STORE(y, p->bias ? V_ADD(total[r][j], V_LOAD(p->bias + at)) : total[r][j]);
            else
                KR_NAME(q8_store_part)(p, y, at, total[r][j]);
        }
}

static void KR_NAME(product_q8_0)(const kr_product *p)
{
    for (size_t o = 0; o < p->w->outputs; o += KR_STRIP) {
        const unsigned char *strip = kr_pack_q8_record(p->w, o, 0);
        size_t               width = kr_pack_width(p->w, o), row = 0, at;

        for (; row + KR_Q8_ROWS <= p->rows; row += KR_Q8_ROWS) {
            for (at = 0; at + KR_Q8_PANELS * 16 <= width; at += KR_Q8_PANELS * 16)
                KR_NAME(q8_tile)(p, strip, width, o + at, row, KR_Q8_ROWS, KR_Q8_PANELS);
            for (; at < width; at += 16)
                KR_NAME(q8_tile)(p, strip, width, o + at, row, KR_Q8_ROWS, 1);
        }
        for (; row < p->rows; row++) {
            for (at = 0; at + KR_Q8_ONE_PANELS * 16 <= width; at += KR_Q8_ONE_PANELS * 16)
                KR_NAME(q8_tile)(p, strip, width, o + at, row, 1, KR_Q8_ONE_PANELS);
            for (; at < width; at += 16)
                KR_NAME(q8_tile)(p, strip, width, o + at, row, 1, 1);
        }
    }
}

static void KR_NAME(product_blocks)(const kr_product *p)
{
    if (p->w->type == KRAIT_Q8_0)
        KR_NAME(product_q8_0)(p);
    else
        kr_plain_product_blocks(p);
}

static void KR_NAME(quantize)(kr_q8 *q, const float *x, size_t x_stride, size_t rows, size_t inputs)
{
    for (size_t i = 0; i < rows * (inputs / KR_BLOCK); i++) {
        const float *from = x + i / (inputs / KR_BLOCK) * x_stride + i % (inputs / KR_BLOCK) * KR_BLOCK;
        int32_t      magnitudes[KR_V], whole[KR_BLOCK], most = 0;
        I            top = I_ZERO();
        float        max, inverse;

        for (size_t k = 0; k < KR_BLOCK; k += KR_V)
            top = I_MAX(top, I_MAGNITUDE(V_LOAD(from + k)));
        I_STORE(magnitudes, top);
        for (size_t k = 0; k < KR_V; k++)
            most = magnitudes[k] > most ? magnitudes[k] : most;
        max = kr_float_of((uint32_t)most);
        q[i] = (kr_q8){ 0 };
        if (most >= 0x7f800000)
            q[i].scale = kr_float_of(0x7fc00000u);
        if (most >= 0x7f800000 || max < KR_TINY)
            continue;
        inverse = 127.0f / max;
        q[i].scale = max / 127.0f;
        for (size_t k = 0; k < KR_BLOCK; k += KR_V)
            I_STORE(whole + k, I_ROUND(V_MUL(V_LOAD(from + k), V_SET(inverse))));
        for (size_t k = 0; k < KR_BLOCK; k++) {
            q[i].q[k] = (int8_t)whole[k];
            q[i].sum += whole[k];
            q[i].first += k < KR_BLOCK / 2 ? whole[k] : 0;
        }
    }
}
