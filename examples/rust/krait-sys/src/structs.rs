//! The structs of krait.h, field by field.  `Default` of one that begins with `size` is what its C user writes:
//! `size` set and all else zero.

use crate::*;

/// A model; only ever behind a pointer.
#[repr(C)]
pub struct krait_model {
    _opaque: [u8; 0],
}

/// What streams remember; only ever behind a pointer.
#[repr(C)]
pub struct krait_state {
    _opaque: [u8; 0],
}

/// A vocabulary; only ever behind a pointer.
#[repr(C)]
pub struct krait_tokenizer {
    _opaque: [u8; 0],
}

pub type krait_progress_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, done: u64, total: u64) -> i32>;
pub type krait_warn_fn = Option<unsafe extern "C" fn(user: *mut c_void, text: *const c_char)>;
pub type krait_task_fn = Option<unsafe extern "C" fn(argument: *mut c_void, index: usize)>;
pub type krait_parallel_fn = Option<
    unsafe extern "C" fn(
        user: *mut c_void,
        task: krait_task_fn,
        argument: *mut c_void,
        count: usize,
    ),
>;

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct krait_message {
    pub text: [c_char; 256],
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct krait_allocator {
    pub user: *mut c_void,
    pub allocate: Option<unsafe extern "C" fn(*mut c_void, usize, usize) -> *mut c_void>,
    pub release: Option<unsafe extern "C" fn(*mut c_void, *mut c_void, usize, usize)>,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct krait_tensor {
    pub name: *const c_char,
    pub data: *const c_void,
    pub bytes: u64,
    pub shape: [u64; 4],
    pub dimensions: i32,
    pub r#type: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct krait_open_options {
    pub size: usize,
    pub max_bytes: u64,
    pub allocator: *const krait_allocator,
    pub progress: krait_progress_fn,
    pub progress_user: *mut c_void,
    pub warn: krait_warn_fn,
    pub warn_user: *mut c_void,
    pub description: *const c_char,
    pub flags: i32,
    pub unused_: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct krait_slot_info {
    pub size: usize,
    pub name: *const c_char,
    pub width: usize,
    pub kind: i32,
    pub unused_: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct krait_state_options {
    pub size: usize,
    pub lanes: u32,
    pub chunk: u32,
    pub tasks: u32,
    pub context: u32,
    pub max_steps: u32,
    pub unused_: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct krait_part {
    pub size: usize,
    pub name: *const c_char,
    pub shape: [u64; 4],
    pub dimensions: i32,
    pub unused_: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct krait_order {
    pub name: *const c_char,
    pub order: *const i32,
    pub count: usize,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct krait_slot {
    pub name: *const c_char,
    pub rows: *mut f32,
    pub capacity: usize,
    pub width: usize,
    pub stride: usize,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct krait_input {
    pub size: usize,
    pub steps: usize,
    pub tokens: *const i32,
    pub features: *const f32,
    pub dt: *const f32,
    pub reset: *const u8,
    pub lengths: *const u32,
    pub parallel: krait_parallel_fn,
    pub parallel_user: *mut c_void,
    pub progress: krait_progress_fn,
    pub progress_user: *mut c_void,
    pub mode: i32,
    pub nan_policy: i32,
    pub orders: *const krait_order,
    pub order_count: usize,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct krait_output {
    pub size: usize,
    pub rows: *mut f32,
    pub capacity: usize,
    pub which: i32,
    pub mode_used: i32,
    pub held: *mut u8,
    pub counts: *mut u32,
    pub steps_done: usize,
    pub stride: usize,
    pub slots: *mut krait_slot,
    pub slot_count: usize,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct krait_tokenizer_options {
    pub size: usize,
    pub max_bytes: u64,
    pub allocator: *const krait_allocator,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct krait_decoder {
    pub held: [u8; 4],
    pub count: u8,
    pub begun: u8,
    pub unused_: [u8; 2],
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct krait_token_info {
    pub size: usize,
    pub bytes: *const c_char,
    pub count: usize,
    pub flags: i32,
    pub unused_: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct krait_rng {
    pub word: [u64; 2],
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct krait_sample_options {
    pub size: usize,
    pub temperature: f32,
    pub top_p: f32,
    pub min_p: f32,
    pub repetition: f32,
    pub top_k: u32,
    pub unused_: u32,
    pub recent: *const i32,
    pub recent_count: usize,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct krait_convert_options {
    pub size: usize,
    pub max_bytes: u64,
    pub allocator: *const krait_allocator,
    pub progress: krait_progress_fn,
    pub progress_user: *mut c_void,
    pub warn: krait_warn_fn,
    pub warn_user: *mut c_void,
    pub description: *const c_char,
    pub r#type: i32,
    pub layout: i32,
    pub flags: i32,
    pub unused_: i32,
}

macro_rules! sized_defaults {
    ($($name:ident)*) => {$(
        impl Default for $name {
            fn default() -> Self {
                // SAFETY: integers, floats, raw pointers and optional functions: zero is a value of each.
                let mut all: Self = unsafe { std::mem::zeroed() };
                all.size = std::mem::size_of::<Self>();
                all
            }
        }
    )*};
}

sized_defaults! {
    krait_open_options krait_slot_info krait_state_options krait_part krait_input krait_output
    krait_tokenizer_options krait_token_info krait_sample_options krait_convert_options
}

macro_rules! zero_defaults {
    ($($name:ident)*) => {$(
        impl Default for $name {
            fn default() -> Self {
                // SAFETY: as above.
                unsafe { std::mem::zeroed() }
            }
        }
    )*};
}

zero_defaults! { krait_message krait_tensor krait_order krait_slot krait_decoder krait_rng }
