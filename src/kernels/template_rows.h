/*
 * template_rows.h - what is done to rows and numbers one by one: norms, functions, gates.
 *
 * Included by template.h, over its words and functions.
 */

/* The 16 chains of rms_norm: of x if 'squares' is 0, else of the squares of x - mean. */
KR_INLINE float KR_NAME(sum_around)(const float *x, size_t width, float mean, const int squares)
{
    V      chain[KR_NAME(PER_PANEL)];
    float  sum[16];
    size_t k = 0;

    for (size_t j = 0; j < KR_NAME(PER_PANEL); j++)
        chain[j] = V_ZERO();
    for (; k + 16 <= width; k += 16)
        KR_UNROLL
        for (size_t j = 0; j < KR_NAME(PER_PANEL); j++) {
            V a = V_LOAD(x + k + j * KR_V);

            if (squares) {
                a = V_SUB(a, V_SET(mean));
                chain[j] = V_FMA(a, a, chain[j]);
            } else {
                chain[j] = V_ADD(chain[j], a);
            }
        }
    for (size_t j = 0; j < KR_NAME(PER_PANEL); j++)
        V_STORE(sum + j * KR_V, chain[j]);
    for (size_t j = 0; k < width; k++, j++)
        sum[j] = squares ? kr_fma(x[k] - mean, x[k] - mean, sum[j]) : sum[j] + x[k];
    for (size_t half = 8; half > 0; half /= 2)
        for (size_t j = 0; j < half; j++)
            sum[j] = sum[j] + sum[j + half];
    return sum[0];
}

/* z w + b, each of which may be absent. */
KR_INLINE V KR_NAME(scaled)(V z, const float *w, const float *b, size_t k, size_t n)
{
    if (w && b)
        return V_FMA(z, KR_NAME(v_load)(w + k, n), KR_NAME(v_load)(b + k, n));
    if (w)
        return V_MUL(z, KR_NAME(v_load)(w + k, n));
    return b ? V_ADD(z, KR_NAME(v_load)(b + k, n)) : z;
}

static void KR_NAME(layer_norm)(float *y, const float *x, const float *w, const float *b, float eps,
                                size_t rows, size_t width)
{
    for (; rows > 0; rows--, x += width, y += width) {
        float mean = KR_NAME(sum_around)(x, width, 0, 0) / (float)width;
        float factor = 1.0f / kr_sqrt(KR_NAME(sum_around)(x, width, mean, 1) / (float)width + eps);

        for (size_t k = 0; k < width; k += KR_V) {
            size_t n = kr_min(KR_V, width - k);
            V      z = V_MUL(V_SUB(KR_NAME(v_load)(x + k, n), V_SET(mean)), V_SET(factor));

            KR_NAME(v_store)(y + k, KR_NAME(scaled)(z, w, b, k, n), n);
        }
    }
}

KR_INLINE V KR_NAME(activation)(V x, const int kind)
{
    switch (kind) {
    case KR_SILU:      return KR_NAME(v_silu)(x);
    case KR_SIGMOID:   return KR_NAME(v_sigmoid)(x);
    case KR_SOFTPLUS:  return KR_NAME(v_softplus)(x);
    case KR_RELU:      return V_RELU(x);
    case KR_TANH:      return KR_NAME(v_tanh)(x);
    case KR_GELU:      return KR_NAME(v_gelu)(x);
    case KR_GELU_TANH: return KR_NAME(v_gelu_tanh)(x);
    default:           return x;
    }
}

/* y = act(g), times a where there is one. */
KR_INLINE void KR_NAME(activate_all)(float *y, const float *a, const float *g, size_t count,
                                     const int kind)
{
    size_t i = 0;

    for (; i + KR_V <= count; i += KR_V) {
        V z = KR_NAME(activation)(V_LOAD(g + i), kind);

        V_STORE(y + i, a ? V_MUL(V_LOAD(a + i), z) : z);
    }
    if (i < count) {
        V z = KR_NAME(activation)(V_LOAD_N(g + i, count - i), kind);

        V_STORE_N(y + i, a ? V_MUL(V_LOAD_N(a + i, count - i), z) : z, count - i);
    }
}

/* A loop for each kind: the choice is made here, once. */
static void KR_NAME(activate_row)(float *y, const float *a, const float *g, size_t count, int kind)
{
    switch (kind) {
    case KR_SILU:      KR_NAME(activate_all)(y, a, g, count, KR_SILU); break;
    case KR_SIGMOID:   KR_NAME(activate_all)(y, a, g, count, KR_SIGMOID); break;
    case KR_SOFTPLUS:  KR_NAME(activate_all)(y, a, g, count, KR_SOFTPLUS); break;
    case KR_RELU:      KR_NAME(activate_all)(y, a, g, count, KR_RELU); break;
    case KR_TANH:      KR_NAME(activate_all)(y, a, g, count, KR_TANH); break;
    case KR_GELU:      KR_NAME(activate_all)(y, a, g, count, KR_GELU); break;
    case KR_GELU_TANH: KR_NAME(activate_all)(y, a, g, count, KR_GELU_TANH); break;
    default:           KR_NAME(activate_all)(y, a, g, count, KR_NONE); break;
    }
}

static void KR_NAME(activate)(float *x, size_t count, int kind)
{
    KR_NAME(activate_row)(x, NULL, x, count, kind);
}

static void KR_NAME(gate)(const kr_gate *p)
{
    for (size_t r = 0; r < p->rows; r++)
        KR_NAME(activate_row)(p->y + r * p->y_stride, p->a + r * p->a_stride, p->g + r * p->g_stride,
                              p->width, p->kind);
}

static void KR_NAME(add)(float *y, const float *x, size_t count)
{
    size_t i = 0;

    for (; i + KR_V <= count; i += KR_V)
        V_STORE(y + i, V_ADD(V_LOAD(y + i), V_LOAD(x + i)));
    for (; i < count; i++)
        y[i] = y[i] + x[i];
}

static void KR_NAME(multiply)(float *y, const float *x, size_t count)
{
    size_t i = 0;

    for (; i + KR_V <= count; i += KR_V)
        V_STORE(y + i, V_MUL(V_LOAD(y + i), V_LOAD(x + i)));
    for (; i < count; i++)
        y[i] = y[i] * x[i];
}

static void KR_NAME(scale)(float *y, const float *x, const float *w, const float *b, size_t rows,
                           size_t width)
{
    for (; rows > 0; rows--, x += width, y += width)
        for (size_t k = 0; k < width; k += KR_V) {
            size_t n = kr_min(KR_V, width - k);

            KR_NAME(v_store)(y + k, KR_NAME(scaled)(KR_NAME(v_load)(x + k, n), w, b, k, n), n);
        }
}
