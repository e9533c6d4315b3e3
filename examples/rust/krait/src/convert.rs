//! Writing GGUF files.

use std::path::Path;
use std::ptr;

use crate::error::check_with;
use crate::hooks::{Hooks, Progress, Warn};
use crate::open::{c_path, c_text};
use crate::{sys, Result};

/// How matrices lie in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// For any reader of GGUF.
    #[default]
    Rows,
    /// krait maps it in place.
    Panels,
}

/// What [`convert`] writes; float32 in rows unless told otherwise.
#[derive(Default)]
pub struct ConvertOptions<'a> {
    max_bytes: u64,
    kind: i32,
    layout: Layout,
    description: Option<String>,
    progress: Option<Box<Progress<'a>>>,
    warn: Option<Box<Warn<'a>>>,
}

impl<'a> ConvertOptions<'a> {
    /// The most memory to allocate; 0: no limit.
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// The type of the large matrices: `krait::sys::KRAIT_Q8_0` for example.
    pub fn kind(mut self, kind: i32) -> Self {
        self.kind = kind;
        self
    }

    /// How they lie in the file.
    pub fn layout(mut self, layout: Layout) -> Self {
        self.layout = layout;
        self
    }

    /// JSON that replaces the file's own description.
    pub fn description(mut self, json: impl Into<String>) -> Self {
        self.description = Some(json.into());
        self
    }

    /// Called with bytes written and in all; false cancels, and no half file is left.
    pub fn progress(mut self, function: impl FnMut(u64, u64) -> bool + 'a) -> Self {
        self.progress = Some(Box::new(function));
        self
    }

    /// Told about every field that was ignored.
    pub fn warn(mut self, function: impl FnMut(&str) + 'a) -> Self {
        self.warn = Some(Box::new(function));
        self
    }
}

/// Reads what [`Model::open`](crate::Model::open) reads and writes a GGUF.
///
/// ```
/// use krait::{convert, ConvertOptions, Layout, Model};
/// let to = std::env::temp_dir().join(format!("krait-doc-{}.gguf", std::process::id()));
/// convert("../../models/mamba-novels.gguf", &to, ConvertOptions::default().kind(8).layout(Layout::Panels))?;
/// let (one, other) = (Model::open("../../models/mamba-novels.gguf")?, Model::open(&to)?);
/// assert_eq!(one.hash()?, other.hash()?);
/// std::fs::remove_file(&to).unwrap();
/// # Ok::<(), krait::Error>(())
/// ```
pub fn convert(
    from: impl AsRef<Path>,
    to: impl AsRef<Path>,
    mut options: ConvertOptions<'_>,
) -> Result<()> {
    let (from, to) = (c_path(from.as_ref())?, c_path(to.as_ref())?);
    let description = options.description.as_deref().map(c_text).transpose()?;
    let mut hooks = Hooks::new(options.progress.as_deref_mut(), options.warn.as_deref_mut());
    let mut raw = sys::krait_convert_options {
        max_bytes: options.max_bytes,
        progress: hooks.progress(),
        warn: hooks.warn(),
        description: description.as_ref().map_or(ptr::null(), |text| text.as_ptr()),
        r#type: options.kind,
        layout: match options.layout {
            Layout::Rows => sys::KRAIT_LAYOUT_ROWS,
            Layout::Panels => sys::KRAIT_LAYOUT_PANELS,
        },
        ..Default::default()
    };
    raw.progress_user = hooks.user();
    raw.warn_user = raw.progress_user;
    let mut message = sys::krait_message::default();
    // SAFETY: all pointers live during the call.
    let status = unsafe { sys::krait_convert(from.as_ptr(), to.as_ptr(), &raw, &mut message) };
    hooks.finish();
    check_with(status, &message)
}
