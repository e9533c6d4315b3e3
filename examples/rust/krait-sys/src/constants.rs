//! The constants of krait.h; tests/header.rs compares each with what a C compiler prints.

use crate::krait_status;

pub const KRAIT_VERSION_MAJOR: i32 = 0;
pub const KRAIT_VERSION_MINOR: i32 = 1;
pub const KRAIT_VERSION_PATCH: i32 = 0;
pub const KRAIT_ABI: i32 = 0;
pub const KRAIT_NUMERICS: i32 = 1;

pub const KRAIT_OK: krait_status = 0;
pub const KRAIT_ERR_ARGUMENT: krait_status = -1;
pub const KRAIT_ERR_MEMORY: krait_status = -2;
pub const KRAIT_ERR_IO: krait_status = -3;
pub const KRAIT_ERR_FORMAT: krait_status = -4;
pub const KRAIT_ERR_UNSUPPORTED: krait_status = -5;
pub const KRAIT_ERR_SHAPE: krait_status = -6;
pub const KRAIT_ERR_MODEL: krait_status = -7;
pub const KRAIT_ERR_ALIGNMENT: krait_status = -8;
pub const KRAIT_ERR_SPACE: krait_status = -9;
pub const KRAIT_ERR_CANCELLED: krait_status = -10;
pub const KRAIT_ERR_CANNOT_STEP: krait_status = -11;
pub const KRAIT_ERR_BUILD: krait_status = -12;

pub const KRAIT_F32: i32 = 0;
pub const KRAIT_F16: i32 = 1;
pub const KRAIT_BF16: i32 = 30;
pub const KRAIT_Q8_0: i32 = 8;

pub const KRAIT_OPEN_READ: i32 = 1;
pub const KRAIT_OPEN_BORROW: i32 = 2;
pub const KRAIT_OPEN_CHECK: i32 = 4;
pub const KRAIT_OPEN_PLAIN: i32 = 8;
pub const KRAIT_OPEN_FAST: i32 = 16;

pub const KRAIT_IN_WIDTH: i32 = 1;
pub const KRAIT_OUT_WIDTH: i32 = 2;
pub const KRAIT_VOCABULARY: i32 = 3;
pub const KRAIT_LAYERS: i32 = 4;
pub const KRAIT_PARAMETERS: i32 = 5;
pub const KRAIT_WHOLE_SEQUENCE: i32 = 6;
pub const KRAIT_WEIGHT_BYTES: i32 = 7;
pub const KRAIT_STATE_BYTES_PER_LANE: i32 = 8;
pub const KRAIT_CAN_STEP: i32 = 9;
pub const KRAIT_USES_DT: i32 = 10;
pub const KRAIT_TAKES_TOKENS: i32 = 11;
pub const KRAIT_END_TOKEN: i32 = 12;
pub const KRAIT_GRID_ROWS: i32 = 13;
pub const KRAIT_GRID_COLUMNS: i32 = 14;
pub const KRAIT_MOST_STEPS: i32 = 15;

pub const KRAIT_STATE_ALIGNMENT: usize = 64;

pub const KRAIT_SLOT_ORDER: i32 = 1;
pub const KRAIT_SLOT_ROWS: i32 = 2;
pub const KRAIT_SLOT_INNER: i32 = 3;

pub const KRAIT_ALL_LANES: i32 = -1;

pub const KRAIT_RECURRENT: i32 = 0;
pub const KRAIT_AUTO: i32 = 1;
pub const KRAIT_SCAN: i32 = 2;
pub const KRAIT_CONVOLUTION: i32 = 3;

pub const KRAIT_ROWS_ALL: i32 = 0;
pub const KRAIT_ROWS_LAST: i32 = 1;
pub const KRAIT_ROWS_NONE: i32 = 2;

pub const KRAIT_NAN_PROPAGATE: i32 = 0;
pub const KRAIT_NAN_REFUSE: i32 = 1;
pub const KRAIT_NAN_HOLD: i32 = 2;

pub const KRAIT_TOKENIZER_COUNT: i32 = 1;
pub const KRAIT_TOKENIZER_BEGIN: i32 = 2;
pub const KRAIT_TOKENIZER_END: i32 = 3;
pub const KRAIT_TOKENIZER_UNKNOWN: i32 = 4;
pub const KRAIT_TOKENIZER_ENCODES: i32 = 5;

pub const KRAIT_TEXT_SPECIAL: i32 = 1;
pub const KRAIT_TEXT_GOES_ON: i32 = 2;
pub const KRAIT_TEXT_AROUND: i32 = 4;

pub const KRAIT_TOKEN_SPECIAL: i32 = 1;
pub const KRAIT_TOKEN_ADDED: i32 = 2;
pub const KRAIT_TOKEN_BYTE: i32 = 4;
pub const KRAIT_TOKEN_UNUSED: i32 = 8;
pub const KRAIT_TOKEN_UNKNOWN: i32 = 16;

pub const KRAIT_LAYOUT_ROWS: i32 = 0;
pub const KRAIT_LAYOUT_PANELS: i32 = 1;
