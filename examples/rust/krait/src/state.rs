//! What streams remember.

use std::ptr;

use crate::error::{check, check_with};
use crate::{sys, Error, Model, Part, Result};

/// How a state is laid out.  Only `lanes` and `context` decide what it holds; the rest sizes scratch.
///
/// ```
/// use krait::StateOptions;
/// let model = krait::Model::open("../../models/s5-har.safetensors")?;
/// let state = model.state_with(&StateOptions::default().lanes(8).chunk(64))?;
/// assert_eq!(state.lanes(), 8);
/// # Ok::<(), krait::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateOptions {
    lanes: u32,
    chunk: u32,
    tasks: u32,
    context: u32,
    max_steps: u32,
}

impl StateOptions {
    /// Independent streams; 1 unless given.
    pub fn lanes(mut self, lanes: u32) -> Self {
        self.lanes = lanes;
        self
    }

    /// Rows of a lane at a time in [`State::run`]; 1 unless given.
    pub fn chunk(mut self, rows: u32) -> Self {
        self.chunk = rows;
        self
    }

    /// The most tasks at once, see [`Input::parallel`](crate::Input::parallel); 1 unless given.
    pub fn tasks(mut self, tasks: u32) -> Self {
        self.tasks = tasks;
        self
    }

    /// Rows that attention layers keep.
    pub fn context(mut self, rows: u32) -> Self {
        self.context = rows;
        self
    }

    /// The longest sequence of a model of whole sequences.
    pub fn max_steps(mut self, rows: u32) -> Self {
        self.max_steps = rows;
        self
    }

    fn raw(&self) -> sys::krait_state_options {
        sys::krait_state_options {
            lanes: self.lanes,
            chunk: self.chunk,
            tasks: self.tasks,
            context: self.context,
            max_steps: self.max_steps,
            ..Default::default()
        }
    }
}

/// One lane of a state by its number, or all of them; a number may be given as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Every lane.
    All,
    /// This one, from 0.
    At(u32),
}

impl From<u32> for Lane {
    fn from(lane: u32) -> Self {
        Lane::At(lane)
    }
}

impl Lane {
    fn raw(self) -> Result<i32> {
        match self {
            Lane::All => Ok(sys::KRAIT_ALL_LANES),
            Lane::At(lane) => {
                i32::try_from(lane).map_err(|_| Error::argument("there is no such lane"))
            }
        }
    }
}

/// What [`State::step`] takes a row of: `f32` features or `i32` tokens.
pub trait Step: sealed::Step {}
impl Step for f32 {}
impl Step for i32 {}

mod sealed {
    use crate::{sys, Model};

    pub trait Step: Copy {
        /// Numbers of one lane's row.
        fn width(model: &Model) -> usize;
        /// # Safety
        /// `row` has width() numbers a lane, `out` is NULL or has room for out_width() a lane.
        unsafe fn step(
            model: *const sys::krait_model,
            state: *mut sys::krait_state,
            row: *const Self,
            out: *mut f32,
        ) -> i32;
    }

    impl Step for f32 {
        fn width(model: &Model) -> usize {
            model.in_width()
        }
        unsafe fn step(
            model: *const sys::krait_model,
            state: *mut sys::krait_state,
            row: *const f32,
            out: *mut f32,
        ) -> i32 {
            sys::krait_step(model, state, row, out)
        }
    }

    impl Step for i32 {
        fn width(_: &Model) -> usize {
            1
        }
        unsafe fn step(
            model: *const sys::krait_model,
            state: *mut sys::krait_state,
            row: *const i32,
            out: *mut f32,
        ) -> i32 {
            sys::krait_step_tokens(model, state, row, out)
        }
    }
}

/// What one or several streams remember, and the model that they run through, which lives as long.  It may move to
/// another thread; one at a time uses it.
///
/// Copies, snapshots and saved forms:
///
/// ```
/// let model = krait::Model::open("../../models/mamba-novels.gguf")?;
/// let mut state = model.state()?;
/// for token in model.encode("It was ")? {
///     state.step(&[token], &mut [])?;
/// }
/// let mut other = state.fork()?; // goes its own way from here
/// let snapshot = state.bytes().to_vec();
/// let (mut a, mut b) = (vec![0.0; 256], vec![0.0; 256]);
/// state.step(&[b'a' as i32], &mut a)?;
/// other.step(&[b'b' as i32], &mut b)?;
/// assert_ne!(a, b);
///
/// state.bytes_mut().copy_from_slice(&snapshot); // as if nothing had been read
/// state.step(&[b'b' as i32], &mut a)?;
/// assert_eq!(a, b);
/// assert_eq!(state.hash(0)?, other.hash(0)?);
///
/// let saved = state.save(0)?; // portable, checked: for files and other machines
/// other.reset(0)?;
/// other.load(0, &saved)?;
/// assert_eq!(state.hash(0)?, other.hash(0)?);
/// # Ok::<(), krait::Error>(())
/// ```
pub struct State {
    handle: *mut sys::krait_state,
    model: Model,
    options: StateOptions,
}

// SAFETY: krait.h: a state is one block without pointers, used by one call at a time on whatever thread; calls that
// only read it count as uses, so it is not Sync.
unsafe impl Send for State {}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: made by krait_state_create() without an allocator.
        unsafe { sys::krait_state_destroy(self.handle, ptr::null()) }
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut all = f.debug_struct("State");
        all.field("options", &self.options).field("model", &self.model).finish_non_exhaustive()
    }
}

impl State {
    pub(crate) fn new(model: &Model, options: &StateOptions) -> Result<State> {
        let mut handle = ptr::null_mut();
        let raw = options.raw();
        // SAFETY: the pointers live during the call; no allocator is malloc.
        check(unsafe { sys::krait_state_create(&mut handle, model.handle(), &raw, ptr::null()) })?;
        Ok(State { handle, model: model.clone(), options: *options })
    }

    pub(crate) fn handle(&mut self) -> *mut sys::krait_state {
        self.handle
    }

    /// The state of [`sys`](crate::sys), for calls that are not here; it stays this one's to destroy.
    pub fn as_mut_ptr(&mut self) -> *mut sys::krait_state {
        self.handle
    }

    /// Independent streams.
    pub fn lanes(&self) -> usize {
        self.options.lanes.max(1) as usize
    }

    /// The model that it runs through.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Run through another opened model of the same id from now on.
    pub fn set_model(&mut self, model: &Model) -> Result<()> {
        if !self.model.same_as(model) {
            return check(sys::KRAIT_ERR_MODEL);
        }
        self.model = model.clone();
        Ok(())
    }

    /// Another state that remembers the same.
    pub fn fork(&self) -> Result<State> {
        let mut copy = State::new(&self.model, &self.options)?;
        copy.copy_from(self)?;
        Ok(copy)
    }

    /// Remember what `other` does; it has as many lanes.
    pub fn copy_from(&mut self, other: &State) -> Result<()> {
        self.copy_lane(Lane::All, other, Lane::All)
    }

    /// One lane of `other` becomes one of these.
    pub fn copy_lane(
        &mut self,
        to: impl Into<Lane>,
        other: &State,
        from: impl Into<Lane>,
    ) -> Result<()> {
        let (to, from) = (to.into().raw()?, from.into().raw()?);
        // SAFETY: both states are live, and `other` is another one.
        check(unsafe {
            sys::krait_state_copy(self.model.handle(), self.handle, to, other.handle, from)
        })
    }

    /// One lane becomes another of the same state.
    pub fn copy_within(&mut self, to: u32, from: u32) -> Result<()> {
        let (to, from) = (Lane::At(to).raw()?, Lane::At(from).raw()?);
        // SAFETY: the state is live, and krait moves what overlaps.
        check(unsafe {
            sys::krait_state_copy(self.model.handle(), self.handle, to, self.handle, from)
        })
    }

    /// Forget: the lane is as it was when made.
    pub fn reset(&mut self, lane: impl Into<Lane>) -> Result<()> {
        let lane = lane.into().raw()?;
        // SAFETY: the state is live.
        check(unsafe { sys::krait_state_reset(self.model.handle(), self.handle, lane) })
    }

    /// All that a snapshot needs, for this machine: copy it out, and in with [`bytes_mut`](State::bytes_mut).
    pub fn bytes(&self) -> &[u8] {
        let mut count = 0;
        // SAFETY: looks the block up and writes nothing; it lives as long as the state.
        unsafe {
            let data = sys::krait_state_data(self.handle, &mut count);
            std::slice::from_raw_parts(data.cast(), count)
        }
    }

    /// The same to be written: whatever is in it, calls stay safe.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let mut count = 0;
        // SAFETY: as above; nobody else has the state.
        unsafe {
            let data = sys::krait_state_data(self.handle, &mut count);
            std::slice::from_raw_parts_mut(data.cast(), count)
        }
    }

    /// Equal for equal states, on every machine.
    pub fn hash(&self, lane: impl Into<Lane>) -> Result<u64> {
        let (lane, mut hash) = (lane.into().raw()?, 0);
        // SAFETY: the state is live.
        check(unsafe { sys::krait_state_hash(self.model.handle(), self.handle, lane, &mut hash) })?;
        Ok(hash)
    }

    /// A portable form of one lane or all: versioned and checked.
    pub fn save(&self, lane: impl Into<Lane>) -> Result<Vec<u8>> {
        let lane = lane.into().raw()?;
        let (model, mut count) = (self.model.handle(), 0);
        // SAFETY: NULL asks for the size alone; then there is room for it.
        unsafe {
            check(sys::krait_state_save(model, self.handle, lane, ptr::null_mut(), 0, &mut count))?;
            let mut saved = vec![0u8; count];
            let to = saved.as_mut_ptr().cast();
            check(sys::krait_state_save(model, self.handle, lane, to, saved.len(), &mut count))?;
            Ok(saved)
        }
    }

    /// The reverse; if it fails the state is as it was.
    pub fn load(&mut self, lane: impl Into<Lane>, saved: &[u8]) -> Result<()> {
        let lane = lane.into().raw()?;
        let mut message = sys::krait_message::default();
        // SAFETY: krait checks every byte of what it is given.
        let status = unsafe {
            let from = saved.as_ptr().cast();
            sys::krait_state_load(
                self.model.handle(),
                self.handle,
                lane,
                from,
                saved.len(),
                &mut message,
            )
        };
        check_with(status, &message)
    }

    /// The numbers of one part of one lane.
    pub fn read_part(&self, part: &Part<'_>, lane: u32) -> Result<Vec<f32>> {
        let lane = Lane::At(lane).raw()?;
        let mut values = vec![0.0; part.count()];
        // SAFETY: krait compares the count with the part's.
        check(unsafe {
            sys::krait_part_read(
                self.model.handle(),
                self.handle,
                part.index,
                lane,
                values.as_mut_ptr(),
                values.len(),
            )
        })?;
        Ok(values)
    }

    /// Sets the numbers of one part of one lane.
    pub fn write_part(&mut self, part: &Part<'_>, lane: u32, values: &[f32]) -> Result<()> {
        let lane = Lane::At(lane).raw()?;
        // SAFETY: krait compares the count with the part's.
        check(unsafe {
            sys::krait_part_write(
                self.model.handle(),
                self.handle,
                part.index,
                lane,
                values.as_ptr(),
                values.len(),
            )
        })
    }

    /// One row for every lane: `row` is `[lanes][in_width]` of `f32`, or `[lanes]` tokens of `i32`.  `out` has
    /// `[lanes][out_width]` room, or none where no output is wanted.  Allocates nothing.
    pub fn step<R: Step>(&mut self, row: &[R], out: &mut [f32]) -> Result<()> {
        let lanes = self.lanes();
        if Some(row.len()) != lanes.checked_mul(R::width(&self.model)) {
            return Err(Error::argument(format!("a row of {} numbers", row.len())));
        }
        if !out.is_empty() && Some(out.len()) != lanes.checked_mul(self.model.out_width()) {
            return Err(Error::argument(format!("room for {} numbers of output", out.len())));
        }
        let to = if out.is_empty() { ptr::null_mut() } else { out.as_mut_ptr() };
        // SAFETY: the lengths were just compared; the state is used by this call alone.
        check(unsafe { R::step(self.model.handle(), self.handle, row.as_ptr(), to) })
    }

    /// The outputs of row after row, as an iterator asks for them.
    ///
    /// ```
    /// let model = krait::Model::open("../../models/s4d-digits.safetensors")?;
    /// let mut state = model.state()?;
    /// let samples = (0..80).map(|t| [(t as f32 * 0.3).sin()]);
    /// let last = state.steps(samples).last().unwrap()?;
    /// assert_eq!(last.len(), model.out_width());
    /// # Ok::<(), krait::Error>(())
    /// ```
    pub fn steps<I, R>(&mut self, rows: I) -> Steps<'_, I::IntoIter, R>
    where
        I: IntoIterator,
        I::Item: AsRef<[R]>,
        R: Step,
    {
        Steps { state: self, rows: rows.into_iter(), kind: std::marker::PhantomData }
    }
}

/// Made by [`State::steps`].  A row that fails is an `Err`, and the next one goes on.
#[derive(Debug)]
pub struct Steps<'s, I, R> {
    state: &'s mut State,
    rows: I,
    kind: std::marker::PhantomData<R>,
}

impl<I, R> Iterator for Steps<'_, I, R>
where
    I: Iterator,
    I::Item: AsRef<[R]>,
    R: Step,
{
    type Item = Result<Vec<f32>>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.next()?;
        let mut out = vec![0.0; self.state.lanes() * self.state.model.out_width()];
        Some(self.state.step(row.as_ref(), &mut out).map(|()| out))
    }
}
