/*
 * template_times.h - coefficients of rows that are not a step apart, and recurrences whose rows have their own.
 *
 * Included by template.h.  What times.h and plain.c say, in doubles KR_V / 2 at a time: vectors of the compiler's own,
 * which it makes of the instruction set around them.
 */

typedef double  KR_NAME(wide) __attribute__((vector_size(KR_V * 4)));
typedef int64_t KR_NAME(wide_bits) __attribute__((vector_size(KR_V * 4)));
typedef float   KR_NAME(narrow) __attribute__((vector_size(KR_V * 2)));
#define W       KR_NAME(wide)
#define W_BITS  KR_NAME(wide_bits)
#define W_SET(x) ((W){ 0 } + (x))
#define W_PICK(mask, a, b) ((W)(((W_BITS)(a) & (mask)) | ((W_BITS)(b) & ~(mask))))
#define W_LESS(a, b) ((W_BITS)((a) < (b)))

KR_INLINE W KR_NAME(w_load)(const double *p)
{
    W w;

    memcpy(&w, p, sizeof w);
    return w;
}

KR_INLINE W KR_NAME(w_flush)(W x)
{
    W tiny = W_SET((double)KR_TINY);

    return W_PICK(W_LESS(x, tiny) & W_LESS(-x, tiny), W_SET(0.0), x);
}

/* x as two floats; the lower one 32 behind, or if that is 0 nowhere. */
KR_INLINE void KR_NAME(w_split)(float *to, W x, const size_t lower)
{
    KR_NAME(narrow) high = __builtin_convertvector(KR_NAME(w_flush)(x), KR_NAME(narrow)), low;

    memcpy(to, &high, sizeof high);
    if (!lower)
        return;
    low = __builtin_convertvector(KR_NAME(w_flush)(x - __builtin_convertvector(high, W)), KR_NAME(narrow));
    memcpy(to + lower, &low, sizeof low);
}

/* kr_times_exp: a, and what 'less' has apart from it. */
KR_INLINE void KR_NAME(w_turn)(W x, W y, W *a_re, W *a_im, W *less_re)
{
    static const double e[KR_TIMES_E] = KR_TIMES_EXPONENTIAL, s[KR_TIMES_S] = KR_TIMES_SINE;
    static const double c[KR_TIMES_C] = KR_TIMES_COSINE;
    W      shifted, n, r, q = W_SET(e[0]), scale, less, size, k, f, square, sine = W_SET(s[0]), below = W_SET(c[0]);
    W      cosine, one;
    W_BITS quarter, odd, zero = { 0 };

    x = W_PICK(W_LESS(W_SET(KR_TIMES_HIGH), x), W_SET(KR_TIMES_HIGH), x);
    x = W_PICK(W_LESS(x, W_SET(KR_TIMES_LOW)), W_SET(KR_TIMES_LOW), x);
    shifted = x * KR_TIMES_LOG2_E + KR_TIMES_ROUND;
    n = shifted - KR_TIMES_ROUND;
    r = (x - n * KR_TIMES_LN2_1) - n * KR_TIMES_LN2_2;
    KR_UNROLL
    for (int i = 1; i < KR_TIMES_E; i++)
        q = q * r + e[i];
    q = q * r * r + r;
    scale = (W)(((W_BITS)shifted << 52) + 0x3ff0000000000000);
    less = scale * q + (scale - 1.0);
    size = scale * q + scale;

    y = W_PICK(W_LESS(W_SET(KR_TIMES_TURN), y), W_SET(KR_TIMES_TURN), y);
    y = W_PICK(W_LESS(y, W_SET(-KR_TIMES_TURN)), W_SET(-KR_TIMES_TURN), y);
    shifted = y * KR_TIMES_2_PI + KR_TIMES_ROUND;
    quarter = (W_BITS)shifted;
    k = shifted - KR_TIMES_ROUND;
    f = ((y - k * KR_TIMES_PI2_1) - k * KR_TIMES_PI2_2) - k * KR_TIMES_PI2_3;
    square = f * f;
    KR_UNROLL
    for (int i = 1; i < KR_TIMES_S; i++)
        sine = sine * square + s[i];
    sine = sine * square * f + f;
    KR_UNROLL
    for (int i = 1; i < KR_TIMES_C; i++)
        below = below * square + c[i];
    below = below * square;
    one = 1.0 + below;
    odd = zero - (quarter & 1);
    cosine = W_PICK(odd, sine, one);
    sine = W_PICK(odd, one, sine);
    cosine = (W)((W_BITS)cosine ^ (((quarter + 1) & 2) << 62));
    sine = (W)((W_BITS)sine ^ ((quarter & 2) << 62));
    *a_re = size * cosine;
    *a_im = size * sine;
    *less_re = less * cosine + W_PICK((W_BITS)((quarter & 3) == zero), below, cosine - 1.0);
}

/* KR_V / 2 states. */
KR_INLINE void KR_NAME(discretize_some)(const kr_discretize *p, const double *z, float *to, const int rule)
{
    W x = KR_NAME(w_load)(z) * p->time, y = KR_NAME(w_load)(z + 16) * p->time, re, im, less_re, r_re, r_im;
    W g_re = KR_NAME(w_load)(z + 32), g_im = KR_NAME(w_load)(z + 48);

    if (rule == KR_BILINEAR) {
        W below = 1.0 - 0.5 * x, half = 0.5 * y, square = below * below + half * half;
        W by_re = below / square, by_im = half / square;

        re = 1.0 + (x * by_re - y * by_im);
        im = x * by_im + y * by_re;
        r_re = (by_re * g_re - by_im * g_im) * p->time;
        r_im = (by_re * g_im + by_im * g_re) * p->time;
    } else {
        KR_NAME(w_turn)(x, y, &re, &im, &less_re);
        r_re = less_re * g_re - im * g_im;
        r_im = less_re * g_im + im * g_re;
    }
    if (rule == KR_IMPULSE)
        r_re = W_SET(1.0), r_im = W_SET(0.0);
    KR_NAME(w_split)(to, re, 32);
    KR_NAME(w_split)(to + 16, im, 32);
    KR_NAME(w_split)(to + 64, r_re, 0);
    KR_NAME(w_split)(to + 80, r_im, 0);
}

KR_INLINE void KR_NAME(discretize_all)(const kr_discretize *p, const int rule)
{
    for (size_t i = 0; i < p->count; i++)
        for (size_t j = 0; j < 16; j += KR_V / 2)
            KR_NAME(discretize_some)(p, p->z + i * 64 + j, p->to + i * 96 + j, rule);
}

static void KR_NAME(discretize)(const kr_discretize *p)
{
    if (p->rule == KR_HOLD)
        KR_NAME(discretize_all)(p, KR_HOLD);
    else if (p->rule == KR_BILINEAR)
        KR_NAME(discretize_all)(p, KR_BILINEAR);
    else
        KR_NAME(discretize_all)(p, KR_IMPULSE);
}

#undef W
#undef W_BITS
#undef W_SET
#undef W_PICK
#undef W_LESS

/* ---- rows with coefficients of their own ------------------------------------------------------------ */

/* (re, im) = a (re, im) + r v, where 'from' has a, its lower parts and r. */
KR_INLINE void KR_NAME(timed_state)(const float *from, V *re, V *im, V v_re, V v_im, V tiny)
{
    V a_re = V_LOAD(from), a_im = V_LOAD(from + 16), low_re = V_LOAD(from + 32), low_im = V_LOAD(from + 48);
    V r_re = V_LOAD(from + 64), r_im = V_LOAD(from + 80);
    V new_re = V_FMA(r_re, v_re, V_NEGATE(V_MUL(r_im, v_im))), new_im = V_FMA(r_re, v_im, V_MUL(r_im, v_re));

    new_re = V_FMA(low_re, *re, V_FNMA(low_im, *im, new_re));
    new_im = V_FMA(low_re, *im, V_FMA(low_im, *re, new_im));
    new_re = V_FMA(a_re, *re, V_FNMA(a_im, *im, new_re));
    new_im = V_FMA(a_re, *im, V_FMA(a_im, *re, new_im));
    *re = V_FLUSH(new_re, tiny);
    *im = V_FLUSH(new_im, tiny);
}

KR_INLINE void KR_NAME(turn_timed_states)(const kr_turn_timed *p, size_t j, size_t n)
{
    V re = V_LOAD(p->x + j), im = V_LOAD(p->x + j + 16), tiny = V_SET(KR_TINY);

    for (size_t t = 0; t < p->rows; t++) {
        const float *v = p->v + t * p->stride + j;
        float       *out = p->out ? p->out + t * p->stride + j : NULL;

        KR_NAME(timed_state)(p->sets + p->set[t] * 96 + j, &re, &im, KR_NAME(v_load)(v, n),
                             KR_NAME(v_load)(v + p->states, n), tiny);
        if (out) {
            KR_NAME(v_store)(out, re, n);
            KR_NAME(v_store)(out + p->states, im, n);
        }
    }
    KR_NAME(v_store)(p->x + j, re, n);
    KR_NAME(v_store)(p->x + j + 16, im, n);
}

static void KR_NAME(turn_timed)(const kr_turn_timed *p)
{
    size_t j = 0;

    for (; j + KR_V <= p->states; j += KR_V)
        KR_NAME(turn_timed_states)(p, j, KR_V);
    if (j < p->states)
        KR_NAME(turn_timed_states)(p, j, p->states - j);
}

KR_INLINE void KR_NAME(diagonal_timed_channels)(const kr_diagonal_timed *p, size_t j, size_t n)
{
    V d = KR_NAME(v_load)(p->d + j, n), tiny = V_SET(KR_TINY);

    for (size_t t = 0; t < p->rows; t++) {
        const float *from = p->sets + p->set[t] * p->states * 96 + j;
        V            x = KR_NAME(v_load)(p->x + t * p->x_stride + j, n), y = V_MUL(d, x);

        for (size_t s = 0; s < p->states; s++) {
            float *h = p->h + s * 32 + j;
            V      re = V_LOAD(h), im = V_LOAD(h + 16);

            KR_NAME(timed_state)(from + s * 96, &re, &im, x, V_ZERO(), tiny);
            V_STORE(h, re);
            V_STORE(h + 16, im);
            y = V_FMA(V_LOAD(p->c + s * 32 + j + 16), im, V_FMA(V_LOAD(p->c + s * 32 + j), re, y));
        }
        if (p->y)
            KR_NAME(v_store)(p->y + t * p->y_stride + j, y, n);
    }
}

static void KR_NAME(diagonal_timed)(const kr_diagonal_timed *p)
{
    size_t j = 0;

    for (; j + KR_V <= p->channels; j += KR_V)
        KR_NAME(diagonal_timed_channels)(p, j, KR_V);
    if (j < p->channels)
        KR_NAME(diagonal_timed_channels)(p, j, p->channels - j);
}
