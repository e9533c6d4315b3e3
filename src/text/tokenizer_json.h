/*
 * tokenizer_json.h - what a tokenizer.json does to a text before and after its model.
 */
#ifndef KR_TOKENIZER_JSON_H
#define KR_TOKENIZER_JSON_H

#include "text/tokenizer.h"

/* normalizer, pre_tokenizer, decoder and the model's options; KRAIT_ERR_UNSUPPORTED names the field. */
krait_status kr_tokenizer_json_pipeline(krait_tokenizer *t, const kr_json *root, const kr_tokenizer_source *source);
/* post_processor: the tokens before and behind a text; ids are known by now. */
krait_status kr_tokenizer_json_around(krait_tokenizer *t, const kr_json *root, const kr_tokenizer_source *source);

#endif
