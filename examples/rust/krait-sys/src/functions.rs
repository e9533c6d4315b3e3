//! The functions of krait.h.  tests/header.rs holds each to the header's text.

use crate::*;

extern "C" {
    pub fn krait_version() -> *const c_char;
    pub fn krait_abi() -> i32;
    pub fn krait_numerics() -> i32;
    pub fn krait_build() -> *const c_char;
    pub fn krait_status_text(status: krait_status) -> *const c_char;
    pub fn krait_model_open(
        model: *mut *mut krait_model,
        path: *const c_char,
        options: *const krait_open_options,
        message: *mut krait_message,
    ) -> krait_status;
    pub fn krait_model_open_memory(
        model: *mut *mut krait_model,
        bytes: *const c_void,
        count: usize,
        options: *const krait_open_options,
        message: *mut krait_message,
    ) -> krait_status;
    pub fn krait_model_create(
        model: *mut *mut krait_model,
        description: *const c_char,
        tensors: *const krait_tensor,
        count: usize,
        options: *const krait_open_options,
        message: *mut krait_message,
    ) -> krait_status;
    pub fn krait_model_close(model: *mut krait_model);
    pub fn krait_model_get(model: *const krait_model, key: i32, value: *mut i64) -> krait_status;
    pub fn krait_model_text(model: *const krait_model, key: *const c_char) -> *const c_char;
    pub fn krait_model_tensor(
        model: *const krait_model,
        i: usize,
        tensor: *mut krait_tensor,
    ) -> krait_status;
    pub fn krait_model_slot(
        model: *const krait_model,
        i: usize,
        info: *mut krait_slot_info,
    ) -> krait_status;
    pub fn krait_model_key(model: *const krait_model, i: usize) -> *const c_char;
    pub fn krait_model_id(model: *const krait_model) -> u64;
    pub fn krait_model_hash(model: *const krait_model, hash: *mut u64) -> krait_status;
    pub fn krait_state_bytes(
        model: *const krait_model,
        options: *const krait_state_options,
        bytes: *mut usize,
    ) -> krait_status;
    pub fn krait_state_place(
        state: *mut *mut krait_state,
        model: *const krait_model,
        options: *const krait_state_options,
        memory: *mut c_void,
        bytes: usize,
    ) -> krait_status;
    pub fn krait_state_adopt(
        state: *mut *mut krait_state,
        model: *const krait_model,
        memory: *mut c_void,
        bytes: usize,
    ) -> krait_status;
    pub fn krait_state_create(
        state: *mut *mut krait_state,
        model: *const krait_model,
        options: *const krait_state_options,
        allocator: *const krait_allocator,
    ) -> krait_status;
    pub fn krait_state_destroy(state: *mut krait_state, allocator: *const krait_allocator);
    pub fn krait_state_data(state: *mut krait_state, bytes: *mut usize) -> *mut c_void;
    pub fn krait_state_reset(
        model: *const krait_model,
        state: *mut krait_state,
        lane: i32,
    ) -> krait_status;
    pub fn krait_state_copy(
        model: *const krait_model,
        to: *mut krait_state,
        to_lane: i32,
        from: *const krait_state,
        from_lane: i32,
    ) -> krait_status;
    pub fn krait_state_hash(
        model: *const krait_model,
        state: *const krait_state,
        lane: i32,
        hash: *mut u64,
    ) -> krait_status;
    pub fn krait_state_save(
        model: *const krait_model,
        state: *const krait_state,
        lane: i32,
        buffer: *mut c_void,
        capacity: usize,
        bytes: *mut usize,
    ) -> krait_status;
    pub fn krait_state_load(
        model: *const krait_model,
        state: *mut krait_state,
        lane: i32,
        buffer: *const c_void,
        bytes: usize,
        message: *mut krait_message,
    ) -> krait_status;
    pub fn krait_part_info(
        model: *const krait_model,
        index: usize,
        part: *mut krait_part,
    ) -> krait_status;
    pub fn krait_part_read(
        model: *const krait_model,
        state: *const krait_state,
        index: usize,
        lane: i32,
        values: *mut f32,
        count: usize,
    ) -> krait_status;
    pub fn krait_part_write(
        model: *const krait_model,
        state: *mut krait_state,
        index: usize,
        lane: i32,
        values: *const f32,
        count: usize,
    ) -> krait_status;
    pub fn krait_run(
        model: *const krait_model,
        state: *mut krait_state,
        input: *const krait_input,
        output: *mut krait_output,
        message: *mut krait_message,
    ) -> krait_status;
    pub fn krait_step(
        model: *const krait_model,
        state: *mut krait_state,
        features: *const f32,
        out: *mut f32,
    ) -> krait_status;
    pub fn krait_step_tokens(
        model: *const krait_model,
        state: *mut krait_state,
        tokens: *const i32,
        out: *mut f32,
    ) -> krait_status;
    pub fn krait_tokenizer_open(
        tokenizer: *mut *mut krait_tokenizer,
        path: *const c_char,
        options: *const krait_tokenizer_options,
        message: *mut krait_message,
    ) -> krait_status;
    pub fn krait_tokenizer_open_memory(
        tokenizer: *mut *mut krait_tokenizer,
        bytes: *const c_void,
        count: usize,
        options: *const krait_tokenizer_options,
        message: *mut krait_message,
    ) -> krait_status;
    pub fn krait_tokenizer_close(tokenizer: *mut krait_tokenizer);
    pub fn krait_model_tokenizer(model: *const krait_model) -> *const krait_tokenizer;
    pub fn krait_tokenizer_get(
        tokenizer: *const krait_tokenizer,
        key: i32,
        value: *mut i64,
    ) -> krait_status;
    pub fn krait_tokenizer_encode(
        tokenizer: *const krait_tokenizer,
        text: *const c_char,
        bytes: usize,
        flags: i32,
        tokens: *mut i32,
        capacity: usize,
        count: *mut usize,
    ) -> krait_status;
    pub fn krait_tokenizer_decode(
        tokenizer: *const krait_tokenizer,
        tokens: *const i32,
        n: usize,
        flags: i32,
        text: *mut c_char,
        capacity: usize,
        count: *mut usize,
    ) -> krait_status;
    pub fn krait_tokenizer_next(
        tokenizer: *const krait_tokenizer,
        decoder: *mut krait_decoder,
        token: i32,
        flags: i32,
        text: *mut c_char,
        capacity: usize,
        count: *mut usize,
    ) -> krait_status;
    pub fn krait_tokenizer_token(
        tokenizer: *const krait_tokenizer,
        token: i32,
        info: *mut krait_token_info,
    ) -> krait_status;
    pub fn krait_encode(
        model: *const krait_model,
        text: *const c_char,
        bytes: usize,
        flags: i32,
        tokens: *mut i32,
        capacity: usize,
        count: *mut usize,
    ) -> krait_status;
    pub fn krait_token_bytes(
        model: *const krait_model,
        token: i32,
        bytes: *mut *const c_char,
        count: *mut usize,
    ) -> krait_status;
    pub fn krait_rng_seed(rng: *mut krait_rng, seed: u64);
    pub fn krait_sample(
        logits: *mut f32,
        count: usize,
        options: *const krait_sample_options,
        rng: *mut krait_rng,
        token: *mut i32,
    ) -> krait_status;
    pub fn krait_convert(
        from: *const c_char,
        to: *const c_char,
        options: *const krait_convert_options,
        message: *mut krait_message,
    ) -> krait_status;
}
