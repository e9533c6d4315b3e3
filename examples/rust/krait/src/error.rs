//! What a call answers when it fails.

use std::ffi::CStr;
use std::fmt;

use crate::sys;

/// Why, for programs: krait.h's `KRAIT_ERR_...`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// A size or range is wrong, or NaN where it is refused.
    Argument,
    /// Memory ran out, or more than `max_bytes` is needed.
    Memory,
    /// A file cannot be opened, read or written.
    Io,
    /// The bytes are not what they claim to be.
    Format,
    /// Valid, but not something that this build can do.
    Unsupported,
    /// Tensors and description disagree.
    Shape,
    /// The state belongs to another model.
    Model,
    /// Memory is not aligned to 64 bytes.
    Alignment,
    /// A buffer is too small.
    Space,
    /// A progress callback said so.
    Cancelled,
    /// The model needs the whole sequence.
    CannotStep,
    /// The library was compiled so that its numbers would be wrong, or is another one than this crate was made for.
    Build,
    /// A status that this crate does not know.
    Other(i32),
}

impl Status {
    fn of(code: i32) -> Status {
        match code {
            sys::KRAIT_ERR_ARGUMENT => Status::Argument,
            sys::KRAIT_ERR_MEMORY => Status::Memory,
            sys::KRAIT_ERR_IO => Status::Io,
            sys::KRAIT_ERR_FORMAT => Status::Format,
            sys::KRAIT_ERR_UNSUPPORTED => Status::Unsupported,
            sys::KRAIT_ERR_SHAPE => Status::Shape,
            sys::KRAIT_ERR_MODEL => Status::Model,
            sys::KRAIT_ERR_ALIGNMENT => Status::Alignment,
            sys::KRAIT_ERR_SPACE => Status::Space,
            sys::KRAIT_ERR_CANCELLED => Status::Cancelled,
            sys::KRAIT_ERR_CANNOT_STEP => Status::CannotStep,
            sys::KRAIT_ERR_BUILD => Status::Build,
            other => Status::Other(other),
        }
    }
}

/// A status, and krait's message for people where it has one.
///
/// ```
/// let error = krait::Model::open("nothing.gguf").unwrap_err();
/// assert_eq!(error.status(), krait::Status::Io);
/// assert!(error.to_string().contains("nothing.gguf"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    status: Status,
    message: Box<str>,
}

/// What every call here returns.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Why, for programs.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Names the file, tensor or field where krait knows it; never empty.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Refused by this crate, before C was asked.
    pub(crate) fn argument(message: impl Into<String>) -> Error {
        Error { status: Status::Argument, message: message.into().into() }
    }

    pub(crate) fn build(message: String) -> Error {
        Error { status: Status::Build, message: message.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// For calls without a message.
pub(crate) fn check(code: i32) -> Result<()> {
    if code == sys::KRAIT_OK {
        return Ok(());
    }
    // SAFETY: static text, never NULL.
    let text = unsafe { CStr::from_ptr(sys::krait_status_text(code)) };
    Err(Error { status: Status::of(code), message: text.to_string_lossy().into() })
}

/// For calls that fill in a message.
pub(crate) fn check_with(code: i32, message: &sys::krait_message) -> Result<()> {
    check(code).map_err(|mut error| {
        // SAFETY: always terminated, and "" when nothing was said.
        let text = unsafe { CStr::from_ptr(message.text.as_ptr()) };
        if !text.is_empty() {
            error.message = text.to_string_lossy().into();
        }
        error
    })
}
