/* define.c - a layer with a name, under which it may be used again; used here for the first time. */
#include "layers/layer.h"

static krait_status define_shape(kr_layer *layer, krait_message *message)
{
    (void)message;
    layer->out_width = layer->children[0]->out_width;
    return KRAIT_OK;
}

static void define_scratch(const kr_layer *layer, const kr_extent *most, kr_carve *carve)
{
    kr_layer_scratch(layer->children[0], most, carve);
}

static void define_run(const kr_layer *layer, kr_context *context, const kr_rows *in, kr_rows *out)
{
    kr_layer_run(layer->children[0], context, in, out);
}

extern const kr_layer_type kr_layer_define;
const kr_layer_type kr_layer_define = {
    .name = "define", .children = KR_DEFINE, .flags = KR_TAKES_TOKEN | KR_ANY_GRID,
    .shape = define_shape, .scratch = define_scratch, .run = define_run,
};

/* 'use' differs in where its child comes from and nothing else: model/build.c. */
extern const kr_layer_type kr_layer_use;
const kr_layer_type kr_layer_use = {
    .name = "use", .children = KR_USE, .flags = KR_TAKES_TOKEN | KR_ANY_GRID,
    .shape = define_shape, .scratch = define_scratch, .run = define_run,
};
