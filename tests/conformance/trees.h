/* trees.h - krait trees of the conformance table: together they hold every type of layer. */
#ifndef KR_TEST_TREES_H
#define KR_TEST_TREES_H

#include <stddef.h>

enum { HALVES = 1000, TIMED = 2000 };

/* A krait tree; its tensors are "name d0 d1;..." and vocabulary 0 means features alone. */
typedef struct krait_tree {
    const char *name;
    size_t      vocabulary, width;      /* width of features; 0: tokens alone */
    int         scale;                  /* features are about 2^scale, or HALVES; TIMED: 0, with dt */
    const char *description, *tensors;
} krait_tree;

#define HEAD "{\"model_type\":\"krait\",\"version\":1,\"input\":"

static const krait_tree krait_trees[] = {
    { "filters", 0, 20, 0,              /* every layer that is not Mamba's, three segments long */
      HEAD "{\"features\":20},\"tree\":{\"sequence\":["
      "{\"linear\":{\"name\":\"first\",\"width\":96}},{\"activation\":{\"kind\":\"silu\"}},"
      "{\"conv\":{\"name\":\"early\",\"taps\":5}},"
      "{\"repeat\":{\"name\":\"blocks\",\"n\":2,\"of\":{\"residual\":{\"sequence\":["
      "{\"rms_norm\":{\"name\":\"norm\",\"eps\":0.0025}},{\"conv\":{\"name\":\"late\",\"taps\":3}},"
      "{\"activation\":{\"kind\":\"sigmoid\"}},{\"linear\":{\"name\":\"mix\",\"width\":96}}]}}}},"
      "{\"activation\":{\"kind\":\"softplus\"}},{\"linear\":{\"name\":\"up\",\"width\":160}},"
      "{\"activation\":{\"kind\":\"relu\"}},{\"linear\":{\"name\":\"down\",\"width\":10}}]}}",
      "first.weight 96 20;first.bias 96;early.weight 96 5;early.bias 96;"
      "blocks.0.norm.weight 96;blocks.0.late.weight 96 3;blocks.0.mix.weight 96 96;"
      "blocks.1.norm.weight 96;blocks.1.late.weight 96 3;blocks.1.mix.weight 96 96;"
      "blocks.1.mix.bias 96;up.weight 160 96;up.bias 160;down.weight 10 160" },
    { "mixed", 40, 24, 0,               /* tokens, and features where the token is -1 */
      HEAD "{\"tokens\":40},\"tree\":{\"sequence\":[{\"embed\":{\"name\":\"table\",\"width\":24}},"
      "{\"residual\":{\"sequence\":[{\"rms_norm\":{\"name\":\"norm\"}},"
      "{\"mamba1\":{\"name\":\"mixer\",\"inner\":40,\"states\":5,\"taps\":3,\"rank\":4}}]}},"
      "{\"rms_norm\":{\"name\":\"last_norm\"}},{\"linear\":{\"name\":\"head\",\"width\":40,"
      "\"weights\":{\"weight\":\"table.weight\"}}}]}}",
      "table.weight 40 24;1.norm.weight 24;1.mixer.in_proj.weight 80 24;1.mixer.conv1d.weight 40 3;"
      "1.mixer.x_proj.weight 14 40;1.mixer.dt_proj.weight 40 4;1.mixer.A_log 40 5;1.mixer.D 40;"
      "1.mixer.out_proj.weight 24 40;last_norm.weight 24" },
    { "mamba2", 0, 20, 0,                /* mamba2: groups, more states than a segment has, both places of the gate */
      HEAD "{\"features\":20},\"tree\":{\"sequence\":[{\"residual\":{\"mamba2\":{\"name\":\"m\",\"heads\":4,"
      "\"head_dim\":20,\"states\":70,\"groups\":2,\"norm_size\":40}}},{\"residual\":{\"mamba2\":{\"name\":\"n\","
      "\"heads\":2,\"head_dim\":80,\"states\":5,\"taps\":2,\"D\":\"channels\",\"norm_before_gate\":true,"
      "\"dt_max\":0.5}}},{\"linear\":{\"name\":\"last\",\"width\":9}}]}}",
      "0.m.in_proj.weight 444 20;0.m.conv1d.weight 360 4;0.m.conv1d.bias 360;0.m.dt_bias 4;0.m.A_log 4;0.m.D 4;"
      "0.m.norm.weight 80;0.m.out_proj.weight 20 80;1.n.in_proj.weight 332 20;1.n.in_proj.bias 332;1.n.conv1d.weight 170 2;"
      "1.n.A_log 2;1.n.D 160;1.n.norm.weight 160;1.n.out_proj.weight 20 160;1.n.out_proj.bias 20;last.weight 9 20" },
    { "fading", 0, 12, 0,               /* no biases: states decay below 2^-100 over rows of zeros */
      HEAD "{\"features\":12},\"tree\":{\"sequence\":[{\"linear\":{\"width\":32,"
      "\"weights\":{\"weight\":{\"tensor\":\"first\",\"transpose\":true}}}},"
      "{\"mamba1\":{\"name\":\"m\",\"inner\":48,\"states\":20,\"rank\":3,"
      "\"weights\":{\"dt_proj.bias\":\"m.step\"}}},{\"linear\":{\"name\":\"last\",\"width\":7}}]}}",
      "first 12 32;m.in_proj.weight 96 32;m.conv1d.weight 48 4;m.x_proj.weight 43 48;"
      "m.dt_proj.weight 48 3;m.step 48;m.A_log 48 20;m.D 48;m.out_proj.weight 32 48;last.weight 7 32" },
    { "subnormal", 0, 16, -128,         /* what FTZ and DAZ would wipe out */
      HEAD "{\"features\":16},\"tree\":{\"sequence\":[{\"linear\":{\"name\":\"first\",\"width\":80}},"
      "{\"residual\":{\"sequence\":[{\"conv\":{\"name\":\"c\",\"taps\":3}}]}},"
      "{\"linear\":{\"name\":\"last\",\"width\":20}}]}}",
      "first.weight 80 16;1.c.weight 80 3;last.weight 20 80" },
    { "halves", 0, 64, HALVES,          /* blocks of int8 activations with ties, and too small ones */
      HEAD "{\"features\":64},\"tree\":{\"linear\":{\"name\":\"only\",\"width\":20}}}",
      "only.weight 20 64" },
    { "normed", 0, 18, 0,               /* mamba1 with norms inside, without weights and with them */
      HEAD "{\"features\":18},\"tree\":{\"sequence\":[{\"residual\":{\"mamba1\":{\"name\":\"f\",\"inner\":36,"
      "\"states\":21,\"rank\":17,\"norm\":\"rms\"}}},{\"residual\":{\"mamba1\":{\"name\":\"j\",\"inner\":20,"
      "\"states\":5,\"rank\":1,\"norm\":\"rms\",\"norm_eps\":0.02}}},{\"linear\":{\"name\":\"last\",\"width\":9}}]}}",
      "0.f.in_proj.weight 72 18;0.f.conv1d.weight 36 4;0.f.x_proj.weight 59 36;0.f.dt_proj.weight 36 17;"
      "0.f.A_log 36 21;0.f.D 36;0.f.out_proj.weight 18 36;1.j.in_proj.weight 40 18;1.j.conv1d.weight 20 4;"
      "1.j.x_proj.weight 11 20;1.j.dt_proj.weight 20 1;1.j.A_log 20 5;1.j.D 20;1.j.out_proj.weight 18 20;"
      "1.j.dt_norm.weight 1;1.j.b_norm.weight 5;1.j.c_norm.weight 5;last.weight 9 18" },
    { "diagonal", 0, 12, 0,             /* diagonal states, as two floats and not, both discretizations */
      HEAD "{\"features\":12},\"tree\":{\"sequence\":[{\"linear\":{\"name\":\"first\",\"width\":20}},"
      "{\"s4d\":{\"name\":\"a\",\"states\":7,\"copies\":5}},{\"linear\":{\"name\":\"mid\","
      "\"width\":18}},{\"residual\":{\"s4d\":{\"name\":\"b\",\"states\":5,\"form\":\"minimal\","
      "\"discretization\":\"bilinear\",\"real\":\"softplus\",\"rate\":0.001}}},"
      "{\"linear\":{\"name\":\"last\",\"width\":7}}]}}",
      "first.weight 20 12;a.kernel.inv_dt 20;a.kernel.A_real 5 7;a.kernel.A_imag 5 7;a.kernel.B 5 7 2;"
      "a.kernel.C 20 7 2;a.D 20;mid.weight 18 20;3.b.kernel.log_dt 18;3.b.kernel.log_A_real 18 5;"
      "3.b.kernel.A_imag 18 5;3.b.kernel.C 18 5 2;3.b.D 18;last.weight 7 18" },
    { "facing", 0, 12, 0,               /* diagonal states from both ends, with two heads and as one float and two */
      HEAD "{\"features\":12},\"tree\":{\"sequence\":[{\"s4d\":{\"name\":\"a\",\"states\":7,\"copies\":3,\"channels\":2,"
      "\"bidirectional\":true}},{\"linear\":{\"name\":\"mid\",\"width\":17}},{\"s4d\":{\"name\":\"b\",\"states\":3,"
      "\"form\":\"minimal\",\"real\":\"softplus\",\"rate\":0.001,\"bidirectional\":true}},"
      "{\"linear\":{\"name\":\"last\",\"width\":7}}]}}",
      "a.kernel.inv_dt 12;a.kernel.A_real 3 7;a.kernel.A_imag 3 7;a.kernel.C 4 12 7 2;a.D 2 12;mid.weight 17 24;"
      "b.kernel.log_dt 17;b.kernel.log_A_real 17 3;b.kernel.A_imag 17 3;b.kernel.C 2 17 3 2;b.D 17;last.weight 7 17" },
    { "gates", 0, 20, 0,                /* layer_norm, scale and glu, each way, and what they call */
      HEAD "{\"features\":20},\"tree\":{\"sequence\":["
      "{\"linear\":{\"name\":\"a\",\"width\":48}},{\"glu\":{\"kind\":\"silu\"}},"
      "{\"layer_norm\":{\"name\":\"norm\",\"eps\":0.002}},{\"activation\":{\"kind\":\"gelu\"}},"
      "{\"linear\":{\"name\":\"b\",\"width\":70}},{\"glu\":{\"kind\":\"gelu\",\"gate\":\"first\"}},"
      "{\"scale\":{\"name\":\"scaled\"}},{\"activation\":{\"kind\":\"tanh\"}},{\"layer_norm\":{}},"
      "{\"residual\":{\"sequence\":[{\"linear\":{\"name\":\"c\",\"width\":70}},"
      "{\"glu\":{\"kind\":\"gelu_tanh\"}},{\"scale\":{\"name\":\"small\"}},"
      "{\"activation\":{\"kind\":\"gelu_tanh\"}}]}},{\"layer_norm\":{\"name\":\"half\",\"eps\":0}},"
      "{\"linear\":{\"name\":\"d\",\"width\":72}},{\"glu\":{\"kind\":\"tanh\",\"gate\":\"first\"}},"
      "{\"glu\":{\"kind\":\"none\"}},{\"linear\":{\"name\":\"e\",\"width\":52}},{\"glu\":{}},"
      "{\"glu\":{\"kind\":\"relu\"}}]}}",
      "a.weight 48 20;a.bias 48;norm.weight 24;norm.bias 24;b.weight 70 24;scaled.weight 35;"
      "scaled.bias 35;9.c.weight 70 35;9.c.bias 70;9.small.weight 35;half.bias 35;d.weight 72 35;"
      "d.bias 72;e.weight 52 18;e.bias 52" },
    { "branches", 0, 20, 0,                /* each merge that steps, slices, batch norms */
      HEAD "{\"features\":20},\"tree\":{\"sequence\":[{\"linear\":{\"name\":\"first\",\"width\":24}},"
      "{\"branches\":{\"name\":\"b\",\"merge\":\"sum\",\"of\":[{\"conv\":{\"name\":\"early\","
      "\"taps\":3}},{\"linear\":{\"width\":24}}]}},{\"branches\":{\"name\":\"c\",\"merge\":\"mean\","
      "\"of\":[{\"identity\":{}},{\"conv\":{\"name\":\"late\",\"taps\":2}},{\"linear\":{\"width\":24}}]}},"
      "{\"branches\":{\"name\":\"d\",\"merge\":\"multiply\",\"of\":[{\"activation\":{\"kind\":\"sigmoid\"}},"
      "{\"linear\":{\"width\":24}}]}},{\"branches\":{\"name\":\"e\",\"merge\":\"concatenate\","
      "\"of\":[{\"slice\":{\"from\":8,\"width\":16}},{\"linear\":{\"width\":16}},{\"pool\":{\"kind\":\"max\"}}]}},"
      "{\"batch_norm\":{\"name\":\"n\"}},{\"batch_norm\":{\"name\":\"m\",\"eps\":0.125}},{\"linear\":{\"name\":\"last\","
      "\"width\":10}}]}}",
      "first.weight 24 20;first.bias 24;b.early.weight 24 3;b.1.weight 24 24;"
      "c.late.weight 24 2;c.late.bias 24;c.2.weight 24 24;d.1.weight 24 24;e.1.weight 16 24;"
      "n.running_mean 56;n.running_var 56;n.weight 56;n.bias 56;m.running_mean 56;"
      "m.running_var 56;last.weight 10 56" },
    { "names", 0, 16, TIMED,            /* layers used again, rows kept, a running mean over time */
      HEAD "{\"features\":16},\"tree\":{\"sequence\":[{\"define\":{\"name\":\"f\",\"as\":\"f\","
      "\"of\":{\"mamba1\":{\"name\":\"m\",\"inner\":20,\"states\":6,\"rank\":2}}}},{\"put\":{\"as\":\"x\"}},"
      "{\"rms_norm\":{\"name\":\"norm\"}},{\"use\":{\"as\":\"f\"}},{\"residual\":{\"use\":{\"as\":\"f\"}}},"
      "{\"branches\":{\"merge\":\"concatenate\",\"of\":[{\"identity\":{}},{\"get\":{\"as\":\"x\"}}]}},"
      "{\"pool\":{\"kind\":\"mean\"}},{\"linear\":{\"name\":\"last\",\"width\":7}}]}}",
      "f.m.in_proj.weight 40 16;f.m.out_proj.weight 16 20;f.m.conv1d.weight 20 4;"
      "f.m.x_proj.weight 14 20;f.m.dt_proj.weight 20 2;f.m.dt_proj.bias 20;f.m.A_log 20 6;"
      "f.m.D 20;norm.weight 16;last.weight 7 32" },
    { "selective", 0, 9, 0,                /* scans of rows, gated and softplus or not */
      HEAD "{\"features\":9},\"tree\":{\"sequence\":[{\"linear\":{\"name\":\"in\",\"width\":120}},"
      "{\"selective_scan\":{\"name\":\"a\",\"inner\":32,\"states\":6,\"groups\":2}},{\"linear\":{\"name\":\"mid\","
      "\"width\":36}},{\"branches\":{\"merge\":\"concatenate\",\"of\":[{\"slice\":{\"width\":12}},"
      "{\"sequence\":[{\"slice\":{\"from\":12,\"width\":12}},{\"activation\":{\"kind\":\"softplus\"}}]},"
      "{\"slice\":{\"from\":24,\"width\":12}}]}},{\"selective_scan\":{\"name\":\"b\",\"inner\":12,"
      "\"states\":6,\"gate\":false,\"softplus\":false}},{\"pool\":{\"kind\":\"last\"}},{\"linear\":{\"name\":\"last\","
      "\"width\":5}}]}}",
      "in.weight 120 9;a.A_log 32 6;a.D 32;a.dt_bias 32;mid.weight 36 32;b.A_log 12 6;"
      "last.weight 5 12" },
    { "turning", 0, 7, 0,               /* complex states: both discretisations, one float or two, both ways */
      HEAD "{\"features\":7},\"tree\":{\"sequence\":[{\"linear\":{\"name\":\"in\",\"width\":13}},"
      "{\"residual\":{\"s5\":{\"name\":\"a\",\"states\":37,\"clip_eigs\":true}}},{\"s5\":{\"name\":\"b\",\"states\":16,"
      "\"clip_eigs\":true,\"discretization\":\"bilinear\",\"conj_sym\":false,\"step_rescale\":0.001}},"
      "{\"lru\":{\"name\":\"c\",\"states\":9}},{\"linear\":{\"name\":\"last\",\"width\":6}},{\"log_softmax\":{}}]}}",
      "in.weight 13 7;1.a.Lambda_re 37;1.a.Lambda_im 37;1.a.B 37 13 2;1.a.C 13 37 2;1.a.D 13;1.a.log_step 37;"
      "b.Lambda_re 16;b.Lambda_im 16;b.B 16 13 2;b.C 13 16 2;b.log_step 16;c.nu_log 9;c.theta_log 9;"
      "c.gamma_log 9;c.B_re 9 13;c.B_im 9 13;c.C_re 13 9;c.C_im 13 9;c.D 13;last.weight 6 13" },
    { "liquid", 0, 6, 0,                /* states that the input turns, one float or two; halves of a C, powers of B */
      HEAD "{\"features\":6},\"tree\":{\"sequence\":[{\"residual\":{\"s5\":{\"name\":\"a\",\"states\":37,\"clip_eigs\":true,"
      "\"step_rescale\":0.1,\"liquid\":true}}},{\"s5\":{\"name\":\"b\",\"states\":16,\"liquid\":true,\"lambda\":\"pairs\","
      "\"conj_sym\":false,\"step_rescale\":0.001}},{\"s5\":{\"name\":\"c\",\"states\":9,\"clip_eigs\":true,\"half\":\"first\","
      "\"degree\":2}},{\"s5\":{\"name\":\"d\",\"states\":9,\"clip_eigs\":true,\"half\":\"second\",\"bandlimit\":0.5,"
      "\"weights\":{\"C\":\"c.C\"}}}]}}",
      "0.a.Lambda_re 37;0.a.Lambda_im 37;0.a.B 37 6 2;0.a.C 6 37 2;0.a.D 6;0.a.log_step 37;"
      "b.Lambda 16 2;b.B 16 6 2;b.C 6 16 2;b.log_step 16;c.Lambda_re 9;c.Lambda_im 9;c.B 9 6 2;c.C 6 18 2;"
      "c.D 6;c.log_step 9;d.Lambda_re 9;d.Lambda_im 9;d.B 9 6 2;d.log_step 9" },
    { "heads", 0, 6, 0,                 /* H3: a shift, products of heads, a state space for each of them */
      HEAD "{\"features\":6},\"tree\":{\"sequence\":[{\"residual\":{\"sequence\":[{\"branches\":{\"merge\":\"concatenate\","
      "\"of\":[{\"linear\":{\"name\":\"q\",\"width\":12}},{\"sequence\":{\"name\":\"r\",\"of\":[{\"branches\":{\"merge\":"
      "\"concatenate\",\"of\":[{\"sequence\":{\"name\":\"s\",\"of\":[{\"linear\":{\"name\":\"k\",\"width\":12}},{\"shift\":"
      "{\"name\":\"f\",\"states\":9}}]}},{\"linear\":{\"name\":\"v\",\"width\":12}}]}},{\"outer\":{\"head_dim\":3}},"
      "{\"s4d\":{\"name\":\"d\",\"form\":\"h3\",\"states\":5,\"tile\":9,\"copies\":2,\"discretization\":\"bilinear\"}}]}}]}},"
      "{\"contract\":{\"head_dim\":3}},{\"linear\":{\"name\":\"o\",\"width\":6}}]}}]}}",
      "0.0.q.weight 12 6;0.0.r.0.s.k.weight 12 6;0.0.r.0.s.f.ssm_k_kernel.kernel.B 12 9;0.0.r.0.s.f.ssm_k_kernel.kernel.C 12 9;"
      "0.0.r.0.s.f.ssm_k_D 12;0.0.r.0.v.weight 12 6;0.0.r.d.kernel.kernel.log_dt 4;0.0.r.d.kernel.kernel.inv_A_real 2 5;"
      "0.0.r.d.kernel.kernel.A_imag 2 5;0.0.r.d.kernel.kernel.B 2 5 2;0.0.r.d.kernel.kernel.C 4 5 2;0.0.r.d.D 4;"
      "0.o.weight 6 12" },
    { "lowrank", 0, 9, 0,               /* S4 of one sum, two and more, as two floats and not, with a stored C and a plain one */
      HEAD "{\"features\":9},\"tree\":{\"sequence\":[{\"linear\":{\"name\":\"in\",\"width\":20}},"
      "{\"s4\":{\"name\":\"a\",\"states\":7,\"copies\":5,\"l_kernel\":37}},{\"linear\":{\"name\":\"mid\",\"width\":18}},"
      "{\"residual\":{\"s4\":{\"name\":\"b\",\"states\":5,\"rank\":2,\"copies\":1,\"real\":\"softplus\",\"rate\":0.01,"
      "\"l_kernel\":9}}},{\"s4\":{\"name\":\"c\",\"states\":3,\"rank\":3,\"copies\":1}},"
      "{\"linear\":{\"name\":\"last\",\"width\":6}}]}}",
      "in.weight 20 9;a.kernel.inv_dt 20;a.kernel.A_real 5 7;a.kernel.A_imag 5 7;a.kernel.B 5 7 2;a.kernel.P 5 7 2;"
      "a.kernel.C 20 7 2;a.D 20;mid.weight 18 20;3.b.kernel.inv_dt 18;3.b.kernel.A_real 5;3.b.kernel.A_imag 5;"
      "3.b.kernel.B 5 2;3.b.kernel.P 2 5 2;3.b.kernel.C 18 5 2;3.b.D 18;c.kernel.inv_dt 18;c.kernel.A_real 3;"
      "c.kernel.A_imag 3;c.kernel.B 3 2;c.kernel.P 3 3 2;c.kernel.C 18 3 2;last.weight 6 18" },
    { "intervals", 0, 9, TIMED,         /* rows with a time between them by every rule, states that begin as learned */
      HEAD "{\"features\":9},\"tree\":{\"sequence\":[{\"linear\":{\"name\":\"in\",\"width\":18}},"
      "{\"s5\":{\"name\":\"a\",\"states\":35,\"clip_eigs\":true}},{\"s4d\":{\"name\":\"b\",\"states\":5}},"
      "{\"s5\":{\"name\":\"c\",\"states\":16,\"clip_eigs\":true,\"discretization\":\"bilinear\",\"step_rescale\":0.01}},"
      "{\"residual\":{\"s4d\":{\"name\":\"d\",\"states\":3,\"discretization\":\"bilinear\",\"form\":\"minimal\"}}},"
      "{\"s5\":{\"name\":\"e\",\"states\":4,\"clip_eigs\":true,\"discretization\":\"async\"}},"
      "{\"s4d\":{\"name\":\"f\",\"states\":2,\"discretization\":\"dirac\"}},{\"linear\":{\"name\":\"last\",\"width\":5}}]}}",
      "in.weight 18 9;a.Lambda_re 35;a.Lambda_im 35;a.B 35 18 2;a.C 18 35 2;a.log_step 35;a.initial_state 35 2;"
      "b.kernel.inv_dt 18;b.kernel.A_real 18 5;b.kernel.A_imag 18 5;b.kernel.C 18 5 2;b.D 18;b.initial_state 18 5 2;"
      "c.Lambda_re 16;c.Lambda_im 16;c.B 16 18 2;c.C 18 16 2;c.log_step 16;4.d.kernel.log_dt 18;"
      "4.d.kernel.log_A_real 18 3;4.d.kernel.A_imag 18 3;4.d.kernel.C 18 3 2;4.d.D 18;e.Lambda_re 4;e.Lambda_im 4;"
      "e.B 4 18 2;e.C 18 4 2;e.log_step 4;f.kernel.inv_dt 18;f.kernel.A_real 18 2;f.kernel.A_imag 18 2;"
      "f.kernel.C 18 2 2;f.D 18;last.weight 5 18" },
    { "dense", 0, 9, 0,                 /* LSSL by both rules, as two floats and not; DSS, S4D with real-valued A */
      HEAD "{\"features\":9},\"tree\":{\"sequence\":[{\"linear\":{\"name\":\"in\",\"width\":5}},"
      "{\"lssl\":{\"name\":\"a\",\"states\":5,\"copies\":1,\"channels\":3}},{\"linear\":{\"name\":\"mid\",\"width\":20}},"
      "{\"s4d\":{\"name\":\"b\",\"form\":\"dss\",\"states\":4,\"version\":\"clip\"}},"
      "{\"s4d\":{\"name\":\"c\",\"states\":3,\"is_real\":true}},{\"linear\":{\"name\":\"few\",\"width\":4}},"
      "{\"lssl\":{\"name\":\"d\",\"states\":1,\"discretization\":\"zoh\"}},{\"linear\":{\"name\":\"last\",\"width\":6}}]}}",
      "in.weight 5 9;a.log_dt 5;a.A 5 5;a.B 5;a.C 3 5 5;a.D 3 5;mid.weight 20 15;b.kernel.log_dt 20 2;b.kernel.Lambda 4 2;"
      "b.kernel.W 20 4 2;b.D 20;c.kernel.inv_dt 20;c.kernel.A_real 20 3;c.kernel.B 20 3;c.kernel.C 20 3;few.weight 4 20;"
      "d.log_dt 4;d.A 4;d.B 4;d.C 4;d.D 4;last.weight 6 4" },
    { "image", 0, 48, 0,                /* an image a step: patches, orders, a token in the middle */
      HEAD "{\"features\":2,\"grid\":[4,6]},\"tree\":{\"sequence\":[{\"patch\":{\"height\":2,"
      "\"width\":2}},{\"linear\":{\"name\":\"in\",\"width\":16}},{\"over\":{\"name\":\"o\",\"axis\":\"grid\","
      "\"of\":{\"sequence\":[{\"insert\":{\"name\":\"i\",\"at\":\"middle\"}},{\"position\":{\"name\":\"p\","
      "\"rows\":8}},{\"residual\":{\"branches\":{\"merge\":\"mean\",\"of\":[{\"conv\":{\"name\":\"late\","
      "\"taps\":3}},{\"reverse\":{\"mamba1\":{\"name\":\"m\",\"inner\":8,\"states\":4,\"rank\":1}}},"
      "{\"permute\":{\"order\":[6,0,5,1,4,2,3],\"of\":{\"conv\":{\"name\":\"late2\",\"taps\":2}}}}]}}},"
      "{\"branches\":{\"merge\":\"append\",\"of\":[{\"identity\":{}},{\"reverse\":{\"identity\":{}}}]}},"
      "{\"pool\":{\"kind\":\"token\",\"index\":3}}]}}},{\"linear\":{\"name\":\"last\",\"width\":5}}]}}",
      "in.weight 16 8;o.i.weight 1 16;o.p.weight 8 16;o.2.late.weight 16 3;"
      "o.2.1.m.in_proj.weight 16 16;o.2.1.m.out_proj.weight 16 8;o.2.1.m.conv1d.weight 8 4;"
      "o.2.1.m.x_proj.weight 9 8;o.2.1.m.dt_proj.weight 8 1;o.2.1.m.dt_proj.bias 8;"
      "o.2.1.m.A_log 8 4;o.2.1.m.D 8;o.2.2.late2.weight 16 2;last.weight 5 16" },
    { "cells", 0, 36, TIMED,            /* each cell in time, and along rows and columns */
      HEAD "{\"features\":3,\"grid\":[3,4]},\"tree\":{\"sequence\":[{\"residual\":{\"sequence\":["
      "{\"over\":{\"name\":\"o\",\"axis\":\"steps\",\"of\":{\"sequence\":[{\"linear\":{\"name\":\"up\","
      "\"width\":9}},{\"mamba1\":{\"name\":\"m\",\"inner\":12,\"states\":3,\"rank\":1}},{\"pool\":{\"kind\":\"mean\"}}]}}},"
      "{\"linear\":{\"name\":\"down\",\"width\":3}}]}},{\"over\":{\"name\":\"r\",\"axis\":\"rows\","
      "\"of\":{\"conv\":{\"name\":\"late\",\"taps\":2}}}},{\"over\":{\"name\":\"c\",\"axis\":\"columns\","
      "\"of\":{\"pool\":{\"kind\":\"mean\"}}}},{\"patch\":{\"height\":1,\"width\":2,\"right\":1}}]}}",
      "0.o.up.weight 9 3;0.o.m.in_proj.weight 24 9;0.o.m.out_proj.weight 9 12;"
      "0.o.m.conv1d.weight 12 4;0.o.m.x_proj.weight 7 12;0.o.m.dt_proj.weight 12 1;"
      "0.o.m.dt_proj.bias 12;0.o.m.A_log 12 3;0.o.m.D 12;0.down.weight 3 9;r.late.weight 3 2" },
    { "directions", 0, 8, TIMED,            /* both ways, with one projection; a mean over intervals */
      HEAD "{\"features\":8},\"tree\":{\"sequence\":[{\"linear\":{\"name\":\"in\",\"width\":48}},"
      "{\"branches\":{\"merge\":\"mean\",\"of\":[{\"mamba1\":{\"name\":\"f\",\"project\":\"none\","
      "\"inner\":24,\"states\":5,\"rank\":2}},{\"reverse\":{\"mamba1\":{\"name\":\"b\",\"project\":\"none\","
      "\"inner\":24,\"states\":5,\"rank\":2}}}]}},{\"linear\":{\"name\":\"out\",\"width\":8}},"
      "{\"pool\":{\"kind\":\"mean\"}},{\"mamba1\":{\"name\":\"m\",\"inner\":8,\"states\":3,\"rank\":1}}]}}",
      "in.weight 48 8;1.f.conv1d.weight 24 4;1.f.x_proj.weight 12 24;1.f.dt_proj.weight 24 2;"
      "1.f.dt_proj.bias 24;1.f.A_log 24 5;1.f.D 24;1.1.b.conv1d.weight 24 4;"
      "1.1.b.x_proj.weight 12 24;1.1.b.dt_proj.weight 24 2;1.1.b.dt_proj.bias 24;"
      "1.1.b.A_log 24 5;1.1.b.D 24;out.weight 8 24;m.in_proj.weight 16 8;"
      "m.out_proj.weight 8 8;m.conv1d.weight 8 4;m.x_proj.weight 7 8;m.dt_proj.weight 8 1;"
      "m.dt_proj.bias 8;m.A_log 8 3;m.D 8" },
    { "inserted", 0, 10, 0,                /* rows put in, marked by position and appended */
      HEAD "{\"features\":10},\"tree\":{\"sequence\":[{\"insert\":{\"name\":\"first\",\"at\":\"first\","
      "\"rows\":2}},{\"insert\":{\"name\":\"middle\",\"at\":\"middle\"}},{\"insert\":{\"name\":\"end\","
      "\"at\":\"last\",\"rows\":3}},{\"position\":{\"name\":\"p\",\"rows\":80}},{\"branches\":{\"merge\":\"append\","
      "\"of\":[{\"conv\":{\"name\":\"late\",\"taps\":3}},{\"reverse\":{\"conv\":{\"name\":\"late2\","
      "\"taps\":2}}}]}},{\"batch_norm\":{\"name\":\"n\"}},{\"pool\":{\"kind\":\"max\"}}]}}",
      "first.weight 2 10;middle.weight 1 10;end.weight 3 10;p.weight 80 10;4.late.weight 10 3;"
      "4.1.late2.weight 10 2;n.running_mean 10;n.running_var 10" },
    { "token", 30, 0, 0,                /* one row of a sequence, and all orders of steps */
      HEAD "{\"tokens\":30},\"tree\":{\"sequence\":[{\"embed\":{\"name\":\"table\",\"width\":12}},"
      "{\"insert\":{\"name\":\"cls\",\"at\":\"middle\"}},{\"reverse\":{\"sequence\":[{\"mamba1\":{\"name\":\"m\","
      "\"inner\":16,\"states\":4,\"rank\":1}},{\"put\":{\"as\":\"x\"}},{\"linear\":{\"name\":\"mix\","
      "\"width\":12}},{\"branches\":{\"merge\":\"multiply\",\"of\":[{\"identity\":{}},{\"get\":{\"as\":\"x\"}}]}}]}},"
      "{\"pool\":{\"kind\":\"token\"}},{\"linear\":{\"name\":\"last\",\"width\":6}}]}}",
      "table.weight 30 12;cls.weight 1 12;2.m.in_proj.weight 32 12;2.m.out_proj.weight 12 16;"
      "2.m.conv1d.weight 16 4;2.m.x_proj.weight 9 16;2.m.dt_proj.weight 16 1;"
      "2.m.dt_proj.bias 16;2.m.A_log 16 4;2.m.D 16;2.mix.weight 12 12;last.weight 6 12" },
};

#endif
