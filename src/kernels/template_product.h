/*
 * template_product.h - y = W x for one float type of weights: W_NAME, W_TYPE, W_LOAD.
 *
 * Included by template.h once for each type.  A strip of 64 outputs and a segment of 64 inputs
 * at a time, so that the piece of W is read from memory once and then stays in the cache while
 * the rows pass over it.
 */

/* 'rows' rows by 'panels' panels over one segment: inputs from..to-1. */
KR_INLINE void W_NAME(tile)(const kr_product *p, KR_NAME(strip) strip, size_t output, size_t row,
                            size_t from, size_t to, const size_t rows, const size_t panels)
{
    const size_t  vectors = panels * KR_NAME(PER_PANEL);
    const W_TYPE *w = (const W_TYPE *)p->w->data + strip.output * p->w->inputs +
                      from * strip.width + (output - strip.output);
    const float  *x = p->x + row * p->x_stride;
    V             sum[KR_TILE_ROWS][KR_NAME(MOST)];

    KR_UNROLL
    for (size_t r = 0; r < rows; r++)
        KR_UNROLL
        for (size_t j = 0; j < vectors; j++)
            sum[r][j] = V_ZERO();
    for (size_t k = from; k < to; k++, w += strip.width) {
        V weights[KR_NAME(MOST)];

        if (rows > 1)           /* many rows compute long enough for the next segment to come */
            KR_UNROLL
            for (size_t j = 0; j < panels * 16 * sizeof *w; j += 64)
                V_PREFETCH((const char *)(w + KR_SEGMENT * strip.width) + j);
        KR_UNROLL
        for (size_t j = 0; j < vectors; j++)
            weights[j] = W_LOAD(w + j * KR_V);
        KR_UNROLL
        for (size_t r = 0; r < rows; r++) {
            V input = V_SET(x[r * p->x_stride + k]);

            KR_UNROLL
            for (size_t j = 0; j < vectors; j++)
                sum[r][j] = V_FMA(weights[j], input, sum[r][j]);
        }
    }
    if (output + panels * 16 <= p->w->outputs) {
        KR_UNROLL
        for (size_t r = 0; r < rows; r++)
            KR_UNROLL
            for (size_t j = 0; j < vectors; j++)
                KR_NAME(finish)(p, p->y + (row + r) * p->y_stride + output + j * KR_V, output + j * KR_V,
                                sum[r][j], from == 0, to == p->w->inputs);
    } else {
        KR_UNROLL
        for (size_t r = 0; r < rows; r++)
            KR_UNROLL
            for (size_t j = 0; j < vectors; j++)
                KR_NAME(finish_part)(p, p->y + (row + r) * p->y_stride + output + j * KR_V, output + j * KR_V,
                                     sum[r][j], from == 0, to == p->w->inputs);
    }
}

/* All panels of a strip for a fixed number of rows: as many at once as fit, then one by one. */
KR_INLINE void W_NAME(rows)(const kr_product *p, KR_NAME(strip) strip, size_t row, size_t from,
                            size_t to, const size_t rows, const size_t panels)
{
    size_t at = 0;

    for (; at + panels * 16 <= strip.width; at += panels * 16)
        W_NAME(tile)(p, strip, strip.output + at, row, from, to, rows, panels);
    if (rows == 1 && strip.width - at == 48) {      /* a lone row's few sums would wait for one another */
        W_NAME(tile)(p, strip, strip.output + at, row, from, to, rows, 3);
        return;
    }
    if (rows == 1 && strip.width - at == 32) {
        W_NAME(tile)(p, strip, strip.output + at, row, from, to, rows, 2);
        return;
    }
    if (panels > 1)
        for (; at < strip.width; at += 16)
            W_NAME(tile)(p, strip, strip.output + at, row, from, to, rows, 1);
}

static void W_NAME(product)(const kr_product *p)
{
    for (size_t o = 0; o < p->w->outputs; o += KR_STRIP) {
        KR_NAME(strip) strip = { o, kr_pack_width(p->w, o) };

        for (size_t from = 0; from < p->w->inputs; from += KR_SEGMENT) {
            size_t to = kr_min(p->w->inputs, from + KR_SEGMENT), row = 0;

            for (; row + KR_TILE_ROWS <= p->rows; row += KR_TILE_ROWS)
                W_NAME(rows)(p, strip, row, from, to, KR_TILE_ROWS, KR_TILE_PANELS);
            for (; row + 4 <= p->rows; row += 4)
                W_NAME(rows)(p, strip, row, from, to, 4, KR_TILE_PANELS);
            for (; row + 2 <= p->rows; row += 2)
                W_NAME(rows)(p, strip, row, from, to, 2, KR_TILE_PANELS);
            if (row < p->rows)
                W_NAME(rows)(p, strip, row, from, to, 1, 4);
        }
    }
}

#undef W_NAME
#undef W_TYPE
#undef W_LOAD
