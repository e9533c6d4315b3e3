/* random_leaves.c - layers of random trees that hold no others, along a sequence or row by row. */
#include <stdarg.h>
#include <stdio.h>

#include "layers/random_writer.h"

/* ---- words --------------------------------------------------------------------------- */

void put(writer *w, const char *format, ...)
{
    va_list arguments;
    int     length;

    va_start(arguments, format);
    length = vsnprintf(w->tree->text + w->length, RANDOM_TEXT - w->length, format, arguments);
    va_end(arguments);
    w->length += (size_t)length;
    if (w->length >= RANDOM_TEXT)
        w->length = RANDOM_TEXT - 1;
}

size_t below(writer *w, size_t n)
{
    return kr_random_u32(&w->random) % n;
}

int one_in(writer *w, size_t n)
{
    return below(w, n) == 0;
}

size_t some_width(writer *w)
{
    static const size_t often[] = { 1, 2, 3, 4, 5, 8, 15, 16, 17, 32, 33, 64 };

    return one_in(w, 2) ? often[below(w, 12)] : 1 + below(w, 24);
}

const char *word_if(writer *w, const char *word)
{
    return one_in(w, 2) ? word : "";
}

int has_grid(const flow *f)
{
    return f->grid[0] * f->grid[1] > 1;
}

flow with_width(flow f, size_t width)
{
    f.width = width;
    return f;
}

flow with_rows(writer *w, flow f, size_t least, size_t most)
{
    f.rows = ++w->rows;
    f.least = least;
    f.most = most;
    return f;
}

/* ---- row by row ---------------------------------------------------------------------- */

flow write_linear(writer *w, flow in, size_t width)
{
    put(w, "linear(width=%zu%s)", width, word_if(w, " bias"));
    return with_width(in, width);
}

flow write_row_wise(writer *w, flow in)
{
    static const char *const kinds[] = { "silu", "sigmoid", "softplus", "relu", "tanh", "gelu",
                                         "gelu_tanh" };
    size_t                   from;

    switch (below(w, 12)) {
    case 11:
        put(w, "log_softmax");
        return in;
    case 0:
    case 1:
        return write_linear(w, in, some_width(w));
    case 2:
        put(w, "activation(kind=%s)", kinds[below(w, 7)]);
        return in;
    case 3:
        put(w, "rms_norm(eps=0.%zu)", 1 + below(w, 9));
        return in;
    case 4:
        put(w, "batch_norm(eps=0.0%zu%s%s)", 1 + below(w, 9), word_if(w, " weight"),
            word_if(w, " bias"));
        return in;
    case 5:
        from = below(w, in.width);
        in.width = 1 + below(w, in.width - from);
        put(w, "slice(from=%zu width=%zu)", from, in.width);
        return in;
    case 6:
        put(w, "layer_norm(eps=0.%zu%s%s)", 1 + below(w, 9), word_if(w, " no_weight"),
            word_if(w, " bias"));
        return in;
    case 7:
        put(w, "scale%s", word_if(w, "(bias)"));
        return in;
    case 9:
        put(w, "normalize(mean=0.%zu std=0.%zu)", below(w, 10), 5 + below(w, 5));
        return in;
    case 8:
        from = 2 * (1 + below(w, 12));
        put(w, "sequence[");
        write_linear(w, in, from);
        put(w, ", glu(kind=%s gate=%s)]", kinds[below(w, 2)], one_in(w, 2) ? "first" : "second");
        return with_width(in, from / 2);
    default:
        put(w, "identity");
        return in;
    }
}

/* ---- along a sequence ---------------------------------------------------------------- */

static flow write_mamba1(writer *w, flow in)
{
    size_t inner = 1 + below(w, 18);
    int    project = one_in(w, 2);

    if (!project) {
        put(w, "sequence[");
        write_linear(w, in, 2 * inner);
        put(w, ", ");
    }
    put(w, "mamba1(inner=%zu states=%zu taps=%zu rank=%zu%s%s%s%s%s", inner, 1 + below(w, 6),
        1 + below(w, 5), 1 + below(w, 3), word_if(w, " conv_bias"), word_if(w, " plain_a"),
        word_if(w, " no_dt_bias"), word_if(w, " norm=rms norm_eps=0.1"),
        project ? word_if(w, " bias") : " project=none");
    put(w, project ? ")" : ")]");
    return with_width(in, project ? in.width : inner);
}

static flow write_mamba2(writer *w, flow in)
{
    size_t groups = 1 + below(w, 3), heads = groups * (1 + below(w, 2)), width = 1 + below(w, 9);
    int    normed = one_in(w, 2) && heads / groups * width > 3;         /* of few numbers it is next to their signs */

    put(w, "mamba2(heads=%zu head_dim=%zu states=%zu groups=%zu taps=%zu", heads, width, 1 + below(w, 6), groups,
        1 + below(w, 4));
    put(w, "%s%s%s%s", normed ? "" : " norm=none", word_if(w, " norm_before_gate=true"), word_if(w, " D=channels"),
        word_if(w, " dt_min=0.01 dt_max=0.5"));
    if (normed && one_in(w, 2))
        put(w, " norm_size=%zu%s", heads / groups * width, word_if(w, " lines"));
    put(w, "%s%s%s%s%s)", word_if(w, " init_states=true"), word_if(w, " plain_a"), word_if(w, " no_dt_bias"), word_if(w, " conv_bias"), word_if(w, " bias"));
    return in;
}

/* Without softplus dt comes from a function that is never below zero. */
static flow write_selective_scan(writer *w, flow in)
{
    size_t groups = one_in(w, 4) ? 2 : 1, inner = groups == 2 ? 32 : 1 + below(w, 18);
    size_t states = 1 + below(w, 5), bc = 2 * groups * states;
    int    gate = one_in(w, 2), soft = one_in(w, 2);

    put(w, "sequence[");
    if (soft) {
        write_linear(w, in, 2 * inner + bc + (gate ? inner : 0));
    } else {
        put(w, "branches(merge=concatenate)[");
        write_linear(w, in, inner);
        put(w, ", sequence[");
        write_linear(w, in, inner);
        put(w, ", activation(kind=%s)], ", one_in(w, 2) ? "sigmoid" : "relu");
        write_linear(w, in, bc + (gate ? inner : 0));
        put(w, "]");
    }
    put(w, ", selective_scan(inner=%zu states=%zu", inner, states);
    if (groups > 1)
        put(w, " groups=%zu", groups);
    put(w, "%s%s%s%s%s)]", gate ? word_if(w, " gate=true") : " gate=false",
        soft ? word_if(w, " softplus=true") : " softplus=false", word_if(w, " dt_bias"),
        word_if(w, " no_d"), word_if(w, " plain_a"));
    return with_width(in, inner);
}

static flow write_dss(writer *w, flow in)
{
    static const char *const versions[] = { "exp", "exp-re-im", "exp-no-scale", "exp-re-im-no-scale", "clip",
                                            "clip-no-scale", "softmax length=60" };

    put(w, "s4d(form=dss states=%zu version=%s%s%s)", 1 + below(w, 6), versions[below(w, 7)],
        word_if(w, " sep_dt_re_im=false"), word_if(w, " no_d"));
    return in;
}

/* Heads with a matrix of states each, around whose products stands what the rest of H3 is. */
static flow write_h3(writer *w, flow in)
{
    size_t size = 1 + below(w, 3), width = size * (1 + below(w, 5));

    put(w, "sequence[branches(merge=concatenate)[");
    write_linear(w, in, width);
    put(w, ", sequence[branches(merge=concatenate)[sequence[");
    write_linear(w, in, width);
    put(w, ", shift(states=%zu%s)], ", 1 + below(w, 6), word_if(w, " no_d"));
    write_linear(w, in, width);
    put(w, "], outer(head_dim=%zu), s4d(form=h3 states=%zu tile=%zu%s)]], contract(head_dim=%zu)]", size, 1 + below(w, 4),
        size * size, word_if(w, " discretization=bilinear"), size);
    return with_width(in, width);
}

/* One width in, perhaps several times as much out. */
static flow write_s4d(writer *w, flow in, int whole)
{
    static const char *const functions[] = { "exp", "relu", "sigmoid", "softplus" };
    static const char *const rules[] = { "", " discretization=bilinear", " discretization=dirac",
                                         " discretization=async" };
    size_t                   channels = one_in(w, 4) ? 2 : 1;

    if (one_in(w, 3))
        return write_dss(w, in);
    put(w, "s4d(states=%zu real=%s imag=%s step=%s%s%s%s", 1 + below(w, 6), functions[below(w, 4)],
        one_in(w, 2) ? "none" : functions[below(w, 4)], functions[below(w, 4)], rules[below(w, 4)],
        word_if(w, " slow"), word_if(w, " tied=false"));
    put(w, "%s%s", one_in(w, 3) ? " form=minimal" : word_if(w, " with_b"), one_in(w, 4) ? " copies=1" : "");
    put(w, "%s", whole && one_in(w, 3) ? " bidirectional=true" : one_in(w, 3) ? " initial" : "");
    if (channels > 1)
        put(w, " channels=%zu", channels);
    put(w, ")");
    return with_width(in, channels * in.width);
}

/* The stored C is undone for lengths that leave 1 - Abar^L something. */
static flow write_s4(writer *w, flow in)
{
    static const char *const functions[] = { "exp", "relu", "sigmoid", "softplus" };
    size_t                   channels = one_in(w, 4) ? 2 : 1;

    put(w, "s4(states=%zu real=%s imag=%s step=%s%s%s%s%s", 1 + below(w, 4), functions[below(w, 4)],
        one_in(w, 2) ? "none" : functions[below(w, 4)], functions[below(w, 4)], word_if(w, " rank=2"),
        word_if(w, " l_kernel=30"), word_if(w, " tied=false"), word_if(w, " no_d"));
    put(w, "%s%s", one_in(w, 4) ? " copies=1" : "", one_in(w, 4) ? " is_real=true" : "");
    if (channels > 1)
        put(w, " channels=%zu", channels);
    put(w, ")");
    return with_width(in, channels * in.width);
}

static flow write_lssl(writer *w, flow in)
{
    size_t channels = one_in(w, 3) ? 2 : 1;

    put(w, "lssl(states=%zu channels=%zu%s%s%s)", 1 + below(w, 7), channels, word_if(w, " discretization=zoh"),
        word_if(w, " copies=1"), word_if(w, " no_d"));
    return with_width(in, channels * in.width);
}

static flow write_turning(writer *w, flow in)
{
    static const char *const rules[] = { "zoh", "bilinear", "dirac", "async" };
    size_t                   states = 1 + below(w, 20);

    if (one_in(w, 3)) {
        put(w, "s5(states=%zu%s%s%s%s)", states, word_if(w, " lambda=pairs"), word_if(w, " liquid=true"),
            one_in(w, 2) ? one_in(w, 2) ? " half=first" : " half=second" : "", word_if(w, " bandlimit=0.1"));
        return in;
    }
    if (one_in(w, 2))
        put(w, "lru(states=%zu%s%s%s)", states, word_if(w, " no_d"), word_if(w, " slow"), word_if(w, " initial"));
    else
        put(w, "s5(states=%zu discretization=%s%s%s%s%s)", states, rules[below(w, 4)], word_if(w, " conj_sym=false"),
            word_if(w, " no_d"), word_if(w, " slow"), word_if(w, " initial"));
    return in;
}

static flow write_pool(writer *w, flow in, place p)
{
    static const char *const kinds[] = { "mean", "max", "last" };

    if (p.whole && one_in(w, 4))
        put(w, "pool(kind=token index=%zu)", below(w, in.least));
    else
        put(w, "pool(kind=%s)", kinds[below(w, 3)]);
    return p.whole ? with_rows(w, in, 1, 1) : in;
}

static flow write_insert(writer *w, flow in)
{
    static const char *const places[] = { "first", "middle", "last" };
    size_t                   rows = 1 + below(w, 3);

    put(w, "insert(at=%s rows=%zu)", places[below(w, 3)], rows);
    return with_rows(w, in, in.least + rows, in.most + rows);
}

flow write_along(writer *w, flow in, place p)
{
    switch (below(w, p.plain || (p.keep && p.whole) ? 4 : p.whole ? 8 : 6)) {
    case 0:
    case 1:
        put(w, "conv(taps=%zu%s)", 1 + below(w, 5), word_if(w, " bias"));
        return in;
    case 2:
        return one_in(w, 3) ? write_turning(w, in) : one_in(w, 2) ? write_mamba2(w, in) : write_mamba1(w, in);
    case 3:
        if (one_in(w, 3))
            return one_in(w, 3) ? write_h3(w, in) : one_in(w, 3) ? write_lssl(w, in) : write_s4(w, in);
        return one_in(w, 2) ? write_s4d(w, in, p.whole) : write_selective_scan(w, in);
    case 4:
    case 5:
        return write_pool(w, in, p);
    case 6:
        put(w, "position(rows=%zu)", in.most + below(w, 5));
        return in;
    default:
        return in.most < MOST_ROWS ? write_insert(w, in) : write_pool(w, in, p);
    }
}
