/* flax.c - the description of a flax classifier, and the fields that they have in common. */
#include "model/flax.h"

/* ---- fields --------------------------------------------------------------------------------------- */

/* A number for each input, of 'low' or more. */
static krait_status flax_input_field(kr_loading *loading, const kr_flax *f, const char *name, double low,
                                     const kr_json **value)
{
    const kr_json *field = kr_json_get(loading->config, name), *item;

    *value = NULL;
    if (!field || field->kind == KR_JSON_NULL)
        return KRAIT_OK;
    item = field->kind == KR_JSON_ARRAY && field->count == f->input ? field->first : NULL;
    for (*value = field; item && item->kind == KR_JSON_NUMBER && item->number >= low && item->number <= 1e30;)
        if (!(item = item->next))
            return KRAIT_OK;
    return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.100s: '%s' must be a number for each input%s", loading->what,
                   name, low > 0 ? ", above 0" : "");
}

krait_status kr_flax_inputs(kr_loading *loading, kr_flax *f)
{
    krait_status status;

    if ((status = flax_input_field(loading, f, "input_mean", -1e30, &f->mean)) != KRAIT_OK ||
        (status = flax_input_field(loading, f, "input_std", 1e-30, &f->std)) != KRAIT_OK)
        return status;
    if (!f->mean != !f->std)
        return kr_fail(loading->message, KRAIT_ERR_FORMAT, "%.100s: '%s' is missing", loading->what,
                       f->mean ? "input_std" : "input_mean");
    return KRAIT_OK;
}

/* ---- the tree ------------------------------------------------------------------------------------- */

void kr_flax_write(kr_writer *w, const kr_flax *f, const char *text)
{
    const struct { char letter; size_t size; } sizes[] = {
        { 'I', f->input }, { 'H', f->width }, { 'P', f->states }, { 'N', f->layers }, { 'L', f->outputs },
    };

    for (; *text; text++) {
        if (*text == '\'') {
            kr_write(w, "\"");
        } else if (*text == '@') {
            kr_write(w, "encoder.layers_{i}");
        } else if (*text == '$') {
            text++;
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
                if (sizes[i].letter == *text)
                    kr_write_unsigned(w, sizes[i].size);
        } else {
            kr_write_bytes(w, text, 1);
        }
    }
}

static void flax_write_norm(kr_writer *w, const kr_flax *f)
{
    static const char *const slots[] = { "weight", "scale", "bias", "bias", "running_mean", "mean", "running_var",
                                         "var" };

    kr_flax_write(w, f, f->batch ? "{'batch_norm':{'name':'norm','eps':1e-5,'weights':{"
                                 : "{'layer_norm':{'name':'norm','eps':1e-6,'weights':{");
    for (size_t i = 0; i < (f->batch ? 8u : 4u); i += 2) {
        kr_flax_write(w, f, i ? ",'" : "'");
        kr_write(w, slots[i]);
        kr_flax_write(w, f, "':'@.");
        kr_write(w, f->norm);
        kr_write(w, ".");
        kr_write(w, slots[i + 1]);
        kr_flax_write(w, f, "'");
    }
    kr_flax_write(w, f, "}}}");
}

/* A Dense of flax: its kernel is [in, out]. */
static void flax_write_dense(kr_writer *w, const kr_flax *f, const char *name, const char *width, const char *path)
{
    kr_flax_write(w, f, "{'linear':{'name':'");
    kr_write(w, name);
    kr_flax_write(w, f, "','width':");
    kr_flax_write(w, f, width);
    kr_flax_write(w, f, ",'weights':{'weight':{'tensor':'");
    kr_flax_write(w, f, path);
    kr_flax_write(w, f, ".kernel','transpose':true},'bias':'");
    kr_flax_write(w, f, path);
    kr_flax_write(w, f, ".bias'}}}");
}

static void flax_write_activation(kr_writer *w, const kr_flax *f)
{
    static const char gelu[] = "{'activation':{'kind':'gelu_tanh'}}";
    static const char sigmoid[] = ",{'activation':{'kind':'sigmoid'}}";

    if (f->activation != KR_FLAX_HALF_GLU2)
        kr_flax_write(w, f, gelu);
    if (f->activation == KR_FLAX_GELU)
        return;
    kr_flax_write(w, f, f->activation == KR_FLAX_HALF_GLU2 ? "{'branches':{'name':'glu','merge':'multiply','of':["
                                                 : ",{'branches':{'name':'glu','merge':'multiply','of':[");
    if (f->activation == KR_FLAX_FULL_GLU)
        flax_write_dense(w, f, "out1", "$H", "@.out1");
    else
        kr_flax_write(w, f, "{'identity':{}}");
    kr_flax_write(w, f, ",{'sequence':[");
    if (f->activation == KR_FLAX_HALF_GLU2) {
        kr_flax_write(w, f, gelu);
        kr_flax_write(w, f, ",");
    }
    flax_write_dense(w, f, "out2", "$H", "@.out2");
    kr_flax_write(w, f, sigmoid);
    kr_flax_write(w, f, "]}]}}");
}

static void flax_write_block(kr_writer *w, const kr_flax *f, const char *mixer)
{
    kr_flax_write(w, f, "{'residual':{'sequence':[");
    if (f->prenorm) {
        flax_write_norm(w, f);
        kr_write(w, ",");
    }
    kr_flax_write(w, f, mixer);
    kr_write(w, ",");
    flax_write_activation(w, f);
    kr_write(w, "]}}");
    if (!f->prenorm) {
        kr_write(w, ",");
        flax_write_norm(w, f);
    }
}

void kr_flax_tree(kr_writer *w, const kr_flax *f, const char *mixer)
{
    static const char *const pools[] = { "{'pool':{'kind':'mean'}},", "{'pool':{'kind':'last'}},", "" };

    kr_flax_write(w, f, "{'model_type':'krait','version':1,'input':{'features':$I},'tree':{'sequence':[");
    if (f->mean) {
        kr_flax_write(w, f, "{'normalize':{'name':'inputs','mean':");
        kr_write_json(w, f->mean);
        kr_flax_write(w, f, ",'std':");
        kr_write_json(w, f->std);
        kr_flax_write(w, f, "}},");
    }
    flax_write_dense(w, f, "encoder", "$H", "encoder.encoder");
    kr_flax_write(w, f, ",{'repeat':{'n':$N,'name':'layers','of':{'sequence':[");
    flax_write_block(w, f, mixer);
    kr_flax_write(w, f, "]}}},");
    kr_flax_write(w, f, pools[f->pool]);
    flax_write_dense(w, f, "decoder", "$L", "decoder");
    kr_flax_write(w, f, f->log_softmax ? ",{'log_softmax':{}}]}}" : "]}}");
}
