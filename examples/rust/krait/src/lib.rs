//! State space models: open a trained model, keep what each stream remembers, and run it a row at a time or many rows
//! at once.  This is krait's C library behind types that Rust can check.
//!
//! ```
//! use krait::{Model, Sampler};
//!
//! let model = Model::open("../../models/mamba-novels.gguf")?;
//! let mut state = model.state()?;
//! let mut sampler = Sampler::new(1).temperature(0.8);
//! for piece in state.generate("It was a dark and stormy ", &mut sampler, 60)? {
//!     print!("{}", piece?);
//! }
//! # Ok::<(), krait::Error>(())
//! ```
//!
//! A [`Model`] never changes: share it among any number of threads, by reference or by `clone()`.  A [`State`] is what
//! one or several streams ("lanes") remember: move it to any thread, use it on one at a time.
//!
//! ```
//! let model = krait::Model::open("../../models/s4d-digits.safetensors")?;
//! let mut state = model.state()?;
//! let mut scores = vec![0.0; model.out_width()];
//! for sample in [0.0, 0.25, -0.5] {
//!     state.step(&[sample], &mut scores)?; // no allocation, lock or system call
//! }
//! # Ok::<(), krait::Error>(())
//! ```
//!
//! Results are the bits that C gets: they depend on the model, the input and [`numerics`], not on the machine.
//! `krait.h`, which comes with the library, says more about every call; [`sys`] is that header in Rust.

#![warn(missing_docs)]

mod convert;
mod error;
mod generate;
mod hooks;
mod model;
mod open;
mod pool;
mod run;
mod sample;
mod state;
mod tokenizer;

pub use convert::{convert, ConvertOptions, Layout};
pub use error::{Error, Result, Status};
pub use generate::Generate;
pub use model::{Model, Part, Slot, SlotKind, TensorInfo};
pub use open::{OpenOptions, Tensor};
pub use pool::{Parallel, Pool};
pub use run::{Input, Kept, Mode, Nan, Output};
pub use sample::{Rng, Sampler};
pub use state::{Lane, State, StateOptions, Step, Steps};
pub use tokenizer::{Decoder, Token, Tokenizer};

/// krait.h as it stands, for what is not here.
pub use krait_sys as sys;

use std::ffi::CStr;

/// The library's version: "0.1.0".
pub fn version() -> &'static str {
    // SAFETY: static text.
    unsafe { CStr::from_ptr(sys::krait_version()) }.to_str().unwrap_or("")
}

/// Changes when any result of a recurrence changes a bit: peers in lockstep compare it.
pub fn numerics() -> i32 {
    // SAFETY: takes nothing.
    unsafe { sys::krait_numerics() }
}

/// The C compiler, and the kernels usable here, best first.
pub fn build() -> &'static str {
    // SAFETY: static text.
    unsafe { CStr::from_ptr(sys::krait_build()) }.to_str().unwrap_or("")
}
