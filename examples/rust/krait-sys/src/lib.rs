//! krait.h in Rust, as it stands there: raw pointers, statuses, no promise of its own.  The crate `krait` is the safe one.
//!
//! The header says what every function does and takes; the names are its names.  The build script finds an installed
//! krait by pkg-config or compiles the C source that comes with this crate: its head in build.rs has the rules.
//!
//! ```
//! let version = unsafe { std::ffi::CStr::from_ptr(krait_sys::krait_version()) };
//! assert!(version.to_str().unwrap().starts_with("0."));
//! ```
#![allow(non_camel_case_types)]

use std::ffi::{c_char, c_void};

mod constants;
mod functions;
mod structs;

pub use constants::*;
pub use functions::*;
pub use structs::*;

/// `KRAIT_OK` or a negative `KRAIT_ERR_...`.
pub type krait_status = i32;
