/*
 * consumer.c - a program of someone else: built through pkg-config against an installed
 * krait, as C99 and (by consumer.cc) as C++98.
 */
#include <krait.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    static const char  description[] =
        "{\"model_type\":\"krait\",\"version\":1,\"input\":{\"features\":2},"
        "\"tree\":{\"linear\":{\"width\":2}}}";
    static const float weight[4] = { 1, 2, 3, 4 };
    static const float in[2] = { 1, 10 };
    float              out[2] = { 0, 0 };
    krait_tensor       tensor;
    krait_model       *model;
    krait_state       *state;
    krait_message      why;

    printf("krait %s, header %d.%d.%d, ABI %d\n", krait_version(), KRAIT_VERSION_MAJOR,
           KRAIT_VERSION_MINOR, KRAIT_VERSION_PATCH, (int)krait_abi());
    if (krait_abi() != KRAIT_ABI)
        return 1;

    memset(&tensor, 0, sizeof tensor);
    tensor.name = "weight";
    tensor.data = weight;
    tensor.bytes = sizeof weight;
    tensor.shape[0] = 2;
    tensor.shape[1] = 2;
    tensor.dimensions = 2;
    tensor.type = KRAIT_F32;
    if (krait_model_create(&model, description, &tensor, 1, NULL, &why)) {
        puts(why.text);
        return 1;
    }
    if (krait_state_create(&state, model, NULL, NULL) || krait_step(model, state, in, out))
        return 1;
    printf("%g %g\n", out[0], out[1]);
    krait_state_destroy(state, NULL);
    krait_model_close(model);
    return out[0] == 21 && out[1] == 43 ? 0 : 1;
}
