//! How a model is opened.

use std::borrow::Cow;
use std::ffi::CString;
use std::path::Path;
use std::ptr;

use crate::error::check_with;
use crate::hooks::{Hooks, Progress, Warn};
use crate::{sys, Error, Model, Result};

/// What a model is opened with; [`Model::options`] makes one with krait's defaults.
///
/// ```
/// let mut warnings = 0;
/// let model = krait::Model::options()
///     .max_bytes(64 << 20)
///     .read(true)
///     .warn(|text| {
///         eprintln!("{text}");
///         warnings += 1;
///     })
///     .open("../../models/mamba-novels.gguf")?;
/// assert_eq!(model.layers(), 10);
/// # Ok::<(), krait::Error>(())
/// ```
#[derive(Default)]
#[must_use = "nothing is opened before open(), open_memory(), open_static() or create()"]
pub struct OpenOptions<'a> {
    max_bytes: u64,
    flags: i32,
    description: Option<String>,
    progress: Option<Box<Progress<'a>>>,
    warn: Option<Box<Warn<'a>>>,
}

impl<'a> OpenOptions<'a> {
    /// The most memory to allocate, read files included; 0: no limit.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Read the file instead of mapping it: for untrusted or changing files, and for hard real time.  A mapped
    /// file that another process shortens ends this one.
    pub fn read(self, on: bool) -> Self {
        self.flag(sys::KRAIT_OPEN_READ, on)
    }

    /// Read every weight now and refuse NaN and infinity.
    pub fn check(self, on: bool) -> Self {
        self.flag(sys::KRAIT_OPEN_CHECK, on)
    }

    /// Plain C kernels: the same bits, slower.
    pub fn plain(self, on: bool) -> Self {
        self.flag(sys::KRAIT_OPEN_PLAIN, on)
    }

    /// `KRAIT_OPEN_FAST`: may trade bits for speed.
    pub fn fast(self, on: bool) -> Self {
        self.flag(sys::KRAIT_OPEN_FAST, on)
    }

    /// JSON that replaces the file's own description.
    pub fn description(mut self, json: impl Into<String>) -> Self {
        self.description = Some(json.into());
        self
    }

    /// Called with bytes of weights done and in all; false cancels ([`Status::Cancelled`](crate::Status)).
    pub fn progress(mut self, function: impl FnMut(u64, u64) -> bool + 'a) -> Self {
        self.progress = Some(Box::new(function));
        self
    }

    /// Told about every field of a foreign file that was ignored.
    pub fn warn(mut self, function: impl FnMut(&str) + 'a) -> Self {
        self.warn = Some(Box::new(function));
        self
    }

    fn flag(mut self, flag: i32, on: bool) -> Self {
        self.flags = if on { self.flags | flag } else { self.flags & !flag };
        self
    }

    /// Open a .gguf or .safetensors file, or a folder with config.json and model.safetensors.
    pub fn open(self, path: impl AsRef<Path>) -> Result<Model> {
        let path = c_path(path.as_ref())?;
        self.call(0, |model, options, message| {
            // SAFETY: all pointers live during the call.
            unsafe { sys::krait_model_open(model, path.as_ptr(), options, message) }
        })
    }

    /// The same from the bytes of such a file, which are copied.
    pub fn open_memory(self, bytes: &[u8]) -> Result<Model> {
        self.call(0, |model, options, message| {
            // SAFETY: as above; without BORROW the bytes are read during the call only.
            unsafe {
                sys::krait_model_open_memory(
                    model,
                    bytes.as_ptr().cast(),
                    bytes.len(),
                    options,
                    message,
                )
            }
        })
    }

    /// The same from bytes that stay: they must be aligned to 64, and a GGUF in panel layout is used in place.
    pub fn open_static(self, bytes: &'static [u8]) -> Result<Model> {
        self.call(sys::KRAIT_OPEN_BORROW, |model, options, message| {
            // SAFETY: 'static bytes outlive the model and nobody writes to them.
            unsafe {
                sys::krait_model_open_memory(
                    model,
                    bytes.as_ptr().cast(),
                    bytes.len(),
                    options,
                    message,
                )
            }
        })
    }

    /// A model of a description (JSON) and tensors, which are copied.
    pub fn create(self, description: &str, tensors: &[Tensor<'_>]) -> Result<Model> {
        let description = c_text(description)?;
        let names: Vec<CString> = tensors.iter().map(|t| c_text(t.name)).collect::<Result<_>>()?;
        let raw: Vec<sys::krait_tensor> = tensors
            .iter()
            .zip(&names)
            .map(|(tensor, name)| tensor.raw(name))
            .collect::<Result<_>>()?;
        self.call(0, |model, options, message| {
            // SAFETY: the arrays live during the call and krait copies what they hold.
            unsafe {
                sys::krait_model_create(
                    model,
                    description.as_ptr(),
                    raw.as_ptr(),
                    raw.len(),
                    options,
                    message,
                )
            }
        })
    }

    fn call(
        mut self,
        more_flags: i32,
        open: impl FnOnce(
            *mut *mut sys::krait_model,
            *const sys::krait_open_options,
            *mut sys::krait_message,
        ) -> sys::krait_status,
    ) -> Result<Model> {
        check_library()?;
        let description = self.description.as_deref().map(c_text).transpose()?;
        let mut hooks = Hooks::new(self.progress.as_deref_mut(), self.warn.as_deref_mut());
        let mut options = sys::krait_open_options {
            max_bytes: self.max_bytes,
            description: description.as_ref().map_or(ptr::null(), |text| text.as_ptr()),
            flags: self.flags | more_flags,
            progress: hooks.progress(),
            warn: hooks.warn(),
            ..Default::default()
        };
        options.progress_user = hooks.user();
        options.warn_user = options.progress_user;
        let mut model = ptr::null_mut();
        let mut message = sys::krait_message::default();
        let status = open(&mut model, &options, &mut message);
        hooks.finish();
        check_with(status, &message)?;
        // SAFETY: just opened, and nobody else has it.
        unsafe { Model::take(model) }
    }
}

/// Layouts of structs may differ in a library of another ABI, which a linker does not see.
fn check_library() -> Result<()> {
    // SAFETY: takes nothing.
    let abi = unsafe { sys::krait_abi() };
    if abi == sys::KRAIT_ABI {
        return Ok(());
    }
    Err(Error::build(format!(
        "the library has ABI {abi}, this program was made for {}",
        sys::KRAIT_ABI
    )))
}

pub(crate) fn c_text(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::argument("a text with a zero byte in it"))
}

pub(crate) fn c_path(path: &Path) -> Result<CString> {
    #[cfg(unix)]
    let bytes = std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()).to_vec();
    #[cfg(not(unix))]
    let bytes = path.to_str().ok_or_else(|| Error::argument("a path that is no UTF-8"))?.into();
    CString::new(bytes).map_err(|_| Error::argument("a path with a zero byte in it"))
}

/// A named array for [`OpenOptions::create`], slowest dimension first, as PyTorch prints shapes.
pub struct Tensor<'a> {
    name: &'a str,
    shape: &'a [usize],
    kind: i32,
    data: Cow<'a, [u8]>,
}

impl<'a> Tensor<'a> {
    /// Of 32-bit floats.
    pub fn new(name: &'a str, shape: &'a [usize], values: &'a [f32]) -> Self {
        let data = if cfg!(target_endian = "little") {
            // SAFETY: every byte of a float is a byte.
            Cow::Borrowed(unsafe {
                std::slice::from_raw_parts(values.as_ptr().cast(), std::mem::size_of_val(values))
            })
        } else {
            Cow::Owned(values.iter().flat_map(|value| value.to_le_bytes()).collect())
        };
        Tensor { name, shape, kind: sys::KRAIT_F32, data }
    }

    /// Of little-endian bytes of one of krait.h's types, `krait::sys::KRAIT_F16` for example.
    pub fn of_bytes(name: &'a str, shape: &'a [usize], kind: i32, bytes: &'a [u8]) -> Self {
        Tensor { name, shape, kind, data: Cow::Borrowed(bytes) }
    }

    fn raw(&self, name: &CString) -> Result<sys::krait_tensor> {
        let mut raw = sys::krait_tensor {
            name: name.as_ptr(),
            data: self.data.as_ptr().cast(),
            bytes: self.data.len() as u64,
            dimensions: self.shape.len() as i32,
            r#type: self.kind,
            ..Default::default()
        };
        if self.shape.len() > raw.shape.len() {
            return Err(Error::argument(format!("{}: more than 4 dimensions", self.name)));
        }
        for (to, from) in raw.shape.iter_mut().zip(self.shape) {
            *to = *from as u64;
        }
        Ok(raw)
    }
}
