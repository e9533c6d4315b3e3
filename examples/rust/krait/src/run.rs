//! Many rows at once.

use std::ffi::CString;
use std::ptr;

use crate::error::check_with;
use crate::hooks::{Hooks, Progress};
use crate::open::c_text;
use crate::pool::{parallel, Parallel};
use crate::{sys, Error, Result, State, Status};

/// How rows are run.  The results of `Recurrent` are the same bits everywhere, the others' are close to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Row after row.
    #[default]
    Recurrent,
    /// By a rule of shapes.
    Auto,
    /// Segments of a long sequence at once.
    Scan,
    /// Blocks of it through Fourier transforms, for layers whose recurrence is the same in every row.
    Convolution,
}

/// What is done with features that are NaN or infinite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Nan {
    /// Computed with.
    #[default]
    Propagate,
    /// An error before the first row.
    Refuse,
    /// That row of that lane is as if it had not been given; see [`Output::is_held`].
    Hold,
}

/// Rows to be run, `[lanes][steps]`, and what is wanted of them.
///
/// ```
/// use krait::{Input, StateOptions};
/// let model = krait::Model::open("../../models/s5-har.safetensors")?;
/// let mut state = model.state_with(&StateOptions::default().lanes(2).chunk(32))?;
/// let rows = vec![0.5; 2 * 100 * model.in_width()];
/// let dt = vec![1.0; 2 * 100];
/// let output = state.run(Input::features(&rows).dt(&dt).lengths(&[100, 70]).last())?;
/// assert_eq!(output.lane(1).len(), model.out_width());
/// # Ok::<(), krait::Error>(())
/// ```
#[derive(Default)]
#[must_use = "nothing is run before State::run()"]
pub struct Input<'a> {
    tokens: Option<&'a [i32]>,
    features: Option<&'a [f32]>,
    dt: Option<&'a [f32]>,
    reset: Option<&'a [bool]>,
    lengths: Option<&'a [u32]>,
    orders: Vec<(&'a str, &'a [i32])>,
    keep: Vec<&'a str>,
    parallel: Option<&'a dyn Parallel>,
    progress: Option<&'a mut Progress<'a>>,
    mode: Mode,
    nan: Nan,
    which: i32,
}

impl<'a> Input<'a> {
    /// `[lanes][steps][in_width]`
    pub fn features(rows: &'a [f32]) -> Self {
        Input { features: Some(rows), ..Default::default() }
    }

    /// `[lanes][steps]`
    pub fn tokens(tokens: &'a [i32]) -> Self {
        Input { tokens: Some(tokens), ..Default::default() }
    }

    /// Both: a row whose token is -1 takes its features, which stand for the embedding.
    pub fn tokens_or_features(tokens: &'a [i32], rows: &'a [f32]) -> Self {
        Input { tokens: Some(tokens), features: Some(rows), ..Default::default() }
    }

    /// The time before each row in units of the step trained with, `[lanes][steps]`; 1 unless given.
    pub fn dt(mut self, dt: &'a [f32]) -> Self {
        self.dt = Some(dt);
        self
    }

    /// True where a new episode begins before the row, `[lanes][steps]`.
    pub fn reset(mut self, reset: &'a [bool]) -> Self {
        self.reset = Some(reset);
        self
    }

    /// Rows of each lane, `[lanes]`, for lanes that have fewer than `steps`; 0: the lane sleeps.
    pub fn lengths(mut self, lengths: &'a [u32]) -> Self {
        self.lengths = Some(lengths);
        self
    }

    /// An order that the model takes by name, see [`Model::slots`](crate::Model::slots).
    pub fn order(mut self, name: &'a str, order: &'a [i32]) -> Self {
        self.orders.push((name, order));
        self
    }

    /// Rows that the model keeps under this name are wanted too: [`Output::kept`].
    pub fn keep(mut self, name: &'a str) -> Self {
        self.keep.push(name);
        self
    }

    /// How to run; [`Mode::Recurrent`] unless given.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// What to do with NaN and infinity in features.
    pub fn nan(mut self, nan: Nan) -> Self {
        self.nan = nan;
        self
    }

    /// Only the last row of each lane is wanted.
    pub fn last(mut self) -> Self {
        self.which = sys::KRAIT_ROWS_LAST;
        self
    }

    /// No rows are wanted: what is run is remembered.
    pub fn none(mut self) -> Self {
        self.which = sys::KRAIT_ROWS_NONE;
        self
    }

    /// Threads to work on, as many as [`StateOptions::tasks`](crate::StateOptions::tasks) says at most; no bit
    /// depends on them.
    pub fn parallel(mut self, threads: &'a dyn Parallel) -> Self {
        self.parallel = Some(threads);
        self
    }

    /// Called between chunks with steps done and in all; false cancels ([`Status::Cancelled`](crate::Status)): then
    /// [`Output::steps_done`] rows of every lane are run, written and remembered.
    pub fn progress(mut self, function: &'a mut (dyn FnMut(u64, u64) -> bool + 'a)) -> Self {
        self.progress = Some(function);
        self
    }

    /// How many rows a lane has, and that all arrays are as long as krait will believe.
    fn steps(&self, state: &State) -> Result<usize> {
        let (lanes, width) = (state.lanes(), state.model().in_width());
        let row = lanes.checked_mul(width).filter(|row| *row > 0);
        let steps = match (self.tokens, self.features, row) {
            (Some(tokens), ..) => tokens.len() / lanes,
            (None, Some(features), Some(row)) => features.len() / row,
            _ => return Err(Error::argument("neither tokens nor features that the model takes")),
        };
        let rows = lanes * steps;
        let is = |length: Option<usize>, wanted: Option<usize>, what: &str| match length {
            Some(length) if Some(length) != wanted => {
                let message =
                    format!("{what}: {length} numbers for {lanes} lanes of {steps} steps");
                Err(Error::argument(message))
            }
            _ => Ok(()),
        };
        is(self.tokens.map(<[_]>::len), Some(rows), "tokens")?;
        is(self.features.map(<[_]>::len), rows.checked_mul(width), "features")?;
        is(self.dt.map(<[_]>::len), Some(rows), "dt")?;
        is(self.reset.map(<[_]>::len), Some(rows), "reset")?;
        is(self.lengths.map(<[_]>::len), Some(lanes), "lengths")?;
        Ok(steps)
    }
}

/// Rows that the model keeps under a name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// The name that was asked for.
    pub name: String,
    /// `[lanes][stride][width]`
    pub rows: Vec<f32>,
    /// Floats of a row.
    pub width: usize,
    /// Rows from one lane's first to the next one's.
    pub stride: usize,
}

/// What came out.  Rows that a lane does not have are 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// `[lanes][stride][width]`
    pub rows: Vec<f32>,
    /// Floats of a row: the model's `out_width()`.
    pub width: usize,
    /// Rows from one lane's first to the next one's.
    pub stride: usize,
    /// Rows written, of each lane.
    pub counts: Vec<u32>,
    /// The mode that ran.
    pub mode: Mode,
    /// Steps that ran: all unless cancelled.
    pub steps_done: usize,
    /// What [`Input::keep`] asked for, in that order.
    pub kept: Vec<Kept>,
    held: Vec<u8>,
    steps: usize,
}

impl Output {
    /// The rows of one lane, one behind the other.
    pub fn lane(&self, lane: usize) -> &[f32] {
        let begin = lane * self.stride * self.width;
        &self.rows[begin..begin + self.counts[lane] as usize * self.width]
    }

    /// One row of one lane.
    pub fn row(&self, lane: usize, row: usize) -> &[f32] {
        &self.lane(lane)[row * self.width..][..self.width]
    }

    /// This row of input was held, see [`Nan::Hold`].
    pub fn is_held(&self, lane: usize, step: usize) -> bool {
        self.held.get(lane * self.steps + step).is_some_and(|held| *held != 0)
    }
}

impl State {
    /// Run rows and remember them.
    ///
    /// In [`Mode::Recurrent`] the result does not depend on how the rows are cut into calls:
    ///
    /// ```
    /// use krait::Input;
    /// let model = krait::Model::open("../../models/mamba-novels.gguf")?;
    /// let tokens = model.encode("It was a dark and stormy night")?;
    /// let whole = model.state()?.run(Input::tokens(&tokens))?;
    /// let mut state = model.state()?;
    /// state.run(Input::tokens(&tokens[..7]).none())?;
    /// let rest = state.run(Input::tokens(&tokens[7..]))?;
    /// assert_eq!(whole.row(0, 29), rest.row(0, 22));
    /// # Ok::<(), krait::Error>(())
    /// ```
    pub fn run(&mut self, input: Input<'_>) -> Result<Output> {
        let mut output = Output::default();
        self.run_into(input, &mut output)?;
        Ok(output)
    }

    /// The same into an output that was used before: it allocates only where more room is needed than then.  After
    /// [`Status::Cancelled`] the output holds the rows that ran.
    pub fn run_into(&mut self, mut input: Input<'_>, output: &mut Output) -> Result<()> {
        let lanes = self.lanes();
        output.steps_done = 0;
        output.counts.clear();
        output.counts.resize(lanes, 0);
        output.width = self.model().out_width();
        output.stride = 0;
        output.kept.clear();
        let steps = input.steps(self)?;
        output.make_room(&input, steps, lanes)?;

        let order_names: Vec<CString> =
            input.orders.iter().map(|(name, _)| c_text(name)).collect::<Result<_>>()?;
        let keep_names: Vec<CString> =
            input.keep.iter().map(|name| c_text(name)).collect::<Result<_>>()?;
        let orders: Vec<sys::krait_order> = input
            .orders
            .iter()
            .zip(&order_names)
            .map(|((_, order), name)| sys::krait_order {
                name: name.as_ptr(),
                order: order.as_ptr(),
                count: order.len(),
            })
            .collect();
        let threads = input.parallel;
        let mut hooks = Hooks::new(input.progress.take().map(|f| f as &mut Progress<'_>), None);
        let raw = sys::krait_input {
            steps,
            tokens: pointer(input.tokens),
            features: pointer(input.features),
            dt: pointer(input.dt),
            reset: pointer(input.reset).cast(),
            lengths: pointer(input.lengths),
            parallel: threads.is_some().then_some(parallel as _),
            parallel_user: threads.as_ref().map_or(ptr::null_mut(), |t| ptr::from_ref(t) as *mut _),
            progress: hooks.progress(),
            progress_user: hooks.user(),
            mode: input.mode.raw(),
            nan_policy: input.nan.raw(),
            orders: orders.as_ptr(),
            order_count: orders.len(),
            ..Default::default()
        };
        let result = self.run_raw(&raw, input.which, &keep_names, output);
        hooks.finish();
        result
    }

    /// Again with more room while that is what krait asks for: a model of whole sequences may make more rows than
    /// it is given.
    fn run_raw(
        &mut self,
        input: &sys::krait_input,
        which: i32,
        keep: &[CString],
        output: &mut Output,
    ) -> Result<()> {
        let (lanes, model, state) = (self.lanes(), self.model().handle(), self.handle());
        loop {
            let mut slots: Vec<sys::krait_slot> = output
                .kept
                .iter_mut()
                .zip(keep)
                .map(|(kept, name)| sys::krait_slot {
                    name: name.as_ptr(),
                    rows: kept.rows.as_mut_ptr(),
                    capacity: kept.rows.len(),
                    ..Default::default()
                })
                .collect();
            let mut raw = sys::krait_output {
                rows: output.rows.as_mut_ptr(),
                capacity: output.rows.len(),
                which,
                counts: output.counts.as_mut_ptr(),
                slots: slots.as_mut_ptr(),
                slot_count: slots.len(),
                ..Default::default()
            };
            if !output.held.is_empty() {
                raw.held = output.held.as_mut_ptr();
            }
            let mut message = sys::krait_message::default();
            // SAFETY: Input::steps() compared every length that krait takes on trust; the output's arrays have
            // lanes counts, lanes * steps marks and the capacities that are told.
            let status = unsafe { sys::krait_run(model, state, input, &mut raw, &mut message) };
            output.steps_done = raw.steps_done;
            output.stride = raw.stride;
            output.mode = Mode::of(raw.mode_used);
            let mut grown = grow(&mut output.rows, [lanes, raw.stride, output.width])?;
            for (kept, slot) in output.kept.iter_mut().zip(&slots) {
                (kept.stride, kept.width) = (slot.stride, slot.width);
                grown |= grow(&mut kept.rows, [lanes, slot.stride, slot.width])?;
            }
            let result = check_with(status, &message);
            match &result {
                Err(error) if error.status() == Status::Space && grown => continue,
                _ => return result,
            }
        }
    }
}

impl Output {
    fn make_room(&mut self, input: &Input<'_>, steps: usize, lanes: usize) -> Result<()> {
        let rows = match input.which {
            sys::KRAIT_ROWS_ALL => steps,
            sys::KRAIT_ROWS_LAST => 1,
            _ => 0,
        };
        self.rows.clear();
        grow(&mut self.rows, [lanes, rows, self.width])?;
        self.kept = input
            .keep
            .iter()
            .map(|name| Kept { name: (*name).into(), ..Default::default() })
            .collect();
        self.steps = steps;
        self.held.clear();
        if input.nan == Nan::Hold {
            self.held.resize(lanes * steps, 0);
        }
        Ok(())
    }
}

/// To that many floats; true if there were fewer.
fn grow(rows: &mut Vec<f32>, shape: [usize; 3]) -> Result<bool> {
    let count = shape.iter().try_fold(1usize, |all, size| all.checked_mul(*size));
    let count = count.ok_or_else(|| Error::argument("that many rows fit no memory"))?;
    let grown = count > rows.len();
    rows.resize(count, 0.0);
    Ok(grown)
}

fn pointer<T>(slice: Option<&[T]>) -> *const T {
    slice.map_or(ptr::null(), <[T]>::as_ptr)
}

impl Mode {
    fn raw(self) -> i32 {
        match self {
            Mode::Recurrent => sys::KRAIT_RECURRENT,
            Mode::Auto => sys::KRAIT_AUTO,
            Mode::Scan => sys::KRAIT_SCAN,
            Mode::Convolution => sys::KRAIT_CONVOLUTION,
        }
    }

    fn of(raw: i32) -> Mode {
        match raw {
            sys::KRAIT_AUTO => Mode::Auto,
            sys::KRAIT_SCAN => Mode::Scan,
            sys::KRAIT_CONVOLUTION => Mode::Convolution,
            _ => Mode::Recurrent,
        }
    }
}

impl Nan {
    fn raw(self) -> i32 {
        match self {
            Nan::Propagate => sys::KRAIT_NAN_PROPAGATE,
            Nan::Refuse => sys::KRAIT_NAN_REFUSE,
            Nan::Hold => sys::KRAIT_NAN_HOLD,
        }
    }
}
