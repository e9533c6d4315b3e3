//! A model: weights and what is to be done with them.

use std::ffi::{c_void, CStr};
use std::path::Path;
use std::sync::Arc;

use crate::error::check;
use crate::open::c_text;
use crate::{sys, OpenOptions, Result, State, StateOptions, Tokenizer};

/// An opened model.  It never changes: any number of threads may use it at once, and `clone()` is another handle to
/// the same one.  It is closed when the last handle and the last [`State`] made of it are gone.
///
/// ```
/// let model = krait::Model::open("../../models/mamba-novels.gguf")?;
/// assert_eq!((model.vocabulary(), model.out_width()), (256, 256));
/// assert!(model.can_step() && model.takes_tokens());
/// let tokens = model.encode("dark")?;
/// assert_eq!(tokens.len(), 4); // a model of bytes
/// # Ok::<(), krait::Error>(())
/// ```
#[derive(Clone)]
pub struct Model {
    inner: Arc<Inner>,
}

struct Inner {
    handle: *mut sys::krait_model,
    in_width: usize,
    out_width: usize,
}

// SAFETY: krait.h: a krait_model is read-only once made, any number of threads may use it at once; and it may be
// closed on any thread once no call uses it, which the Arc sees to.
unsafe impl Send for Inner {}
unsafe impl Sync for Inner {}

impl Drop for Inner {
    fn drop(&mut self) {
        // SAFETY: the last handle goes, so no call is using the model.
        unsafe { sys::krait_model_close(self.handle) }
    }
}

/// A named array of a model's file.
#[derive(Clone, Copy, Debug)]
pub struct TensorInfo<'m> {
    /// As the file has it.
    pub name: &'m str,
    /// One of krait.h's `KRAIT_F32`, ...; others are listed, not computed with.
    pub kind: i32,
    shape: [u64; 4],
    dimensions: usize,
    /// Little-endian; `None` where only a prepared form is kept.
    pub data: Option<&'m [u8]>,
}

impl TensorInfo<'_> {
    /// Slowest dimension first; empty for one number.
    pub fn shape(&self) -> &[u64] {
        &self.shape[..self.dimensions]
    }
}

/// What a [`Slot`] is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotKind {
    /// An order that [`Input::order`](crate::Input::order) must bring.
    Order,
    /// Rows that [`Input::keep`](crate::Input::keep) may ask for.
    Rows,
    /// Rows that only the model itself uses.
    Inner,
}

/// Something that the model knows by a name besides its input and output.
#[derive(Clone, Copy, Debug)]
pub struct Slot<'m> {
    /// By which it is asked for.
    pub name: &'m str,
    /// What it is for.
    pub kind: SlotKind,
    /// Floats of a step; of an order: numbers of a step.
    pub width: usize,
}

/// A named piece of what one lane remembers: [`State::read_part`], [`State::write_part`].
#[derive(Clone, Debug)]
pub struct Part<'m> {
    pub(crate) index: usize,
    /// `layers.3.mixer.ssm`
    pub name: &'m str,
    /// Without lanes.
    pub shape: Vec<usize>,
}

impl Part<'_> {
    /// How many numbers it has.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }
}

/// A text of the model's; "" stands for what is no UTF-8, which krait refuses when it opens a file.
unsafe fn text_of<'m>(text: *const std::ffi::c_char) -> Option<&'m str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller says that it lives for 'm; C terminates it.
    Some(unsafe { CStr::from_ptr(text) }.to_str().unwrap_or(""))
}

impl Model {
    /// Open a .gguf or .safetensors file, or a folder, with krait's defaults.
    pub fn open(path: impl AsRef<Path>) -> Result<Model> {
        Model::options().open(path)
    }

    /// How to open, if not with the defaults.
    pub fn options<'a>() -> OpenOptions<'a> {
        OpenOptions::default()
    }

    /// Owns the handle from now on, whatever is returned.
    pub(crate) unsafe fn take(handle: *mut sys::krait_model) -> Result<Model> {
        let mut inner = Inner { handle, in_width: 0, out_width: 0 };
        inner.in_width = inner.get(sys::KRAIT_IN_WIDTH)? as usize;
        inner.out_width = inner.get(sys::KRAIT_OUT_WIDTH)? as usize;
        Ok(Model { inner: Arc::new(inner) })
    }

    pub(crate) fn handle(&self) -> *const sys::krait_model {
        self.inner.handle
    }

    /// The model of [`sys`](crate::sys), for calls that are not here; it lives as long as a handle does.
    pub fn as_ptr(&self) -> *const sys::krait_model {
        self.handle()
    }

    /// A number by one of krait.h's keys, `krait::sys::KRAIT_GRID_ROWS` for example.
    pub fn get(&self, key: i32) -> Result<i64> {
        self.inner.get(key)
    }

    /// Floats of one row of features; of all cells, if it is a grid.
    pub fn in_width(&self) -> usize {
        self.inner.in_width
    }

    /// Floats of one row of output.
    pub fn out_width(&self) -> usize {
        self.inner.out_width
    }

    /// Token ids are below this; 0: takes no tokens.
    pub fn vocabulary(&self) -> usize {
        self.number(sys::KRAIT_VOCABULARY) as usize
    }

    /// Layers that remember something.
    pub fn layers(&self) -> usize {
        self.number(sys::KRAIT_LAYERS) as usize
    }

    /// Numbers in the weights; shared ones count once.
    pub fn parameters(&self) -> u64 {
        self.number(sys::KRAIT_PARAMETERS) as u64
    }

    /// Of the weights as they are held.
    pub fn weight_bytes(&self) -> u64 {
        self.number(sys::KRAIT_WEIGHT_BYTES) as u64
    }

    /// False: every run is given a whole sequence.
    pub fn can_step(&self) -> bool {
        self.number(sys::KRAIT_CAN_STEP) != 0
    }

    /// Some layer uses the time between rows: [`Input::dt`](crate::Input::dt).
    pub fn uses_dt(&self) -> bool {
        self.number(sys::KRAIT_USES_DT) != 0
    }

    /// Tokens may be given instead of features.
    pub fn takes_tokens(&self) -> bool {
        self.number(sys::KRAIT_TAKES_TOKENS) != 0
    }

    /// The id that ends a text, if the model names one.
    pub fn end_token(&self) -> Option<i32> {
        i32::try_from(self.number(sys::KRAIT_END_TOKEN)).ok().filter(|id| *id >= 0)
    }

    fn number(&self, key: i32) -> i64 {
        self.get(key).unwrap_or(0)
    }

    /// The metadata under `key`; under "krait.description" the tree as JSON, under "krait.kernels" the kernels in use.
    pub fn text(&self, key: &str) -> Option<&str> {
        let key = c_text(key).ok()?;
        // SAFETY: the text is owned by the model.
        unsafe { text_of(sys::krait_model_text(self.handle(), key.as_ptr())) }
    }

    /// The keys of the metadata.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        // SAFETY: the keys are owned by the model; NULL past the last.
        (0..).map_while(|i| unsafe { text_of(sys::krait_model_key(self.handle(), i)) })
    }

    /// The tensors of the file, in its order.
    ///
    /// ```
    /// let model = krait::Model::open("../../models/mamba-novels.gguf")?;
    /// let tensor = model.tensors().find(|t| t.name == "token_embd.weight").unwrap();
    /// assert_eq!(tensor.shape(), [256, 256]);
    /// # Ok::<(), krait::Error>(())
    /// ```
    pub fn tensors(&self) -> impl Iterator<Item = TensorInfo<'_>> {
        (0..).map_while(|i| {
            let mut raw = sys::krait_tensor::default();
            // SAFETY: name and data are owned by the model.
            unsafe {
                check(sys::krait_model_tensor(self.handle(), i, &mut raw)).ok()?;
                let data = raw.data.cast::<u8>();
                Some(TensorInfo {
                    name: text_of(raw.name).unwrap_or(""),
                    kind: raw.r#type,
                    shape: raw.shape,
                    dimensions: raw.dimensions.clamp(0, 4) as usize,
                    data: (!data.is_null())
                        .then(|| std::slice::from_raw_parts(data, raw.bytes as usize)),
                })
            }
        })
    }

    /// Orders and rows that the model knows by name.
    pub fn slots(&self) -> impl Iterator<Item = Slot<'_>> {
        (0..).map_while(|i| {
            let mut raw = sys::krait_slot_info::default();
            // SAFETY: the name is owned by the model.
            unsafe {
                check(sys::krait_model_slot(self.handle(), i, &mut raw)).ok()?;
                let kind = match raw.kind {
                    sys::KRAIT_SLOT_ORDER => SlotKind::Order,
                    sys::KRAIT_SLOT_ROWS => SlotKind::Rows,
                    _ => SlotKind::Inner,
                };
                Some(Slot { name: text_of(raw.name).unwrap_or(""), kind, width: raw.width })
            }
        })
    }

    /// The named pieces of what a lane remembers.
    ///
    /// ```
    /// let model = krait::Model::open("../../models/mamba-novels.gguf")?;
    /// let part = model.parts().find(|part| part.name.ends_with("3.mixer.ssm")).unwrap();
    /// let mut state = model.state()?;
    /// state.step(&[104], &mut [])?;
    /// let numbers = state.read_part(&part, 0)?;
    /// assert_eq!((part.shape.as_slice(), numbers.len()), ([512, 16].as_slice(), 8192));
    /// assert!(numbers.iter().any(|number| *number != 0.0));
    /// state.write_part(&part, 0, &vec![0.0; part.count()])?;
    /// # Ok::<(), krait::Error>(())
    /// ```
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        (0..).map_while(|index| {
            let mut raw = sys::krait_part::default();
            // SAFETY: the name is owned by the model.
            unsafe {
                check(sys::krait_part_info(self.handle(), index, &mut raw)).ok()?;
                let dimensions = raw.dimensions.clamp(0, 4) as usize;
                let shape = raw.shape[..dimensions].iter().map(|size| *size as usize).collect();
                Some(Part { index, name: text_of(raw.name).unwrap_or(""), shape })
            }
        })
    }

    /// A number of the tree and the tensors' names, shapes and types: the same from safetensors and from GGUF.
    pub fn id(&self) -> u64 {
        // SAFETY: reads the model.
        unsafe { sys::krait_model_id(self.handle()) }
    }

    /// Of every weight too: reads the whole model.
    pub fn hash(&self) -> Result<u64> {
        let mut hash = 0;
        // SAFETY: reads the model.
        check(unsafe { sys::krait_model_hash(self.handle(), &mut hash) })?;
        Ok(hash)
    }

    /// The model's own vocabulary, if it came with one that krait knows.
    pub fn tokenizer(&self) -> Option<Tokenizer> {
        Tokenizer::of_model(self)
    }

    /// Text to token ids with the model's own vocabulary.
    pub fn encode(&self, text: impl AsRef<[u8]>) -> Result<Vec<i32>> {
        match self.tokenizer() {
            Some(tokenizer) => tokenizer.encode(text),
            None => Err(check(sys::KRAIT_ERR_UNSUPPORTED).unwrap_err()),
        }
    }

    /// A fresh state of one lane.
    pub fn state(&self) -> Result<State> {
        self.state_with(&StateOptions::default())
    }

    /// A fresh state of several lanes, or with room for more rows or tasks at once.
    pub fn state_with(&self, options: &StateOptions) -> Result<State> {
        State::new(self, options)
    }

    /// The two are one model, opened once or twice: a state of one may be used with the other.
    pub fn same_as(&self, other: &Model) -> bool {
        self.id() == other.id()
    }
}

impl Inner {
    fn get(&self, key: i32) -> Result<i64> {
        let mut value = 0;
        // SAFETY: reads the model.
        check(unsafe { sys::krait_model_get(self.handle, key, &mut value) })?;
        Ok(value)
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("at", &self.handle().cast::<c_void>()).finish_non_exhaustive()
    }
}
