/*
 * vim.c - Vision Mamba as krait's own tree.
 *
 * A step is an image: [rows, columns] cells of 'channels' numbers.  In hustvl/Vim a block adds its
 * input to a residual and normalises their sum; here the sum flows, which is the same.
 */
#include "model/vim.h"

#include <string.h>

size_t kr_vim_patches(const kr_vim *s)
{
    return ((s->image[0] - s->patch[0]) / s->stride + 1) *
           ((s->image[1] - s->patch[1]) / s->stride + 1);
}

static void vim_write_size(kr_writer *w, const kr_vim *s, char letter)
{
    size_t tokens = s->token == VIM_NO_TOKEN ? 0 : s->token == VIM_DOUBLE ? 2 : 1;
    const struct { char letter; size_t size; } sizes[] = {
        { 'C', s->channels }, { 'H', s->image[0] }, { 'W', s->image[1] },
        { 'h', s->patch[0] }, { 'w', s->patch[1] }, { 's', s->stride },
        { 'E', s->width }, { 'D', s->depth }, { 'N', s->states }, { 'K', s->taps },
        { 'I', s->inner }, { 'J', 2 * s->inner }, { 'L', s->classes },
        { 'R', s->rank }, { 'X', s->rank + 2 * s->states }, { 'B', 2 * s->states },
        { 'T', kr_vim_patches(s) + tokens },
        { 'M', s->token == VIM_MIDDLE ? kr_vim_patches(s) / 2 : 0 },
    };

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i].letter == letter)
            kr_write_unsigned(w, sizes[i].size);
}

/* In 'text' ' stands for a quotation mark, @ for the layer in names, $ and a letter for a size. */
static void vim_write(kr_writer *w, const kr_vim *s, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            kr_write(w, "\"");
        else if (*text == '@')
            kr_write(w, s->layer);
        else if (*text == '$')
            vim_write_size(w, s, *++text);
        else
            kr_write_bytes(w, text, 1);
    }
}

static void vim_write_norm(kr_writer *w, const kr_vim *s, const char *name, const char *tensors)
{
    vim_write(w, s, s->rms ? "{'rms_norm':{'name':'" : "{'layer_norm':{'name':'");
    kr_write(w, name);
    vim_write(w, s, "','eps':");
    kr_write_number(w, s->eps);
    vim_write(w, s, ",'weights':{'weight':'");
    vim_write(w, s, tensors);
    vim_write(w, s, ".weight'");
    if (!s->rms) {
        vim_write(w, s, ",'bias':'");
        vim_write(w, s, tensors);
        vim_write(w, s, ".bias'");
    }
    vim_write(w, s, "}}}");
}

static void vim_write_pixels(kr_writer *w, const kr_vim *s)
{
    if (!s->mean)
        return;
    vim_write(w, s, "{'normalize':{'name':'pixels','mean':");
    kr_write_json(w, s->mean);
    vim_write(w, s, ",'std':");
    kr_write_json(w, s->std);
    vim_write(w, s, "}},");
}

static void vim_write_patches(kr_writer *w, const kr_vim *s)
{
    vim_write(w, s, "{'patch':{'height':$h,'width':$w,'down':$s,'right':$s}},"
                    "{'linear':{'name':'patch_embed.proj','width':$E,'weights':{"
                    "'weight':{'tensor':'patch_embed.proj.weight','flatten':true},"
                    "'bias':'patch_embed.proj.bias'}}},");
}

/* Class tokens and positions. */
static void vim_write_tokens(kr_writer *w, const kr_vim *s)
{
    if (s->token == VIM_FIRST || s->token == VIM_MIDDLE) {
        vim_write(w, s, "{'insert':{'name':'cls_token','at':'");
        kr_write(w, s->token == VIM_FIRST ? "first" : "middle");
        vim_write(w, s, "','weights':{'weight':'cls_token'}}},");
    }
    if (s->token == VIM_DOUBLE)
        vim_write(w, s,
                  "{'insert':{'name':'cls_token_head','at':'first',"
                  "'weights':{'weight':'cls_token_head'}}},"
                  "{'insert':{'name':'cls_token_tail','at':'last',"
                  "'weights':{'weight':'cls_token_tail'}}},");
    if (s->positions)
        vim_write(w, s,
                  "{'position':{'name':'pos_embed','rows':$T,'weights':{'weight':'pos_embed'}}},");
}

static void vim_write_projection(kr_writer *w, const kr_vim *s, int in)
{
    vim_write(w, s, in ? "{'linear':{'name':'mixer.in_proj','width':$J,'weights':{"
                         "'weight':'layers.@.mixer.in_proj.weight'"
                       : "{'linear':{'name':'mixer.out_proj','width':$E,'weights':{"
                         "'weight':'layers.@.mixer.out_proj.weight'");
    if (s->bias)
        vim_write(w, s,
                  in ? ",'bias':'layers.@.mixer.in_proj.bias'"
                     : ",'bias':'layers.@.mixer.out_proj.bias'");
    vim_write(w, s, "}}}");
}

/* One mixer without projections: forwards, or backwards with the tensors of that direction. */
static void vim_write_direction(kr_writer *w, const kr_vim *s, int back)
{
    vim_write(w, s,
              back ? "{'reverse':{'mamba1':{'name':'backward'" : "{'mamba1':{'name':'forward'");
    vim_write(w, s, ",'inner':$I,'states':$N,'taps':$K,'rank':$R,'project':'none','weights':{");
    if (s->conv_bias)
        vim_write(w, s, back ? "'conv1d.bias':'layers.@.mixer.conv1d_b.bias',"
                             : "'conv1d.bias':'layers.@.mixer.conv1d.bias',");
    vim_write(w, s, back ? "'conv1d.weight':'layers.@.mixer.conv1d_b.weight',"
                           "'x_proj.weight':'layers.@.mixer.x_proj_b.weight',"
                           "'dt_proj.weight':'layers.@.mixer.dt_proj_b.weight',"
                           "'dt_proj.bias':'layers.@.mixer.dt_proj_b.bias',"
                           "'A_log':'layers.@.mixer.A_b_log','D':'layers.@.mixer.D_b'}}}}"
                         : "'conv1d.weight':'layers.@.mixer.conv1d.weight',"
                           "'x_proj.weight':'layers.@.mixer.x_proj.weight',"
                           "'dt_proj.weight':'layers.@.mixer.dt_proj.weight',"
                           "'dt_proj.bias':'layers.@.mixer.dt_proj.bias',"
                           "'A_log':'layers.@.mixer.A_log','D':'layers.@.mixer.D'}}}");
}

static void vim_write_v2(kr_writer *w, const kr_vim *s)
{
    vim_write_projection(w, s, 1);
    vim_write(w, s, s->divide ? ",{'branches':{'name':'mixer','merge':'mean','of':["
                              : ",{'branches':{'name':'mixer','merge':'sum','of':[");
    vim_write_direction(w, s, 0);
    vim_write(w, s, ",");
    vim_write_direction(w, s, 1);
    vim_write(w, s, "]}},");
    vim_write_projection(w, s, 0);
}

/* v1 shares all but A: what is made of x is scanned both ways.  The two are always added. */
static void vim_write_v1(kr_writer *w, const kr_vim *s)
{
    vim_write_projection(w, s, 1);
    vim_write(w, s, ",{'branches':{'name':'mixer','merge':'concatenate','of':[{'sequence':["
                    "{'slice':{'width':$I}},{'conv':{'name':'conv1d','taps':$K,'weights':{"
                    "'weight':'layers.@.mixer.conv1d.weight'");
    if (s->conv_bias)
        vim_write(w, s, ",'bias':'layers.@.mixer.conv1d.bias'");
    vim_write(w, s,
              "}}},{'activation':{'kind':'silu'}},"
              "{'branches':{'merge':'concatenate','of':[{'identity':{}},"
              "{'sequence':[{'linear':{'name':'r','width':$R,'weights':{"
              "'weight':{'tensor':'layers.@.mixer.x_proj.weight','rows':[0,$R]}}}},"
              "{'linear':{'name':'dt','width':$I,'weights':{"
              "'weight':'layers.@.mixer.dt_proj.weight'}}}]},"
              "{'linear':{'name':'bc','width':$B,'weights':{"
              "'weight':{'tensor':'layers.@.mixer.x_proj.weight','rows':[$R,$X]}}}}]}}]},"
              "{'slice':{'from':$I,'width':$I}}]}},{'branches':{'name':'mixer','of':[");
    for (int back = 0; back < 2; back++) {
        vim_write(w, s,
                  back ? ",{'reverse':{'selective_scan':{'name':'backward'"
                       : "{'selective_scan':{'name':'forward'");
        vim_write(w, s,
                  ",'inner':$I,'states':$N,'weights':{'dt_bias':'layers.@.mixer.dt_proj.bias',"
                  "'D':'layers.@.mixer.D','A_log':'layers.@.mixer.");
        vim_write(w, s, back ? "A_b_log'}}}}" : "A_log'}}}");
    }
    vim_write(w, s, "]}},");
    vim_write_projection(w, s, 0);
}

static void vim_write_forward(kr_writer *w, const kr_vim *s)
{
    vim_write(w, s,
              "{'mamba1':{'name':'mixer','inner':$I,'states':$N,'taps':$K,'rank':$R,"
              "'path':'layers.@.mixer','weights':{'dt_proj.bias':'layers.@.mixer.dt_proj.bias'");
    if (s->conv_bias)
        vim_write(w, s, ",'conv1d.bias':'layers.@.mixer.conv1d.bias'");
    if (s->bias)
        vim_write(w, s, ",'in_proj.bias':'layers.@.mixer.in_proj.bias',"
                        "'out_proj.bias':'layers.@.mixer.out_proj.bias'");
    vim_write(w, s, "}}}");
}

static void vim_write_block(kr_writer *w, const kr_vim *s)
{
    vim_write(w, s, "{'residual':{'sequence':[");
    vim_write_norm(w, s, "norm", "layers.@.norm");
    vim_write(w, s, ",");
    if (s->both == VIM_V2)
        vim_write_v2(w, s);
    else if (s->both == VIM_V1)
        vim_write_v1(w, s);
    else
        vim_write_forward(w, s);
    if (s->gamma)
        vim_write(w, s, ",{'scale':{'name':'mixer','weights':{'weight':'layers.@.mixer.gamma'}}}");
    vim_write(w, s, "]}}");
}

static void vim_name_layer(kr_vim *s, size_t i)
{
    size_t digits = 1;

    for (size_t rest = i; rest >= 10; rest /= 10)
        digits++;
    s->layer[digits] = '\0';
    for (; digits; i /= 10)
        s->layer[--digits] = (char)('0' + i % 10);
}

/*
 * Pairs: both layers are given the sum of hidden states and residual and both keep it as their new
 * residual, so their results are added with twice that sum.  Of an odd number the last never runs.
 */
static void vim_write_blocks(kr_writer *w, kr_vim *s)
{
    if (!s->pairs) {
        strcpy(s->layer, "{i}");
        vim_write(w, s, "{'repeat':{'name':'layers','n':$D,'of':");
        vim_write_block(w, s);
        vim_write(w, s, "}},");
        return;
    }
    for (size_t i = 0; i + 1 < s->depth; i += 2) {
        vim_name_layer(s, i);
        vim_write(w, s, "{'branches':{'name':'layers.@','of':[");
        vim_write_block(w, s);
        vim_name_layer(s, i + 1);
        vim_write(w, s, ",{'reverse':");
        vim_write_block(w, s);
        vim_write(w, s, "}]}},");
    }
}

static void vim_write_head(kr_writer *w, const kr_vim *s)
{
    if (s->classes)
        vim_write(w, s, ",{'linear':{'name':'head','width':$L,"
                        "'weights':{'weight':'head.weight','bias':'head.bias'}}}");
}

/* One row of features; but the greatest of every class is found behind the head. */
static void vim_write_pool(kr_writer *w, const kr_vim *s)
{
    if (s->token == VIM_DOUBLE)
        vim_write(w, s, ",{'branches':{'merge':'mean','of':[{'pool':{'kind':'token','index':0}},"
                        "{'pool':{'kind':'last'}}]}}");
    else if (s->token != VIM_NO_TOKEN)
        vim_write(w, s, ",{'pool':{'kind':'token','index':$M}}");
    else if (s->pool == VIM_MAX)
        vim_write_head(w, s);
    if (s->token == VIM_NO_TOKEN && s->pool != VIM_ALL)
        vim_write(w, s,
                  s->pool == VIM_MAX    ? ",{'pool':{'kind':'max'}}"
                  : s->pool == VIM_MEAN ? ",{'pool':{'kind':'mean'}}"
                                        : ",{'pool':{'kind':'last'}}");
}

void kr_vim_write(kr_writer *w, kr_vim *s)
{
    vim_write(w, s, "{'model_type':'krait','version':1,'input':{'features':$C,'grid':[$H,$W]},"
                    "'tree':{'sequence':[");
    vim_write_pixels(w, s);
    vim_write_patches(w, s);
    vim_write(w, s, "{'over':{'name':'tokens','axis':'grid','of':{'sequence':[");
    vim_write_tokens(w, s);
    vim_write_blocks(w, s);
    vim_write_norm(w, s, "norm_f", "norm_f");
    vim_write_pool(w, s);
    vim_write(w, s, "]}}}");
    if (s->token != VIM_NO_TOKEN || s->pool != VIM_MAX)
        vim_write_head(w, s);
    vim_write(w, s, "]}}");
}
