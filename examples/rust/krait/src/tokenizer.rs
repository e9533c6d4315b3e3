//! Text to token ids and back.

use std::ffi::c_char;
use std::path::Path;
use std::ptr;
use std::sync::Arc;

use crate::error::{check, check_with};
use crate::open::c_path;
use crate::{sys, Model, Result};

/// A vocabulary, a model's own or opened by itself.  It never changes: any number of threads may use it.
///
/// ```
/// let model = krait::Model::open("../../models/mamba-novels.gguf")?;
/// let tokenizer = model.tokenizer().unwrap();
/// let tokens = tokenizer.encode("caf\u{e9}")?;
/// assert_eq!(tokens, [99, 97, 102, 0xc3, 0xa9]); // of bytes
/// assert_eq!(tokenizer.decode(&tokens)?, "caf\u{e9}".as_bytes());
///
/// let mut decoder = tokenizer.decoder(); // whole characters, as the tokens come
/// let pieces: Vec<String> =
///     tokens.iter().map(|token| decoder.push(*token)).collect::<Result<_, _>>()?;
/// assert_eq!(pieces, ["c", "a", "f", "", "\u{e9}"]);
/// # Ok::<(), krait::Error>(())
/// ```
#[derive(Clone)]
pub struct Tokenizer {
    owner: Arc<Owner>,
    handle: *const sys::krait_tokenizer,
    flags: i32,
}

// SAFETY: krait.h: read-only once made, any number of threads use it; the owner keeps the handle alive.
unsafe impl Send for Tokenizer {}
unsafe impl Sync for Tokenizer {}

/// Who gives the handle back; a model keeps its own.
enum Owner {
    Opened(*mut sys::krait_tokenizer),
    Model { _model: Model },
}

// SAFETY: as above.
unsafe impl Send for Owner {}
unsafe impl Sync for Owner {}

impl Drop for Owner {
    fn drop(&mut self) {
        if let Owner::Opened(handle) = self {
            // SAFETY: opened by krait_tokenizer_open...() and the last to be used.
            unsafe { sys::krait_tokenizer_close(*handle) }
        }
    }
}

/// One token of a vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'t> {
    /// Maybe part of a character, or none.
    pub bytes: &'t [u8],
    /// krait.h's `KRAIT_TOKEN_...`, or'ed.
    pub flags: i32,
}

impl Tokenizer {
    /// A tokenizer.json, a folder that holds one, or a .gguf with a vocabulary.
    pub fn open(path: impl AsRef<Path>) -> Result<Tokenizer> {
        let path = c_path(path.as_ref())?;
        Tokenizer::opened(|handle, message| {
            // SAFETY: all pointers live during the call.
            unsafe { sys::krait_tokenizer_open(handle, path.as_ptr(), ptr::null(), message) }
        })
    }

    /// The same from the bytes of such a file.
    pub fn open_memory(bytes: &[u8]) -> Result<Tokenizer> {
        Tokenizer::opened(|handle, message| {
            // SAFETY: as above; the bytes are read during the call only.
            unsafe {
                let at = bytes.as_ptr().cast();
                sys::krait_tokenizer_open_memory(handle, at, bytes.len(), ptr::null(), message)
            }
        })
    }

    fn opened(
        open: impl FnOnce(*mut *mut sys::krait_tokenizer, *mut sys::krait_message) -> i32,
    ) -> Result<Tokenizer> {
        let mut handle = ptr::null_mut();
        let mut message = sys::krait_message::default();
        let status = open(&mut handle, &mut message);
        check_with(status, &message)?;
        Ok(Tokenizer { owner: Arc::new(Owner::Opened(handle)), handle, flags: 0 })
    }

    pub(crate) fn of_model(model: &Model) -> Option<Tokenizer> {
        // SAFETY: owned by the model, which the owner keeps.
        let handle = unsafe { sys::krait_model_tokenizer(model.handle()) };
        let owner = Arc::new(Owner::Model { _model: model.clone() });
        (!handle.is_null()).then_some(Tokenizer { owner, handle, flags: 0 })
    }

    /// Another handle with krait.h's `KRAIT_TEXT_...` or'ed, which its encoding and decoding are done with.
    pub fn with_flags(&self, flags: i32) -> Tokenizer {
        Tokenizer { owner: Arc::clone(&self.owner), handle: self.handle, flags }
    }

    /// A number by one of krait.h's keys, `krait::sys::KRAIT_TOKENIZER_BEGIN` for example.
    pub fn get(&self, key: i32) -> Result<i64> {
        let mut value = 0;
        // SAFETY: reads the tokenizer.
        check(unsafe { sys::krait_tokenizer_get(self.handle, key, &mut value) })?;
        Ok(value)
    }

    /// Ids are below this; some between may have no token.
    pub fn count(&self) -> usize {
        self.get(sys::KRAIT_TOKENIZER_COUNT).unwrap_or(0) as usize
    }

    /// Token ids of a text, which may hold any bytes.
    pub fn encode(&self, text: impl AsRef<[u8]>) -> Result<Vec<i32>> {
        let text = text.as_ref();
        // Few vocabularies make more tokens than bytes, and those are asked again.
        let mut tokens = vec![0; text.len() + 2];
        loop {
            let mut count = 0;
            // SAFETY: as much room as is told.
            let status = unsafe {
                let at = text.as_ptr().cast();
                let room = tokens.len();
                sys::krait_tokenizer_encode(
                    self.handle,
                    at,
                    text.len(),
                    self.flags,
                    tokens.as_mut_ptr(),
                    room,
                    &mut count,
                )
            };
            if status != sys::KRAIT_ERR_SPACE || count <= tokens.len() {
                check(status)?;
                tokens.truncate(count);
                return Ok(tokens);
            }
            tokens.resize(count, 0);
        }
    }

    /// The text of tokens, as bytes: they may be no UTF-8.
    pub fn decode(&self, tokens: &[i32]) -> Result<Vec<u8>> {
        let (flags, at) = (self.flags & !sys::KRAIT_TEXT_AROUND, tokens.as_ptr());
        let mut text = vec![0u8; tokens.len() * 8];
        loop {
            let mut count = 0;
            // SAFETY: as much room as is told.
            let status = unsafe {
                let to = text.as_mut_ptr().cast::<c_char>();
                sys::krait_tokenizer_decode(
                    self.handle,
                    at,
                    tokens.len(),
                    flags,
                    to,
                    text.len(),
                    &mut count,
                )
            };
            if status != sys::KRAIT_ERR_SPACE || count <= text.len() {
                check(status)?;
                text.truncate(count);
                return Ok(text);
            }
            text.resize(count, 0);
        }
    }

    /// One token.
    pub fn token(&self, id: i32) -> Result<Token<'_>> {
        let mut raw = sys::krait_token_info::default();
        // SAFETY: the bytes are the tokenizer's.
        unsafe {
            check(sys::krait_tokenizer_token(self.handle, id, &mut raw))?;
            let bytes = match raw.bytes.is_null() {
                true => &[],
                false => std::slice::from_raw_parts(raw.bytes.cast(), raw.count),
            };
            Ok(Token { bytes, flags: raw.flags })
        }
    }

    /// Decodes one token after another.
    pub fn decoder(&self) -> Decoder {
        Decoder { tokenizer: self.clone(), raw: Default::default(), text: Vec::new() }
    }
}

/// Tokens become whole characters as they come; at most 3 bytes are held back.
#[derive(Clone)]
pub struct Decoder {
    tokenizer: Tokenizer,
    raw: sys::krait_decoder,
    text: Vec<u8>,
}

impl Decoder {
    /// The text that became whole by this token, maybe none.  What is no UTF-8 is U+FFFD.
    pub fn push(&mut self, token: i32) -> Result<String> {
        Ok(String::from_utf8_lossy(self.push_bytes(token)?).into_owned())
    }

    /// The same as the bytes that they are.
    pub fn push_bytes(&mut self, token: i32) -> Result<&[u8]> {
        let flags = self.tokenizer.flags & !sys::KRAIT_TEXT_AROUND;
        let mut count = 0;
        loop {
            // SAFETY: as much room as is told; too little changes nothing.
            let status = unsafe {
                let (to, room) = (self.text.as_mut_ptr().cast::<c_char>(), self.text.len());
                let handle = self.tokenizer.handle;
                sys::krait_tokenizer_next(handle, &mut self.raw, token, flags, to, room, &mut count)
            };
            if status != sys::KRAIT_ERR_SPACE || count <= self.text.len() {
                check(status)?;
                return Ok(&self.text[..count]);
            }
            self.text.resize(count + 16, 0);
        }
    }

    /// Nothing follows: what is held back comes out as it is.
    pub fn finish(&mut self) -> Result<String> {
        self.push(-1)
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer").field("count", &self.count()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").field("tokenizer", &self.tokenizer).finish_non_exhaustive()
    }
}
