/* subject.c - trees with random weights and rows. */
#include "layers/subject.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/build.h"
#include "support/random.h"
#include "test.h"

/* Each registered type stands in several; tests below fail if one stands in none. */
const subject_case subject_cases[] = {
    { "activation(kind=silu)", 0, 5, KRAIT_F32 },
    { "activation(kind=sigmoid)", 0, 16, KRAIT_F32 },
    { "activation(kind=softplus)", 0, 33, KRAIT_F32 },
    { "activation(kind=relu)", 0, 1, KRAIT_F32 },
    { "activation(kind=tanh)", 0, 19, KRAIT_F32 },
    { "activation(kind=gelu)", 0, 34, KRAIT_F32 },
    { "activation(kind=gelu_tanh)", 0, 7, KRAIT_F32 },
    { "conv(taps=1)", 0, 5, KRAIT_F32 },
    { "conv(taps=2 bias)", 0, 17, KRAIT_F32 },
    { "conv(taps=3 bias)", 0, 1, KRAIT_BF16 },
    { "conv(taps=4)", 0, 48, KRAIT_F32 },
    { "conv(taps=5 bias)", 0, 31, KRAIT_F16 },
    { "conv(taps=40)", 0, 9, KRAIT_F32 },
    { "embed(width=1)", 2, 0, KRAIT_F32 },
    { "embed(width=19)", 11, 0, KRAIT_F16 },
    { "embed(width=64)", 33, 0, KRAIT_Q8_0 },
    { "glu", 0, 2, KRAIT_F32 },
    { "glu(kind=none gate=first)", 0, 34, KRAIT_F32 },
    { "glu(kind=silu)", 0, 62, KRAIT_F32 },
    { "glu(kind=gelu gate=second)", 0, 32, KRAIT_F32 },
    { "glu(kind=gelu_tanh gate=first)", 0, 10, KRAIT_F32 },
    { "glu(kind=relu)", 0, 14, KRAIT_F32 },
    { "glu(kind=tanh gate=first)", 0, 74, KRAIT_F32 },
    { "glu(kind=sigmoid gate=first)", 0, 16, KRAIT_F32 },
    { "layer_norm(no_weight)", 0, 1, KRAIT_F32 },
    { "layer_norm(eps=0.25 bias)", 0, 13, KRAIT_F32 },
    { "layer_norm", 0, 32, KRAIT_F16 },
    { "layer_norm(eps=0 no_weight bias)", 0, 47, KRAIT_F32 },
    { "layer_norm(eps=0.000001 bias)", 0, 130, KRAIT_BF16 },
    { "linear(width=1)", 0, 1, KRAIT_F32 },
    { "linear(width=7 bias)", 0, 33, KRAIT_F32 },
    { "linear(width=50)", 0, 130, KRAIT_BF16 },
    { "linear(width=16 bias)", 0, 16, KRAIT_F16 },
    { "linear(width=37 bias)", 0, 96, KRAIT_Q8_0 },
    { "linear(width=5)", 0, 700, KRAIT_F32 },
    { "normalize(mean=0.1307 std=0.3081)", 0, 5, KRAIT_F32 },
    { "normalize(mean=0.485:-0.456:0.406 std=0.229:2.24:0.0225)", 0, 3, KRAIT_F32 },
    { "normalize(mean=0.5:-2 std=3)", 0, 2, KRAIT_F32 },
    { "4x3 sequence[normalize(mean=0.25 std=0.5:1.5), patch(height=2 width=3 down=1), linear(width=4)]", 0, 2,
      KRAIT_F32 },
    { "log_softmax", 0, 1, KRAIT_F32 },
    { "log_softmax", 0, 6, KRAIT_F32 },
    { "sequence[linear(width=33), log_softmax]", 0, 5, KRAIT_F32 },
    { "rms_norm", 0, 1, KRAIT_F32 },
    { "rms_norm(eps=0.25)", 0, 13, KRAIT_F32 },
    { "rms_norm(eps=0)", 0, 130, KRAIT_BF16 },
    { "scale", 0, 1, KRAIT_F32 },
    { "scale(bias)", 0, 29, KRAIT_F32 },
    { "scale", 0, 64, KRAIT_F16 },
    { "scale(bias)", 0, 16, KRAIT_BF16 },
    { "mamba1(inner=1 states=1 taps=1 rank=1)", 0, 1, KRAIT_F32 },
    { "mamba1(inner=16 states=16 taps=4 rank=1 conv_bias)", 0, 8, KRAIT_F32 },
    { "mamba1(inner=49 states=7 taps=3 rank=5 bias conv_bias)", 0, 33, KRAIT_F32 },
    { "mamba1(inner=24 states=64 taps=2 rank=3 bias)", 0, 24, KRAIT_BF16 },
    { "mamba1(inner=15 states=4 taps=5 rank=15 plain_a no_dt_bias)", 0, 30, KRAIT_F16 },
    { "mamba1(inner=64 rank=4 conv_bias plain_a)", 0, 32, KRAIT_Q8_0 },
    { "mamba1(inner=33 states=3 taps=1 rank=2)", 0, 17, KRAIT_F32 },
    { "mamba1(inner=200 states=3 taps=5 rank=3 bias conv_bias)", 0, 9, KRAIT_F32 },
    { "mamba1(inner=192 states=2 rank=32)", 0, 32, KRAIT_Q8_0 },
    { "mamba1(inner=32 rank=2 conv_bias norm=rms)", 0, 16, KRAIT_F32 },
    { "mamba1(inner=21 states=5 taps=3 rank=3 bias norm=rms norm_eps=0.25)", 0, 14, KRAIT_F16 },
    { "mamba1(inner=24 states=18 rank=19 conv_bias norm=rms norm_eps=0.001 norm_weights)", 0, 12,
      KRAIT_F32 },
    { "mamba1(inner=9 states=1 taps=2 rank=1 norm=rms norm_eps=1 norm_weights)", 0, 5, KRAIT_BF16 },
    { "mamba1(inner=32 states=8 rank=32 norm=none norm_eps=0.5)", 0, 32, KRAIT_Q8_0 },
    { "mamba2(heads=1 head_dim=1 states=1 taps=1)", 0, 1, KRAIT_F32 },
    { "mamba2(heads=2 head_dim=16 states=16 conv_bias)", 0, 12, KRAIT_F32 },
    { "mamba2(heads=4 head_dim=5 states=7 groups=2 norm_size=10 bias conv_bias lines)", 0, 33, KRAIT_F32 },
    { "mamba2(heads=3 head_dim=20 states=9 groups=3 norm_size=4 D=channels norm_before_gate=true)", 0, 9, KRAIT_F16 },
    { "mamba2(heads=2 head_dim=80 states=3 taps=2 norm=none D=none no_dt_bias plain_a)", 0, 8, KRAIT_BF16 },
    { "mamba2(heads=8 head_dim=4 states=70 groups=4 plain_a lines norm_size=8 norm_eps=0.01)", 0, 16, KRAIT_F32 },
    { "mamba2(heads=2 head_dim=32 states=8 dt_min=0.01 dt_max=0.05 conv_bias no_weight)", 0, 32, KRAIT_Q8_0 },
    { "mamba2(heads=2 head_dim=9 states=130 taps=3 dt_max=0.3 D=channels)", 0, 5, KRAIT_F32 },
    { "residual[sequence[rms_norm, mamba2(heads=4 head_dim=33 states=17 groups=2 norm_size=66 conv_bias)]]", 0, 7,
      KRAIT_F32 },
    { "mamba2(heads=4 head_dim=7 states=5 groups=2 init_states=true)", 0, 6, KRAIT_F32 },
    { "2x3 over(axis=steps)[mamba2(heads=2 head_dim=3 states=4 init_states=true)]", 0, 6, KRAIT_F32 },
    { "sequence[activation(kind=relu)]", 0, 6, KRAIT_F32 },
    { "sequence[linear(width=9), conv(taps=3), linear(width=20 bias), activation(kind=silu), "
      "linear(width=3)]", 0, 6, KRAIT_F32 },
    { "sequence[sequence[embed(width=12), conv(taps=2)], sequence[rms_norm(eps=0.1)], "
      "sequence[linear(width=17)]]", 7, 0, KRAIT_F32 },
    { "residual[conv(taps=4 bias)]", 0, 21, KRAIT_F32 },
    { "residual(name=around)[sequence[linear(width=40), activation(kind=softplus), "
      "linear(width=6)]]", 0, 6, KRAIT_F32 },
    { "residual[residual[mamba1(inner=8 states=2 rank=1)]]", 0, 4, KRAIT_F32 },
    { "repeat(n=1)[conv(taps=2)]", 0, 3, KRAIT_F32 },
    { "repeat(n=4)[residual[sequence[rms_norm(eps=0.01), conv(taps=3 bias)]]]", 0, 10, KRAIT_F32 },
    { "repeat(n=2)[sequence[linear(width=8), repeat(n=2)[conv(taps=2)], linear(width=5)]]", 0, 5,
      KRAIT_F32 },
    { "sequence[embed(width=24), repeat(n=3 name=layers)[residual[sequence[rms_norm(name=norm), "
      "mamba1(name=mixer inner=36 states=8 rank=2 conv_bias)]]], rms_norm(name=norm_f), "
      "linear(width=29 name=head)]", 29, 0, KRAIT_F32 },
    { "sequence[linear(width=24), glu(kind=silu), layer_norm(bias), scale, linear(width=40), "
      "glu(kind=gelu gate=first), activation(kind=tanh), linear(width=11)]", 0, 9, KRAIT_F32 },
    { "sequence(name=top)[embed(width=32), repeat(n=2)[residual[sequence[rms_norm(eps=0.001), "
      "mamba1(inner=64 rank=32)]]], rms_norm, linear(width=256)]", 256, 0, KRAIT_Q8_0 },
    /* composites that step */
    { "branches[linear(width=5 bias), sequence[conv(taps=3), linear(width=5)]]", 0, 7, KRAIT_F32 },
    { "branches(merge=mean)[linear(width=4), linear(width=4 bias), identity]", 0, 4, KRAIT_F32 },
    { "branches(merge=multiply)[conv(taps=2 bias), activation(kind=sigmoid), identity]", 0, 19,
      KRAIT_F32 },
    { "branches(merge=concatenate)[slice(from=3 width=2), linear(width=17 bias), identity, "
      "mamba1(inner=5 states=3 rank=2)]", 0, 6, KRAIT_F32 },
    { "branches(merge=sum name=two)[mamba1(name=a inner=8 states=4 rank=1), "
      "mamba1(name=b inner=8 states=4 rank=1)]", 0, 9, KRAIT_BF16 },
    { "identity", 0, 3, KRAIT_F32 },
    { "slice(width=1)", 0, 1, KRAIT_F32 },
    { "slice(from=5 width=20)", 0, 33, KRAIT_F32 },
    { "sequence[slice(from=16 width=16), linear(width=3), slice(from=2 width=1)]", 0, 32,
      KRAIT_F16 },
    { "batch_norm", 0, 17, KRAIT_F32 },
    { "batch_norm(eps=0.5 weight bias)", 0, 5, KRAIT_F16 },
    { "sequence[conv(taps=2), batch_norm(eps=0.001 bias), linear(width=4)]", 0, 16, KRAIT_F32 },
    { "sequence[batch_norm(weight), linear(width=4)]", 0, 3, KRAIT_BF16 },
    { "pool(kind=mean)", 0, 5, KRAIT_F32 },
    { "pool(kind=max)", 0, 18, KRAIT_F32 },
    { "pool(kind=last)", 0, 4, KRAIT_F32 },
    { "sequence[linear(width=8), mamba1(inner=12 states=4 rank=1), pool(kind=mean), "
      "linear(width=3 bias)]", 0, 5, KRAIT_F32 },
    { "residual[sequence[linear(width=20), pool(kind=max), linear(width=6)]]", 0, 6, KRAIT_F16 },
    { "sequence[put(as=early), conv(taps=3), put(as=late), linear(width=2), get(as=early), "
      "branches(merge=concatenate)[identity, get(as=late)]]", 0, 9, KRAIT_F32 },
    { "sequence[linear(width=6), put(as=v), repeat(n=3)[residual[branches(merge=multiply)["
      "conv(taps=2), get(as=v)]]]]", 0, 4, KRAIT_F32 },
    { "put(as=x)", 0, 2, KRAIT_F32 },
    { "branches[put(as=a), sequence[linear(width=5), get(as=a), linear(width=5)]]", 0, 5,
      KRAIT_F32 },
    { "sequence[define(as=f)[conv(taps=4)], linear(width=7), use(as=f)]", 0, 7, KRAIT_F32 },
    { "sequence[define(as=f name=shared)[sequence[rms_norm, mamba1(inner=10 states=5 rank=2)]], "
      "use(as=f), residual[use(as=f)]]", 0, 8, KRAIT_F32 },
    { "branches(merge=concatenate)[define(as=g)[linear(width=64 bias)], use(as=g), use(as=g)]", 0,
      32, KRAIT_Q8_0 },
    { "define(as=only)[repeat(n=2)[residual[conv(taps=2)]]]", 0, 5, KRAIT_F32 },
    { "s5(states=1)", 0, 1, KRAIT_F32 },
    { "s5(states=4 discretization=bilinear)", 0, 7, KRAIT_F32 },
    { "s5(states=16 discretization=zoh conj_sym=false no_d)", 0, 16, KRAIT_F32 },
    { "s5(states=35 clip_eigs=true step_rescale=0.5)", 0, 9, KRAIT_F16 },
    { "s5(states=21 slow)", 0, 5, KRAIT_F32 },
    { "s5(states=19 slow initial)", 0, 3, KRAIT_F32 },
    { "s5(states=33 discretization=bilinear initial conj_sym=false)", 0, 2, KRAIT_F16 },
    { "s5(states=18 discretization=bilinear conj_sym=true slow step_rescale=0.1)", 0, 3, KRAIT_BF16 },
    { "sequence[linear(width=11 bias), residual[sequence[layer_norm(bias), s5(states=64), activation(kind=gelu_tanh)]], "
      "pool(kind=mean), linear(width=3), log_softmax]", 0, 4, KRAIT_F32 },
    { "branches[s5(states=5), reverse[s5(states=5 no_d)]]", 0, 6, KRAIT_F32 },
    { "s5(states=9 lambda=pairs conj_sym=false degree=2 bandlimit=0.2)", 0, 6, KRAIT_F32 },
    { "s5(states=17 half=second no_d discretization=bilinear bandlimit=0.5)", 0, 3, KRAIT_F16 },
    { "s5(states=1 half=first degree=3)", 0, 2, KRAIT_F32 },
    { "s5(states=21 liquid=true)", 0, 5, KRAIT_F32 },
    { "residual[s5(states=40 liquid=true slow lambda=pairs conj_sym=false)]", 0, 7, KRAIT_F32 },
    { "branches[s5(states=3 liquid=true half=first), reverse[s5(states=3 half=second no_d)]]", 0, 4, KRAIT_F32 },
    { "lru(states=1)", 0, 1, KRAIT_F32 },
    { "lru(states=17 no_d)", 0, 12, KRAIT_F32 },
    { "lru(states=32)", 0, 5, KRAIT_F16 },
    { "residual[lru(states=40 slow)]", 0, 8, KRAIT_F32 },
    { "sequence[lru(states=20 initial), lru(states=4), lru(states=18 initial slow no_d)]", 0, 2, KRAIT_F32 },
    { "selective_scan(inner=1 states=1)", 0, 5, KRAIT_F32 },
    { "selective_scan(inner=17 states=5 dt_bias)", 0, 61, KRAIT_F32 },
    { "selective_scan(inner=32 states=4 groups=2 gate=false plain_a)", 0, 80, KRAIT_F32 },
    { "selective_scan(inner=48 states=3 groups=3 no_d dt_bias)", 0, 162, KRAIT_F16 },
    { "sequence[linear(width=78), branches(merge=concatenate)[slice(width=20), sequence["
      "slice(from=20 width=20), activation(kind=sigmoid)], slice(from=40 width=38)], "
      "selective_scan(inner=20 states=9 softplus=false dt_bias), linear(width=4)]", 0, 6,
      KRAIT_F32 },
    { "residual[sequence[linear(width=70 bias), selective_scan(inner=19 gate=false no_d)]]", 0, 19,
      KRAIT_F32 },
    { "s4d(states=1)", 0, 1, KRAIT_F32 },
    { "s4d(states=5 with_b)", 0, 17, KRAIT_F32 },
    { "s4d(slow states=6 with_b discretization=bilinear copies=4 step=softplus real=relu)", 0, 12, KRAIT_F32 },
    { "s4d(channels=2 states=3 form=minimal)", 0, 18, KRAIT_F16 },
    { "s4d(slow channels=3 states=8 with_b tied=false fast=true rate=0.5)", 0, 5, KRAIT_F32 },
    { "s4d(states=4 initial with_b)", 0, 18, KRAIT_F32 },
    { "s4d(states=4 bidirectional=true)", 0, 18, KRAIT_F32 },
    { "reverse[s4d(states=3 bidirectional=true channels=2 form=minimal slow)]", 0, 9, KRAIT_F32 },
    { "3x2 over(axis=grid)[s4d(states=2 bidirectional=true with_b)]", 0, 3, KRAIT_F32 },
    { "s4d(states=3 slow channels=2 initial form=minimal discretization=bilinear)", 0, 9, KRAIT_BF16 },
    { "s4d(states=4 bandlimit=0.3 real=sigmoid imag=exp rate=2)", 0, 33, KRAIT_BF16 },
    { "s4d(states=2 imag=softplus step=sigmoid real=none form=minimal discretization=bilinear copies=1)", 0, 16,
      KRAIT_F32 },
    { "sequence[linear(width=20), residual[sequence[batch_norm(weight bias), s4d(states=4 with_b), "
      "activation(kind=gelu), linear(width=40 bias), glu]], pool(kind=mean), linear(width=3 bias)]", 0, 2, KRAIT_F32 },
    { "s4d(form=h3 states=3 discretization=bilinear)", 0, 5, KRAIT_F32 },
    { "s4d(form=h3 states=2 tile=4 copies=3 bandlimit=0.5)", 0, 24, KRAIT_F32 },
    { "s4d(slow states=3 tile=3 channels=2 with_b tied=false)", 0, 6, KRAIT_F16 },
    { "shift(states=1)", 0, 4, KRAIT_F32 },
    { "shift(states=8 no_d)", 0, 17, KRAIT_F32 },
    { "shift", 0, 5, KRAIT_BF16 },
    { "shift(states=40)", 0, 33, KRAIT_F32 },
    { "outer(head_dim=1)", 0, 2, KRAIT_F32 },
    { "outer(head_dim=3)", 0, 30, KRAIT_F32 },
    { "outer(head_dim=4)", 0, 8, KRAIT_F32 },
    { "contract(head_dim=1)", 0, 6, KRAIT_F32 },
    { "contract(head_dim=2)", 0, 102, KRAIT_F32 },
    { "contract(head_dim=5)", 0, 30, KRAIT_F32 },
    /* H3 with heads of one number and of two, and a gated state space */
    { "residual[sequence[branches(merge=multiply)[linear(width=9 bias), sequence[branches(merge=multiply)["
      "linear(width=9 bias), sequence[linear(width=9 bias), shift(states=6)]], s4d(form=h3 states=3 "
      "discretization=bilinear)]], linear(width=5 bias)]]", 0, 5, KRAIT_F32 },
    { "sequence[branches(merge=concatenate)[linear(width=6 bias), sequence[branches(merge=concatenate)[sequence["
      "linear(width=6 bias), shift(states=6)], linear(width=6 bias)], outer(head_dim=2), s4d(form=h3 states=3 tile=4 "
      "copies=1)]], contract(head_dim=2), linear(width=6)]", 0, 6, KRAIT_F32 },
    { "residual[sequence[layer_norm(bias), branches(merge=multiply)[sequence[linear(width=20), activation(kind=gelu)], "
      "sequence[linear(width=4), activation(kind=gelu), s4d(states=6 with_b), linear(width=20)]], linear(width=7)]]", 0, 7,
      KRAIT_F32 },
    { "mamba1(project=none inner=6 states=3 rank=2)", 0, 12, KRAIT_F32 },
    { "mamba1(project=none inner=33 taps=2 rank=1 conv_bias plain_a no_dt_bias)", 0, 66,
      KRAIT_F16 },
    { "sequence[linear(width=32), branches(merge=mean)[mamba1(project=none inner=16 rank=4), "
      "sequence[mamba1(project=both inner=16 rank=4), linear(width=16)], "
      "mamba1(project=none inner=16 states=2 rank=1)], "
      "linear(width=4)]", 0, 7, KRAIT_F32 },
    { "normalize(mean=0.5 std=0.25)", 0, 1, KRAIT_F32 },
    { "normalize(mean=0.1:-2:30 std=3:0.7:0.001)", 0, 3, KRAIT_F32 },
    { "sequence[linear(width=4), normalize(mean=1:2:3:4 std=0.3)]", 0, 6, KRAIT_F32 },
    /* grids that step */
    { "3x4 linear(width=5 bias)", 0, 2, KRAIT_F32 },
    { "4x5 patch(height=2 width=2)", 0, 3, KRAIT_F32 },
    { "5x7 patch(height=3 width=2 down=2 right=1)", 0, 2, KRAIT_F32 },
    { "6x6 sequence[patch(height=3 width=3 down=1 right=3), linear(width=8), "
      "patch(height=4 width=1), linear(width=3)]", 0, 1, KRAIT_F16 },
    { "3x3 over(axis=grid)[conv(taps=3 bias)]", 0, 4, KRAIT_F32 },
    { "2x5 over(axis=rows)[mamba1(inner=6 states=4 rank=1)]", 0, 3, KRAIT_F32 },
    { "5x2 over(axis=columns)[mamba1(inner=6 states=4 rank=1)]", 0, 3, KRAIT_F32 },
    { "2x3 over(axis=steps)[mamba1(inner=6 states=4 rank=1)]", 0, 3, KRAIT_F32 },
    { "4x3 sequence[residual[sequence[over(axis=steps)[conv(taps=3)], linear(width=5)]], "
      "over(axis=rows)[conv(taps=2)], over(axis=columns)[conv(taps=4 bias)], "
      "over(axis=grid)[pool(kind=mean)], linear(width=3)]", 0, 5, KRAIT_F32 },
    { "2x4 over(axis=rows)[pool(kind=max)]", 0, 3, KRAIT_F32 },
    { "3x2 over(axis=columns)[pool(kind=mean)]", 0, 3, KRAIT_F32 },
    { "2x2 over(axis=grid)[sequence[linear(width=3), mamba1(inner=4 states=2 rank=1), "
      "pool(kind=last)]]", 0, 2, KRAIT_F32 },
    { "3x2 over(axis=steps)[sequence[linear(width=6), pool(kind=mean)]]", 0, 4, KRAIT_F32 },
    { "2x3 sequence[over(axis=steps)[sequence[conv(taps=2), s5(states=5 initial)]], over(axis=rows)[lru(states=17 "
      "initial)], over(axis=steps)[s4d(states=2 initial)]]", 0, 2, KRAIT_F32 },
    { "3x4 over(axis=grid)[branches[conv(taps=3), reverse[conv(taps=3 bias)], "
      "permute(order=0:4:8:1:5:9:2:6:10:3:7:11)[mamba1(inner=4 states=3 rank=1)], "
      "reverse[permute(order=11:7:3:10:6:2:9:5:1:8:4:0)[conv(taps=2)]]]]", 0, 3, KRAIT_F32 },
    { "4x4 sequence[patch(height=2 width=2), linear(width=8 bias), over(axis=grid)[sequence["
      "insert(at=middle), position(rows=5), residual[sequence[rms_norm, linear(width=32), "
      "branches(merge=mean)[mamba1(project=none inner=16 states=4 rank=2), "
      "reverse[mamba1(project=none inner=16 states=4 rank=2)]], linear(width=8)]], "
      "rms_norm, pool(kind=token index=2)]], linear(width=5 bias)]", 0, 3, KRAIT_F32 },
    { "2x2 over(axis=grid)[permute(order=3:1:2:0)[sequence[position(rows=4), conv(taps=2)]]]", 0, 2,
      KRAIT_F32 },
    { "1x3 over(axis=rows)[permute(order=1:2:0)[conv(taps=3)]]", 0, 2, KRAIT_F32 },
    { "2x3 over(axis=grid)[branches(merge=append)[identity, reverse[conv(taps=2)], "
      "sequence[pool(kind=token index=5), linear(width=3)]]]", 0, 3, KRAIT_F32 },
    { "2x2 sequence[over(axis=steps)[define(as=f)[mamba1(inner=4 states=2 rank=1)]], "
      "over(axis=grid)[reverse[use(as=f)]], put(as=g), over(axis=columns)[use(as=f)]]", 0, 3,
      KRAIT_F32 },
    /* whole sequences */
    { "reverse[conv(taps=3 bias)]", 0, 5, KRAIT_F32 },
    { "reverse[pool(kind=last)]", 0, 3, KRAIT_F32 },
    { "sequence[linear(width=8), branches(merge=mean)[mamba1(project=none inner=4 states=3 rank=1)"
      ", reverse[mamba1(project=none inner=4 states=3 rank=1)]], linear(width=2)]", 0, 3,
      KRAIT_F32 },
    { "reverse[sequence[insert(at=last rows=2), mamba1(inner=6 states=2 rank=2), "
      "reverse[mamba1(inner=6 states=2 rank=2)]]]", 0, 5, KRAIT_F32 },
    { "reverse[sequence[s4d(states=2 initial), residual[s5(states=17 initial)]]]", 0, 3, KRAIT_F32 },
    { "insert(at=first)", 0, 3, KRAIT_F32 },
    { "insert(at=middle rows=3)", 0, 17, KRAIT_F16 },
    { "sequence[insert(at=last rows=2), conv(taps=4)]", 0, 4, KRAIT_F32 },
    { "position(rows=23)", 0, 5, KRAIT_F32 },
    { "sequence[position(rows=40), linear(width=3), position(rows=64)]", 0, 16, KRAIT_BF16 },
    { "branches(merge=append)[conv(taps=2), reverse[conv(taps=3)]]", 0, 4, KRAIT_F32 },
    { "sequence[branches(merge=append)[identity, linear(width=6), reverse[identity]], "
      "mamba1(inner=8 states=3 rank=2), pool(kind=mean), linear(width=2)]", 0, 6, KRAIT_F32 },
    { "pool(kind=token)", 0, 3, KRAIT_F32 },
    { "sequence[insert(at=first rows=3), conv(taps=5), pool(kind=token index=2)]", 0, 3,
      KRAIT_F32 },
    { "sequence[reverse[conv(taps=2)], pool(kind=max)]", 0, 7, KRAIT_F32 },
    { "sequence[embed(width=12), residual[sequence[rms_norm, reverse[mamba1(inner=8 states=4 "
      "rank=1)]]], pool(kind=mean), mamba1(inner=5 states=3 rank=1), linear(width=2 bias)]", 9, 0,
      KRAIT_F32 },
    { "branches(merge=concatenate)[sequence[reverse[conv(taps=2)], pool(kind=mean)], "
      "sequence[position(rows=30), pool(kind=max)], pool(kind=last)]", 0, 4, KRAIT_F32 },
    { "sequence[branches(merge=append)[pool(kind=max), identity, insert(at=first)], "
      "pool(kind=mean)]", 0, 5, KRAIT_F32 },
    { "reverse[sequence[insert(at=middle), branches[pool(kind=mean), pool(kind=last)]]]", 0, 4,
      KRAIT_F32 },
    { "2x2 sequence[over(axis=steps)[reverse[pool(kind=mean)]], linear(width=3)]", 0, 2,
      KRAIT_F32 },
    { "2x2 over(axis=steps)[reverse[mamba1(inner=4 states=2 rank=1)]]", 0, 3, KRAIT_F32 },
    { "2x3 sequence[over(axis=grid)[sequence[conv(taps=2), pool(kind=mean)]], "
      "reverse[mamba1(inner=4 states=2 rank=1)], pool(kind=last)]", 0, 3, KRAIT_F32 },
    { "s4d(form=dss states=5)", 0, 17, KRAIT_F32 },
    { "s4d(form=dss slow states=3 version=exp-re-im-no-scale channels=2 no_d)", 0, 6, KRAIT_F32 },
    { "s4d(form=dss states=4 version=exp-re-im sep_dt_re_im=false)", 0, 20, KRAIT_F16 },
    { "s4d(form=dss states=3 version=clip-no-scale)", 0, 4, KRAIT_F32 },
    { "s4d(form=dss states=2 version=clip rate=0.5)", 0, 33, KRAIT_BF16 },
    { "s4d(form=dss states=6 version=softmax length=30)", 0, 7, KRAIT_F32 },
    { "s4d(states=4 is_real=true with_b no_d)", 0, 9, KRAIT_F32 },
    { "s4d(states=3 discretization=dss length=23 with_b tied=false)", 0, 5, KRAIT_F32 },
    { "lssl(states=1 fades)", 0, 5, KRAIT_F32 },
    { "lssl(states=6 copies=1)", 0, 17, KRAIT_F32 },
    { "lssl(states=5 channels=3 discretization=zoh no_d)", 0, 4, KRAIT_F16 },
    { "sequence[linear(width=6), lssl(states=20 channels=2 copies=3 discretization=zoh), linear(width=3)]", 0, 2, KRAIT_F32 },
    { "lssl(states=1 fades discretization=zoh channels=2)", 0, 3, KRAIT_BF16 },
    { "s4(states=1)", 0, 1, KRAIT_F32 },
    { "s4(states=5 l_kernel=9)", 0, 17, KRAIT_F32 },
    { "s4(states=4 l_kernel=1 is_real=true no_d step=sigmoid)", 0, 3, KRAIT_F32 },
    { "s4(slow states=3 rank=2 l_kernel=23 copies=4 step=softplus real=relu)", 0, 12, KRAIT_F32 },
    { "s4(channels=2 states=4 rank=3 l_kernel=12 tied=false no_d)", 0, 18, KRAIT_F16 },
    { "s4(channels=3 states=6 l_kernel=40 fast=true rate=0.5)", 0, 5, KRAIT_F32 },
    { "s4(states=3 l_kernel=5 rate=2)", 0, 4, KRAIT_F32 },
    { "s4(states=2 bandlimit=0.3 real=sigmoid imag=exp rate=2 l_kernel=7 copies=1)", 0, 33, KRAIT_BF16 },
    { "sequence[linear(width=20), residual[sequence[batch_norm(weight bias), s4(states=4 l_kernel=30), "
      "activation(kind=gelu), linear(width=40 bias), glu]], pool(kind=mean), linear(width=3 bias)]", 0, 2, KRAIT_F32 },
    /* time between rows */
    { "s5(states=20 discretization=dirac)", 0, 5, KRAIT_F32 },
    { "s4d(states=3 discretization=dirac with_b channels=2)", 0, 20, KRAIT_F32 },
    { "s4d(states=9 discretization=async form=minimal rate=2)", 0, 6, KRAIT_F32 },
    { "s4d(states=40 with_b)", 0, 3, KRAIT_F32 },
    { "s5(states=33 discretization=async step_rescale=0.5 conj_sym=false)", 0, 4, KRAIT_F32 },
};

const size_t subject_count = sizeof subject_cases / sizeof *subject_cases;
const size_t chunk_sizes[CHUNKS] = { 1, 3, 7, STEPS };

const float *row_in(const subject *s, size_t stream, size_t step)
{
    return s->features + (stream * STEPS + step) * s->in;
}

const float *row_out(const subject *s, size_t stream, size_t row)
{
    return s->expected + (stream * s->most + row) * s->out;
}

/* ---- subjects ------------------------------------------------------------------------ */

/* Intervals: of stream 0 ones, else also none, short and long ones. */
static void make_dt(subject *s, kr_random *random)
{
    static const float odd[] = { 0.0f, 1.0f, 0.25f, 3.0f };

    s->dt = malloc(STREAMS * STEPS * sizeof *s->dt);
    for (size_t i = 0; i < STREAMS * STEPS; i++) {
        uint32_t z = kr_random_u32(random);

        s->dt[i] = i < STEPS ? 1.0f : z % 3 == 0 ? odd[z / 3 % 4]
                 : 1.0f + 0.9f * kr_random_unit(random);
    }
}

/* Ordinary numbers with a few large, small and zero ones among them. */
static void make_rows(subject *s, kr_random *random)
{
    static const float odd[] = { 0.0f, -0.0f, 1e-30f, -30.0f, 9.0f, -1e-5f };
    size_t             rows = STREAMS * STEPS, vocabulary = s->made_of->tokens;

    s->features = malloc(rows * s->in * sizeof *s->features);
    s->tokens = vocabulary ? malloc(rows * sizeof *s->tokens) : NULL;
    s->reset = calloc(rows, 1);
    for (size_t i = 0; i < rows * s->in; i++)
        s->features[i] = kr_random_u32(random) % 200 ? 2 * kr_random_unit(random)
                                                     : odd[kr_random_u32(random) % 6];
    for (size_t i = 0; i < rows && vocabulary; i++)
        s->tokens[i] = kr_random_u32(random) % 4 ? (int32_t)(kr_random_u32(random) % vocabulary)
                                                 : -1;
    /* Stream 0 is one episode; 1 begins anew where it is interesting, 2 anywhere. */
    s->reset[STEPS] = s->reset[STEPS + 5] = s->reset[STEPS + 6] = s->reset[STEPS + STEPS - 1] = 1;
    for (size_t i = 0; i < STEPS; i++)
        s->reset[2 * STEPS + i] = kr_random_u32(random) % 8 == 0;
}

oracle_rows subject_oracle(const subject *s, size_t stream, size_t steps, double *peak)
{
    size_t        from = stream * STEPS;
    oracle_stream in = { steps, { s->tree.grid[0], s->tree.grid[1] }, .reset = s->reset + from };

    in.tokens = s->tokens ? s->tokens + from : NULL;
    in.features = row_in(s, stream, 0);
    in.dt = s->dt ? s->dt + from : NULL;
    in.peak = peak;
    return oracle_run(s->tree.root, &in);
}

/* How many rows come out of each stream, as the oracle has it. */
static int count_rows(subject *s)
{
    for (size_t stream = 0; stream < STREAMS; stream++) {
        oracle_rows y = subject_oracle(s, stream, STEPS, NULL);
        size_t      cells = y.grid[0] * y.grid[1];

        s->rows[stream] = y.count / cells;
        s->most = s->rows[stream] > s->most ? s->rows[stream] : s->most;
        if (stream == 0 && !CHECK_U64(s->out, y.width * cells))
            stream = STREAMS;
        oracle_rows_free(&y);
    }
    s->expected = malloc(STREAMS * s->most * s->out * sizeof *s->expected);
    return s->rows[STREAMS - 1] > 0;
}

/* What one call over the whole stream gives is what everything else is compared with. */
static void make_expected(subject *s)
{
    for (size_t stream = 0; stream < STREAMS; stream++) {
        lanes        l = lanes_made(s, 1, STEPS);
        uint32_t     length = STEPS, count = 0;
        krait_output output = { .size = sizeof output, .counts = &count };
        krait_input  input;
        call_rows    c;

        l.plays[0] = stream;
        c = call_made(&l, &length, STEPS, 0);
        input = call_input(&l, &c, &length, STEPS);
        output.rows = s->expected + stream * s->most * s->out;
        output.capacity = s->rows[stream] * s->out;
        fill_scratch(&l);
        CHECK_STATUS(krait_run(s->model, l.state, &input, &output, NULL), KRAIT_OK);
        CHECK_U64(count, s->rows[stream]);
        CHECK_U64(output.stride, s->rows[stream]);
        call_free(&c);
        lanes_free(&l);
    }
}

static int64_t known(const subject *s, int32_t key)
{
    int64_t value = -1;

    CHECK_STATUS(krait_model_get(s->model, key, &value), KRAIT_OK);
    return value;
}

int subject_made(subject *s, const subject_case *made_of, uint64_t seed)
{
    kr_random     random = kr_random_from(1000 + seed);
    krait_message why = { "" };

    *s = (subject){ .made_of = made_of };
    test_note("%.150s", made_of->text);
    if (!CHECK(tree_make(&s->tree, made_of->text, made_of->tokens, made_of->features,
                         made_of->type, 2000 + seed)))
        return 0;
    CHECK_STATUS(krait_model_create(&s->model, s->tree.json, s->tree.tensors, s->tree.n_tensors,
                                    NULL, &why), KRAIT_OK);
    if (!CHECK_STR(why.text, ""))
        return 0;
    s->whole = oracle_whole(s->tree.root);
    s->in = s->tree.grid[0] * s->tree.grid[1] * s->tree.root->in;
    s->out = (size_t)known(s, KRAIT_OUT_WIDTH);
    s->lane_bytes = (size_t)known(s, KRAIT_STATE_BYTES_PER_LANE);
    if (!CHECK_INT(known(s, KRAIT_IN_WIDTH), (long long)s->in) ||
        !CHECK_INT(known(s, KRAIT_WHOLE_SEQUENCE), s->whole) ||
        !CHECK_INT(known(s, KRAIT_CAN_STEP), !s->whole) ||
        !CHECK_INT(known(s, KRAIT_USES_DT), oracle_uses_dt(s->tree.root)))
        return 0;
    make_rows(s, &random);
    if (oracle_uses_dt(s->tree.root))
        make_dt(s, &random);
    if (!count_rows(s))
        return 0;
    make_expected(s);
    return 1;
}

void subject_free(subject *s)
{
    krait_model_close(s->model);
    tree_free(&s->tree);
    free(s->features), free(s->tokens), free(s->dt), free(s->reset), free(s->expected);
}

/*
 * Each is made once for all tests, since the oracle and its models take longer than most of them; a
 * check gets it as it was made.  NULL: it cannot be made, which failed a check.
 */
static const subject *subject_kept(size_t i)
{
    static subject kept[sizeof subject_cases / sizeof *subject_cases];
    static char    made[sizeof subject_cases / sizeof *subject_cases];

    test_note("%.150s", subject_cases[i].text);
    if (!made[i]) {
        if (!subject_made(&kept[i], &subject_cases[i], i)) {
            subject_free(&kept[i]);
            return NULL;
        }
        made[i] = 1;
    }
    return &kept[i];
}

static void with_some(void (*check)(const subject *s), int causal, int whole)
{
    for (size_t i = 0; i < subject_count; i++) {
        const subject *s = subject_kept(i);

        if (s && (s->whole ? whole : causal))
            check(s);
        test_note("%s", "");
    }
}

void with_subjects(void (*check)(const subject *s))
{
    with_some(check, 1, 0);
}

void with_whole(void (*check)(const subject *s))
{
    with_some(check, 0, 1);
}

void with_all(void (*check)(const subject *s))
{
    with_some(check, 1, 1);
}
