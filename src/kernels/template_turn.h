/*
 * template_turn.h - complex recurrences, KR_V of them at a time.
 *
 * Included by template.h.  A chain of two or four fma per row is all that a state does, so several
 * vectors of them run side by side, with states and coefficients in registers over all rows.  The liquid
 * forms put v x + v, or v x, in v's place first.
 */

enum { KR_NAME(TURNS) = 2 };                /* vectors at once: 12 registers of 16, with low parts */
enum { KR_NAME(TURN_V), KR_NAME(TURN_LIQUID), KR_NAME(TURN_ALONE) };

/* 'count' vectors of n states each from state s on, of a panel that is 'width' wide in the rows. */
KR_INLINE void KR_NAME(turn_states)(const kr_turn *p, size_t s, size_t width, const size_t count, size_t n,
                                    const int low, const int form)
{
    V        re[KR_NAME(TURNS)], im[KR_NAME(TURNS)], a[KR_NAME(TURNS)][4], tiny = V_SET(KR_TINY);
    size_t   at[KR_NAME(TURNS)];

#define KR_EACH KR_UNROLL for (size_t i = 0; i < count; i++)
    KR_EACH {
        size_t       panel = (s + i * KR_V) / 16, j = (s + i * KR_V) % 16;
        const float *from = p->a + panel * 64 + j;

        at[i] = panel * 32 + j;
        re[i] = V_LOAD(p->x + at[i]);
        im[i] = V_LOAD(p->x + at[i] + 16);
        a[i][0] = V_LOAD(from);
        a[i][1] = V_LOAD(from + 16);
        a[i][2] = low ? V_LOAD(from + 32) : V_ZERO();
        a[i][3] = low ? V_LOAD(from + 48) : V_ZERO();
    }
    for (size_t t = 0; t < p->rows; t++) {
        const float *v = p->v + t * p->stride;

        KR_EACH {
            V new_re = KR_NAME(v_load)(v + at[i], n), new_im = KR_NAME(v_load)(v + at[i] + width, n);

            if (form != KR_NAME(TURN_V)) {
                V v_re = new_re, v_im = new_im, zero = V_ZERO();

                new_re = V_FMA(v_re, re[i], V_FMA(V_NEGATE(v_im), im[i], form == KR_NAME(TURN_ALONE) ? zero : v_re));
                new_im = V_FMA(v_re, im[i], V_FMA(v_im, re[i], form == KR_NAME(TURN_ALONE) ? zero : v_im));
            }
            if (low) {
                new_re = V_FMA(a[i][2], re[i], V_FMA(V_NEGATE(a[i][3]), im[i], new_re));
                new_im = V_FMA(a[i][2], im[i], V_FMA(a[i][3], re[i], new_im));
            }
            new_re = V_FMA(a[i][0], re[i], V_FMA(V_NEGATE(a[i][1]), im[i], new_re));
            new_im = V_FMA(a[i][0], im[i], V_FMA(a[i][1], re[i], new_im));
            re[i] = V_FLUSH(new_re, tiny);
            im[i] = V_FLUSH(new_im, tiny);
        }
        if (p->out)
            KR_EACH {
                float *out = p->out + t * p->stride + at[i];

                KR_NAME(v_store)(out, re[i], n);
                KR_NAME(v_store)(out + width, im[i], n);
            }
    }
    KR_EACH {
        KR_NAME(v_store)(p->x + at[i], re[i], n);
        KR_NAME(v_store)(p->x + at[i] + 16, im[i], n);
    }
#undef KR_EACH
}

KR_INLINE void KR_NAME(turn_all)(const kr_turn *p, const int low, const int form)
{
    size_t full = p->states / 16 * 16, s = 0;

    for (; s + KR_NAME(TURNS) * KR_V <= full; s += KR_NAME(TURNS) * KR_V)
        KR_NAME(turn_states)(p, s, 16, KR_NAME(TURNS), KR_V, low, form);
    for (; s < full; s += KR_V)
        KR_NAME(turn_states)(p, s, 16, 1, KR_V, low, form);
    for (; s + KR_V <= p->states; s += KR_V)
        KR_NAME(turn_states)(p, s, p->states - full, 1, KR_V, low, form);
    if (s < p->states)
        KR_NAME(turn_states)(p, s, p->states - full, 1, p->states - s, low, form);
}

static void KR_NAME(turn)(const kr_turn *p)
{
    if (p->low)
        KR_NAME(turn_all)(p, 1, KR_NAME(TURN_V));
    else
        KR_NAME(turn_all)(p, 0, KR_NAME(TURN_V));
}

static void KR_NAME(liquid)(const kr_turn *p, int alone)
{
    if (alone && p->low)
        KR_NAME(turn_all)(p, 1, KR_NAME(TURN_ALONE));
    else if (alone)
        KR_NAME(turn_all)(p, 0, KR_NAME(TURN_ALONE));
    else if (p->low)
        KR_NAME(turn_all)(p, 1, KR_NAME(TURN_LIQUID));
    else
        KR_NAME(turn_all)(p, 0, KR_NAME(TURN_LIQUID));
}
