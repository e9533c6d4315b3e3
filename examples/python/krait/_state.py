"""States: what streams remember, and the rows that go through them."""

from __future__ import annotations

import ctypes
from concurrent.futures import Executor
from contextlib import contextmanager
from ctypes import byref, c_char, c_size_t, c_uint64, c_void_p
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, Mapping, Optional, Sequence, Tuple

from . import _structs as k
from ._arrays import Floats, numpy
from ._errors import ArgumentError, BusyError, ClosedError, Error
from ._callbacks import Progress
from ._library import check, lib
from ._model import Handle, Model
from ._parts import Parts
from ._run import Options, Result, Widths, run
from ._step import Steps, stepper

if TYPE_CHECKING:
    import numpy.typing as npt


def lane_number(lane: Optional[int]) -> int:
    if lane is not None and not 0 <= lane < 2**31:
        raise ArgumentError(f"lane: there is no lane {lane}")
    return k.ALL_LANES if lane is None else lane


class State:
    """What ``lanes`` independent streams remember, and the way to run them.

    One thread at a time: a second one gets BusyError.  Different states of one model run at once, and Python
    goes on meanwhile.  copy.copy() makes an independent copy; pickle keeps the saved form and the model's path.
    """

    def __init__(self, model: Model, lanes: int = 1, *, chunk: Optional[int] = None, tasks: int = 1,
                 context: int = 0, max_steps: int = 0) -> None:
        if not 1 <= lanes < 2**31:
            raise ArgumentError(f"lanes: 1 or more are wanted, not {lanes}")
        chunk = max(1, 64 // lanes) if chunk is None else chunk
        for name, value in (("chunk", chunk), ("tasks", tasks), ("context", context),
                            ("max_steps", max_steps)):
            if not 0 <= value < 2**32:
                raise ArgumentError(f"{name}: {value} is out of range")
        self._options = dict(lanes=lanes, chunk=chunk, tasks=tasks, context=context,
                             max_steps=max_steps)
        self._bind(model, model._use(), Widths(model, lanes))
        self._place()

    def _place(self) -> None:
        # The memory is Python's, so that views of it outlive close() and no two own it.
        handle = self._handle
        options = k.sized(k.StateOptions)
        for name, value in self._options.items():
            setattr(options, name, value)
        bytes_ = c_size_t()
        check(lib.krait_state_bytes(handle.value, byref(options), byref(bytes_)), what="state")
        block = (c_char * (bytes_.value + k.STATE_ALIGNMENT))()
        start = -ctypes.addressof(block) % k.STATE_ALIGNMENT
        state = c_void_p()
        check(lib.krait_state_place(byref(state), handle.value, byref(options),
                                    ctypes.addressof(block) + start, bytes_.value), what="state")
        self._block: Optional[Any] = block
        self._start = start
        self._bytes = bytes_.value
        self._at = ctypes.addressof(block) + start
        # Whoever takes the token uses the state.  pop() and append() are one step each for other
        # threads, and quicker than a lock.
        self._free = [None]
        self._take = self._free.pop
        self._give = self._free.append

    def _bind(self, model: Model, handle: Handle, widths: Widths) -> None:
        self._model = model
        self._handle = handle           # the state's own: it goes on when the model is closed
        self._widths = widths
        self._steps: Optional[Steps] = None

    # ---- life ----

    @property
    def model(self) -> Model:
        return self._model

    @property
    def lanes(self) -> int:
        return self._options["lanes"]

    def _unusable(self) -> Error:
        if self._block is None:
            return ClosedError("the state is closed")
        return BusyError("another thread is using this state")

    @contextmanager
    def _use(self) -> Iterator[int]:
        try:
            self._take()
        except IndexError:
            raise self._unusable() from None
        try:
            yield self._handle.value
        finally:
            self._give(None)

    def close(self) -> None:
        """Let go of the memory; views of it keep it.  BusyError while a thread is in a call."""
        if self._block is None:
            return
        try:
            self._take()                # and nobody is given it again
        except IndexError:
            raise self._unusable() from None
        self._block = None
        self._steps = None

    @property
    def closed(self) -> bool:
        return self._block is None

    def __enter__(self) -> "State":
        if self.closed:
            raise self._unusable()
        return self

    def __exit__(self, *why: object) -> None:
        self.close()

    def bind(self, model: Model) -> None:
        """Go on with another open model of the same id."""
        handle = model._use()
        with self._use():
            state = c_void_p()
            check(lib.krait_state_adopt(byref(state), handle.value, self._at, self._bytes), what="bind")
            self._bind(model, handle, Widths(model, self.lanes))

    def __repr__(self) -> str:
        if self.closed:
            return "<krait.State, closed>"
        return f"<krait.State of {self.lanes} lanes, {len(self.data)} bytes, {self._model!r}>"

    # ---- copies ----

    def copy(self) -> "State":
        """An independent state that remembers the same."""
        made = type(self).__new__(type(self))
        made._options = dict(self._options)
        with self._use() as model:
            made._bind(self._model, self._handle, self._widths)
            made._place()
            check(lib.krait_state_copy(model, made._at, k.ALL_LANES, self._at, k.ALL_LANES),
                  what="copy")
        return made

    __copy__ = copy

    def __deepcopy__(self, memo: Dict[int, Any]) -> "State":
        return self.copy()

    def __reduce__(self) -> Tuple[Any, ...]:
        return revive, (type(self), self._model, self._options, self.save())

    def copy_from(self, other: "State", from_lane: Optional[int] = None,
                  lane: Optional[int] = None) -> None:
        """One lane of another state (or of this one) into one of this; without lanes all, as many."""
        if other is self:
            with self._use() as model:
                check(lib.krait_state_copy(model, self._at, lane_number(lane), self._at,
                                           lane_number(from_lane)), what="copy_from")
            return
        with self._use() as model, other._use():
            check(lib.krait_state_copy(model, self._at, lane_number(lane), other._at,
                                       lane_number(from_lane)), what="copy_from")

    def reset(self, lane: Optional[int] = None) -> None:
        """Forget: the lane, or every one, is as it was when made."""
        with self._use() as model:
            check(lib.krait_state_reset(model, self._at, lane_number(lane)), what="reset")

    def hash(self, lane: Optional[int] = None) -> int:
        """The same for equal states on every machine."""
        value = c_uint64()
        with self._use() as model:
            check(lib.krait_state_hash(model, self._at, lane_number(lane), byref(value)), what="hash")
        return value.value

    def save(self, lane: Optional[int] = None) -> bytes:
        """The portable, checked form of one lane or all: docs/formats.md has its layout."""
        count = c_size_t()
        with self._use() as model:
            number = lane_number(lane)
            check(lib.krait_state_save(model, self._at, number, None, 0, byref(count)), what="save")
            saved = ctypes.create_string_buffer(count.value)
            check(lib.krait_state_save(model, self._at, number, saved, len(saved), byref(count)),
                  what="save")
        return saved.raw

    def load(self, saved: bytes, lane: Optional[int] = None) -> None:
        """What save() gave, into a lane or into all; on an error nothing has changed."""
        message = k.Message()
        with self._use() as model:
            check(lib.krait_state_load(model, self._at, lane_number(lane), saved, len(saved),
                                       byref(message)), message)

    # ---- to look inside ----

    @property
    def data(self) -> memoryview:
        """What the streams remember, in place: bytes that may be copied out and in between calls.  The
        layout is the kernels' own; parts have names and shapes.  Lives on after close()."""
        block = self._block
        if block is None:
            raise self._unusable()
        count = c_size_t()
        at = lib.krait_state_data(self._at, byref(count))
        first = at - ctypes.addressof(block)
        return memoryview(block).cast("B")[first:first + count.value]

    def numpy(self) -> "npt.NDArray[numpy.uint8]":
        """data as an array of NumPy's, in place."""
        if numpy is None:
            raise ImportError("NumPy is not installed; data needs none")
        return numpy.frombuffer(self.data, numpy.uint8)

    @property
    def parts(self) -> Parts:
        """The layers' memories by name: state.parts["layers.3.mixer.ssm"][lane] is a copy in canonical
        order, and takes an array."""
        if self.closed:
            raise self._unusable()
        return Parts(self)

    # ---- to run ----

    def run(self, x: Any, *, dt: Any = None, reset: Any = None,
            lengths: Optional[Sequence[int]] = None, mode: str = "recurrent", rows: str = "all",
            nan: str = "propagate", features: Any = None,
            orders: Optional[Mapping[str, Any]] = None, out: Any = None,
            parallel: Optional[Executor] = None, progress: Optional[Progress] = None) -> "Floats":
        """Run rows through the model, remember, and return the outputs.

        ``x``: float32 [steps, in_width], or token ids [steps], with lanes before if there are several.  What
        comes back has the same axes and out_width: float32 of NumPy's, or a memoryview without NumPy.

        ``dt``      time before each row, in steps of training: one number, [steps] or [lanes, steps]
        ``reset``   True: a new episode begins with the first row; or truth values [lanes, steps]
        ``lengths`` how many rows each lane has; 0: it sleeps
        ``mode``    "recurrent", "auto", "scan" or "convolution"
        ``rows``    "all", "last" (of each lane) or "none"
        ``nan``     "propagate", "refuse" or "hold"
        ``features`` rows that stand for tokens that are -1
        ``orders``  by name, int32, every one that the model asks for
        ``out``     an array to write into
        ``parallel`` an executor of threads (concurrent.futures), used with the state's tasks > 1
        ``progress`` (done, total) between chunks; True cancels

        On an error nothing has advanced; CancelledError has the rows done in ``result``.
        """
        return self.run_result(x, dt=dt, reset=reset, lengths=lengths, mode=mode, rows=rows, nan=nan,
                               features=features, orders=orders, out=out, parallel=parallel,
                               progress=progress).rows

    def run_result(self, x: Any, *, dt: Any = None, reset: Any = None,
                   lengths: Optional[Sequence[int]] = None, mode: str = "recurrent",
                   rows: str = "all", nan: str = "propagate", features: Any = None,
                   orders: Optional[Mapping[str, Any]] = None, keep: Sequence[str] = (),
                   out: Any = None, parallel: Optional[Executor] = None,
                   progress: Optional[Progress] = None) -> Result:
        """run() with all that it says: counts, mode, held rows; ``keep`` names rows to keep."""
        options = Options(dt, reset, lengths, mode, rows, nan, features, orders, keep, out, parallel,
                          progress)
        with self._use() as handle:
            return run(handle, self._at, self._widths, x, options)

    def step(self, x: Any, out: Any = None) -> "Floats":
        """One row of each lane: float32 [in_width] or a token, with lanes before if there are several.
        Returns [out_width] alike, or ``out``, into which it was written."""
        try:
            self._take()
        except IndexError:
            raise self._unusable() from None
        try:
            steps = self._steps
            if steps is None:
                steps = self._steps = Steps(self._handle, self._block, self._at, self._widths)
            return steps.step(x, out)
        finally:
            self._give(None)

    def stepper(self, x: Any, out: Any) -> Callable[[], None]:
        """The quickest way to step: a function of no arguments that steps with what stands in ``x`` and
        writes to ``out``, arrays that stay the same: float32 or int32, contiguous."""
        if self._block is None:
            raise self._unusable()
        return stepper(self, x, out)


def revive(cls: Any, model: Model, options: Dict[str, int], saved: bytes) -> State:
    """What pickle calls."""
    state: State = cls(model, **options)
    state.load(saved)
    return state
