/*
 * template_block.h - products whose weights are codes with shared scales (codes.h), and activations for them.
 *
 * A lone row, or up to KR_LONE_ROWS by twos, takes codes and scales as they stand and unpacks them in registers, as fast
 * as memory brings them.  For more rows 256 inputs of a strip are unpacked once, codes as bytes and scales as floats, and stay in the nearest cache
 * while the rows pass.  Sums between such segments wait in y, which rounds nothing.
 */

enum { KR_NAME(SEGMENT) = 8 };          /* blocks of 32 inputs: what the longest record has */

/* A segment of a strip, unpacked: bytes for products of integers, scales that are exact as floats. */
typedef struct KR_NAME(block_room) {
    _Alignas(64) unsigned char codes[KR_NAME(SEGMENT)][KR_BLOCK / 4][4 * KR_STRIP];
    float scale[KR_NAME(SEGMENT)][KR_STRIP], least[KR_NAME(SEGMENT)][KR_STRIP];
    float parts[KR_NAME(SEGMENT)][2][KR_STRIP], leasts[KR_NAME(SEGMENT)][2][KR_STRIP];
} KR_NAME(block_room);

/*
 * Blocks from..to-1 of a strip of records, and where they are unpacked: NULL, in registers.  Out of a room the segment
 * behind it, 'next' of 'bytes', is asked for while the first rows pass, 'ahead' of them with every block of a tile.
 */
typedef struct KR_NAME(block_run) {
    const unsigned char *records;
    size_t               output, width, from, to;
    const KR_NAME(block_room) *room;
    const unsigned char *next;
    size_t               bytes, ahead;
} KR_NAME(block_run);

/* ---- what a record says, KR_V outputs at a time ------------------------------------------------ */

/* Group j of four codes: planes are 'pitch' bytes apart. */
KR_INLINE I KR_NAME(block_codes)(const kr_layout t, const unsigned char *low, size_t pitch, const size_t j)
{
    I code = I_LOAD(low + j % t.low * pitch);

    if (t.low < 8)
        code = I_AND(I_RIGHT(code, t.low * (j / t.low)), I_SET(0x01010101 * ((1 << t.low) - 1)));
    if (t.high) {
        const size_t from = t.high * (j / t.high);
        I            top = I_LOAD(low + (t.low + j % t.high) * pitch);

        top = from < t.low ? I_LEFT(top, t.low - from) : I_RIGHT(top, from - t.low);
        code = I_OR(code, I_AND(top, I_SET(0x01010101 * (((1 << t.high) - 1) << t.low))));
    }
    return code;
}

/* Scales of the two parts, and those of minima. */
KR_INLINE V KR_NAME(block_part)(const kr_layout t, const unsigned char *scales)
{
    return I_FLOAT(t.halves == 2 ? I_AND(I_OF_BYTES(scales), I_SET(15)) : I_OF_SIGNED(scales));
}

KR_INLINE V KR_NAME(block_least)(const unsigned char *scales)
{
    return I_FLOAT(I_RIGHT(I_OF_BYTES(scales), 4));
}

/* A strip's segment into the room. */
KR_INLINE void KR_NAME(block_unpack)(const kr_layout t, const KR_NAME(block_run) *run, KR_NAME(block_room) *room)
{
    const size_t         per = t.inputs / KR_BLOCK, width = run->width;
    const unsigned char *record = run->records + run->from / per * kr_layout_record(t) * width;

    for (size_t b = 0; b < run->to - run->from; b++) {
        const unsigned char *at = record + kr_layout_at(t, width, b % per), *low = at + t.scales * width;

        for (size_t o = 0; o < width; o += KR_V) {
            V d = V_HALF(record + 2 * o), m = t.halves == 2 ? V_HALF(record + 2 * (width + o)) : V_ZERO();

            KR_UNROLL
            for (size_t j = 0; j < KR_BLOCK / 4; j++)
                I_STORE(room->codes[b][j] + 4 * o, KR_NAME(block_codes)(t, low + 4 * o, 4 * width, j));
            if (t.parts == 1 && t.scales) {
                d = V_MUL(d, I_FLOAT(I_OF_BYTES(at + o)));
                m = V_MUL(V_NEGATE(m), I_FLOAT(I_OF_BYTES(at + width + o)));
            }
            V_STORE(room->scale[b] + o, d);
            V_STORE(room->least[b] + o, m);
            for (size_t part = 0; t.parts == 2 && part < 2; part++) {
                V_STORE(room->parts[b][part] + o, KR_NAME(block_part)(t, at + part * width + o));
                if (t.halves == 2)
                    V_STORE(room->leasts[b][part] + o, KR_NAME(block_least)(at + part * width + o));
            }
        }
        if (b % per == per - 1)
            record += kr_layout_record(t) * width;
    }
}

/* ---- tiles --------------------------------------------------------------------------------------- */

/* Sums where the last segment left them; outputs that are padding have none. */
KR_INLINE V KR_NAME(block_begin)(const kr_product *p, size_t row, size_t output, int first)
{
    const float *y = p->y + row * p->y_stride + output;

    if (first || output >= p->w->outputs)
        return V_ZERO();
    return output + KR_V <= p->w->outputs ? V_LOAD(y) : V_LOAD_N(y, p->w->outputs - output);
}

KR_INLINE void KR_NAME(block_end)(const kr_product *p, size_t row, size_t output, V sum, int last)
{
    float       *y = p->y + row * p->y_stride + output;
    const float *bias = last && p->bias ? p->bias + output : NULL;

    if (output + KR_V <= p->w->outputs)
        V_STORE(y, bias ? V_ADD(sum, V_LOAD(bias)) : sum);
    else if (output < p->w->outputs)
        V_STORE_N(y, bias ? V_ADD(sum, V_LOAD_N(bias, p->w->outputs - output)) : sum, p->w->outputs - output);
}

/* Where one block of 32 inputs is found: in a record or in the room. */
typedef struct KR_NAME(block_at) {
    const unsigned char *half, *scales, *codes;         /* of a record; from the tile's first output on */
    size_t               width;
    const KR_NAME(block_room) *room;
    size_t               b, shift;
} KR_NAME(block_at);

/* Sums of products of integers over a part, or over all 32. */
KR_INLINE void KR_NAME(block_sums)(const kr_layout t, const KR_NAME(block_at) *at, const kr_q8 *q, size_t blocks,
                                   I sum[KR_BLOCK_ROWS][KR_NAME(MOST)], const size_t rows, const size_t vectors,
                                   const size_t part)
{
    const size_t groups = KR_BLOCK / 4 / t.parts, begin = part * groups;

    KR_UNROLL
    for (size_t r = 0; r < rows; r++) {
        const kr_q8 *x = &q[r * blocks];
        int32_t      of_x = t.parts == 1 ? x->sum : part ? x->sum - x->first : x->first;

        KR_UNROLL
        for (size_t j = 0; j < vectors; j++)
            sum[r][j] = t.low == 8 ? Q_START(of_x) : I_SET(-t.zero * of_x);
    }
    KR_UNROLL_LATE                      /* clang unrolls before it knows how many parts there are */
    for (size_t pair = 0; pair < groups / 2; pair++)
        KR_UNROLL
        for (size_t j = 0; j < vectors; j++) {
            const size_t g = begin + 2 * pair;
            I            w[2];

            KR_UNROLL
            for (size_t i = 0; i < 2; i++)
                w[i] = t.file == 0   ? I_LOAD(at->room->codes[at->b][g + i] + 4 * (at->shift + j * KR_V))
                       : t.low == 8  ? Q_WEIGHTS(at->codes + 4 * ((g + i) * at->width + j * KR_V))
                                     : KR_NAME(block_codes)(t, at->codes + 4 * j * KR_V, 4 * at->width, g + i);
            KR_UNROLL
            for (size_t r = 0; r < rows; r++) {
                const int8_t *x = q[r * blocks].q + 4 * g;

                if (t.low == 8)
                    sum[r][j] = Q_DOT(Q_DOT(sum[r][j], w[0], Q_INPUTS(x)), w[1], Q_INPUTS(x + 4));
                else
                    sum[r][j] = Q_DOT_CODES(sum[r][j], w[0], Q_INPUTS(x), w[1], Q_INPUTS(x + 4));
            }
        }
}

/* What a block adds to totals: its sums times the product of the scales, and the minima. */
KR_INLINE void KR_NAME(block_add)(const kr_layout t, const KR_NAME(block_at) *at, const kr_q8 *q, size_t blocks,
                                  V total[KR_BLOCK_ROWS][KR_NAME(MOST)], const size_t rows, const size_t vectors)
{
    I sum[KR_BLOCK_ROWS][KR_NAME(MOST)];
    V value[KR_BLOCK_ROWS][KR_NAME(MOST)];

    KR_NAME(block_sums)(t, at, q, blocks, sum, rows, vectors, 0);
    KR_UNROLL
    for (size_t j = 0; j < vectors; j++) {
        V part = t.parts == 1 ? V_ZERO()
                 : t.file == 0  ? V_LOAD(at->room->parts[at->b][0] + at->shift + j * KR_V)
                              : KR_NAME(block_part)(t, at->scales + j * KR_V);

        KR_UNROLL
        for (size_t r = 0; r < rows; r++)
            value[r][j] = t.parts == 1 ? I_FLOAT(sum[r][j]) : V_MUL(I_FLOAT(sum[r][j]), part);
    }
    if (t.parts == 2) {                 /* integers below 2^24, so that nothing is rounded */
        KR_NAME(block_sums)(t, at, q, blocks, sum, rows, vectors, 1);
        KR_UNROLL
        for (size_t j = 0; j < vectors; j++) {
            V part = t.file == 0 ? V_LOAD(at->room->parts[at->b][1] + at->shift + j * KR_V)
                              : KR_NAME(block_part)(t, at->scales + at->width + j * KR_V);

            KR_UNROLL
            for (size_t r = 0; r < rows; r++)
                value[r][j] = V_FMA(I_FLOAT(sum[r][j]), part, value[r][j]);
        }
    }
    KR_UNROLL
    for (size_t j = 0; j < vectors; j++) {
        V scale = t.file == 0 ? V_LOAD(at->room->scale[at->b] + at->shift + j * KR_V) : V_HALF(at->half + 2 * j * KR_V);

        if (t.file && t.parts == 1 && t.scales)
            scale = V_MUL(scale, I_FLOAT(I_OF_BYTES(at->scales + j * KR_V)));
        KR_UNROLL
        for (size_t r = 0; r < rows; r++)
            total[r][j] = V_FMA(value[r][j], V_MUL(scale, V_SET(q[r * blocks].scale)), total[r][j]);
    }
}

/* Minima: a number for each output, times the sum of activations. */
KR_INLINE void KR_NAME(block_minima)(const kr_layout t, const KR_NAME(block_at) *at, const kr_q8 *q, size_t blocks,
                                     V total[KR_BLOCK_ROWS][KR_NAME(MOST)], const size_t rows, const size_t vectors)
{
    KR_UNROLL
    for (size_t j = 0; j < vectors; j++) {
        size_t o = at->shift + j * KR_V;
        V      least = t.file == 0 ? V_LOAD(at->room->least[at->b] + o) : V_HALF(at->half + 2 * (at->width + j * KR_V));
        V      first = V_ZERO(), second = V_ZERO();

        if (t.file && t.parts == 1 && t.scales)
            least = V_MUL(V_NEGATE(least), I_FLOAT(I_OF_BYTES(at->scales + at->width + j * KR_V)));
        if (t.parts == 2) {
            first = t.file == 0 ? V_LOAD(at->room->leasts[at->b][0] + o) : KR_NAME(block_least)(at->scales + j * KR_V);
            second = t.file == 0 ? V_LOAD(at->room->leasts[at->b][1] + o)
                              : KR_NAME(block_least)(at->scales + at->width + j * KR_V);
        }
        KR_UNROLL
        for (size_t r = 0; r < rows; r++) {
            const kr_q8 *x = &q[r * blocks];
            V            scale = V_MUL(least, V_SET(x->scale)), sum = V_SET((float)x->sum);

            if (t.parts == 2) {         /* exact, too */
                sum = V_FMA(second, V_SET((float)(x->sum - x->first)), V_MUL(first, V_SET((float)x->first)));
                total[r][j] = V_FNMA(sum, scale, total[r][j]);
            } else {
                total[r][j] = V_FMA(sum, scale, total[r][j]);
            }
        }
    }
}

/* 'rows' rows by 'panels' panels, over the blocks of a run. */
KR_INLINE void KR_NAME(block_tile)(const kr_product *p, const kr_layout t, const KR_NAME(block_run) *run,
                                   size_t shift, size_t row, const size_t rows, const size_t panels)
{
    const size_t         vectors = panels * KR_NAME(PER_PANEL), blocks = p->w->inputs / KR_BLOCK;
    const size_t         per = t.inputs / KR_BLOCK, width = run->width, output = run->output + shift;
    const unsigned char *record = run->records + run->from / per * kr_layout_record(t) * width;
    const unsigned char *next = run->next + KR_NAME(SEGMENT) * (shift / (panels * 16)) * run->ahead;
    const kr_q8         *q = p->q + row * blocks;
    V                    total[KR_BLOCK_ROWS][KR_NAME(MOST)];

    KR_UNROLL
    for (size_t r = 0; r < rows; r++)
        KR_UNROLL
        for (size_t j = 0; j < vectors; j++)
            total[r][j] = KR_NAME(block_begin)(p, row + r, output + j * KR_V, run->from == 0);
    for (size_t b = run->from; b < run->to; record += kr_layout_record(t) * width)
        for (size_t in = 0; in < per; in++, b++) {
            const unsigned char *begin = record + kr_layout_at(t, width, in);
            KR_NAME(block_at)    at = { record + 2 * shift, begin + shift, begin + t.scales * width + 4 * shift, width,
                                        run->room, b - run->from, shift };

            if (t.file == 0 && row == 0)        /* as far ahead as the segment is long */
                for (size_t i = 0; i < run->ahead; i += 64)
                    V_PREFETCH((const char *)next + i);
            next += run->ahead;
            KR_NAME(block_add)(t, &at, q + b, blocks, total, rows, vectors);
            if (t.halves == 2)
                KR_NAME(block_minima)(t, &at, q + b, blocks, total, rows, vectors);
        }
    KR_UNROLL
    for (size_t r = 0; r < rows; r++)
        KR_UNROLL
        for (size_t j = 0; j < vectors; j++)
            KR_NAME(block_end)(p, row + r, output + j * KR_V, total[r][j], run->to == blocks);
}

/* All panels of a strip, some rows; the room is as wide as a strip can be, a record is not. */
KR_INLINE void KR_NAME(block_across)(const kr_product *p, const kr_layout t, KR_NAME(block_run) *run, size_t row,
                                     const size_t rows, const size_t panels)
{
    const size_t step = panels * 16;
    size_t       at = 0;

    if (t.file == 0) {
        run->ahead = row ? 0 : run->bytes / (KR_NAME(SEGMENT) * ((run->width + step - 1) / step));
        for (; at < run->width; at += step)
            KR_NAME(block_tile)(p, t, run, at, row, rows, panels);
        return;
    }
    for (; at + step <= run->width; at += step)
        KR_NAME(block_tile)(p, t, run, at, row, rows, panels);
    for (; panels > 1 && at < run->width; at += 16)
        if (rows > 2)
            KR_NAME(block_tile)(p, t, run, at, row, rows, 1);
        else                            /* not worth a tile of its own */
            for (size_t r = 0; r < rows; r++)
                KR_NAME(block_tile)(p, t, run, at, row + r, 1, 1);
}

/* All rows: as many at once as fit, then two, then one. */
KR_INLINE void KR_NAME(block_rows)(const kr_product *p, const kr_layout t, KR_NAME(block_run) *run, const size_t rows,
                                   const size_t panels)
{
    size_t row = 0;

    for (; row + rows <= p->rows; row += rows)
        KR_NAME(block_across)(p, t, run, row, rows, panels);
    if (rows > 2)
        for (; row + 2 <= p->rows; row += 2)
            KR_NAME(block_across)(p, t, run, row, 2, KR_TWO_PANELS);
    for (; row < p->rows; row++)
        KR_NAME(block_across)(p, t, run, row, 1, KR_ONE_PANELS);
}

/* The same out of a room, where types differ no more than in these; no bytes in a file say that it is one. */
#define KR_READY(name, parts_, halves_, rows, panels) \
    static KR_NOINLINE void KR_NAME(name)(const kr_product *p, KR_NAME(block_run) *run, int32_t zero_) \
    { \
        const kr_layout t = { .inputs = KR_BLOCK, .parts = parts_, .halves = halves_, .zero = zero_, .low = 4 }; \
        KR_NAME(block_rows)(p, t, run, rows, panels); \
    }
KR_READY(ready_scaled, 1, 1, KR_BLOCK_ROWS, KR_BLOCK_PANELS)
KR_READY(ready_minima, 1, 2, KR_BLOCK_ROWS, KR_BLOCK_PANELS)
KR_READY(ready_parts, 2, 1, KR_PARTS_ROWS, KR_PARTS_PANELS)
KR_READY(ready_parts_minima, 2, 2, KR_PARTS_ROWS, KR_PARTS_PANELS)
#undef KR_READY

/* ---- products ------------------------------------------------------------------------------------ */

static KR_NOINLINE void KR_NAME(ready)(const kr_product *p, const kr_layout *t, KR_NAME(block_run) *run)
{
    if (t->parts == 2 && t->halves == 2)
        KR_NAME(ready_parts_minima)(p, run, t->zero);
    else if (t->parts == 2)
        KR_NAME(ready_parts)(p, run, t->zero);
    else if (t->halves == 2)
        KR_NAME(ready_minima)(p, run, t->zero);
    else
        KR_NAME(ready_scaled)(p, run, t->zero);
}

/* A strip that many rows, or a few panels, meet. */
KR_INLINE void KR_NAME(block_strip)(const kr_product *p, const kr_layout t, KR_NAME(block_run) run)
{
    KR_NAME(block_room) room;
    size_t              blocks = p->w->inputs / KR_BLOCK, per = t.inputs / KR_BLOCK;

    run.bytes = KR_NAME(SEGMENT) / per * kr_layout_record(t) * run.width;
    run.next = run.records;
    if (run.width < KR_STRIP)
        memset(&room, 0, sizeof room);
    for (run.from = 0; run.from < blocks; run.from = run.to) {
        run.to = kr_min(blocks, run.from + KR_NAME(SEGMENT));
        if (t.low == 8) {
            KR_NAME(block_rows)(p, t, &run, KR_BLOCK_ROWS, KR_BLOCK_PANELS);
        } else {
            KR_NAME(block_unpack)(t, &run, &room);
            run.room = &room;
            run.next += run.bytes;
            KR_NAME(ready)(p, &t, &run);
        }
    }
}

KR_INLINE void KR_NAME(block_product)(const kr_product *p, const kr_layout t)
{
    size_t blocks = p->w->inputs / KR_BLOCK;

    for (size_t o = 0; o < p->w->outputs; o += KR_STRIP) {
        KR_NAME(block_run) run = { kr_pack_record(&t, p->w, o, 0), o, kr_pack_width(p->w, o), 0, blocks, NULL, NULL,
                                   0, 0 };

        size_t row = 0, at;

        if (p->rows > KR_LONE_ROWS || run.width % (KR_ONE_PANELS * 16) != 0) {
            KR_NAME(block_strip)(p, t, run);
            continue;
        }
        if (KR_LONE_ROWS >= 2)
            for (; row + 2 <= p->rows; row += 2)
                for (at = 0; at < run.width; at += KR_TWO_PANELS * 16)
                    KR_NAME(block_tile)(p, t, &run, at, row, 2, KR_TWO_PANELS);
        for (; row < p->rows; row++)
            for (at = 0; at < run.width; at += KR_ONE_PANELS * 16)
                KR_NAME(block_tile)(p, t, &run, at, row, 1, KR_ONE_PANELS);
    }
}

#define KR_PANELS(name, TYPE, ...) \
    static KR_NOINLINE void KR_NAME(product_##name)(const kr_product *p) \
    { \
        const kr_layout t = { TYPE, __VA_ARGS__ }; \
        KR_NAME(block_product)(p, t); \
    }
#include "core/panels.def"
#undef KR_PANELS

static void KR_NAME(product_blocks)(const kr_product *p)
{
    switch (p->w->type) {
#define KR_PANELS(name, TYPE, ...) case TYPE: KR_NAME(product_##name)(p); break;
#include "core/panels.def"
#undef KR_PANELS
    default: break;
    }
}

/* ---- activations ---------------------------------------------------------------------------------- */

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

