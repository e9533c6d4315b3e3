"""One step with as little between Python and C as ctypes allows.

A foreign function without argument types takes byref() objects as they are; functools.partial puts them
there without a frame of Python's.  So everything that a step needs is made once.
"""

from __future__ import annotations

from ctypes import addressof, byref, c_char, c_float, c_int32, memmove
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Dict, Tuple

from ._arrays import Block, Floats, Shape, give, numpy, product, zeros
from ._library import bare, error
from ._model import Handle
from ._run import Widths

if TYPE_CHECKING:
    from ._state import State

ndarray = None if numpy is None else numpy.ndarray
step_features = bare("krait_step")
step_tokens = bare("krait_step_tokens")


def pointer(at: int) -> Any:
    return byref(c_char.from_address(at))


def bound(function: Any, handle: Handle, memory: Any, state: int, x: int, out: int,
          *kept: object) -> "partial[int]":
    """function(model, state, x, out) without arguments, and all that it points to held."""
    call = partial(function, pointer(handle.value), pointer(state), pointer(x), pointer(out))
    setattr(call, "kept", (handle, memory, kept))
    return call


class Steps:
    """Rows of a state's own, to copy into and out of, and calls bound to them."""

    def __init__(self, handle: Handle, memory: Any, state: int, widths: Widths) -> None:
        lanes = widths.lanes
        self.widths = widths
        self.features = (c_float * max(lanes * widths.width, 1))()
        self.tokens = (c_int32 * lanes)()
        self.rows = (c_float * max(lanes * widths.out, 1))()
        self.token = memoryview(self.tokens).cast("B").cast("i")
        self.one = widths.tokens and lanes == 1
        out = addressof(self.rows)
        self.with_features = bound(step_features, handle, memory, state, addressof(self.features), out,
                                   self.features, self.rows)
        self.with_tokens = bound(step_tokens, handle, memory, state, addressof(self.tokens), out,
                                 self.tokens, self.rows)
        # shape of x: where it goes, where the rows are in the shape that belongs to it, a copy of them
        self.views: Dict[Shape, Tuple[Any, Any, Callable[[], Any]]] = {}
        self.kind: Any = None
        if numpy is not None:
            into = numpy.frombuffer(memoryview(self.features), numpy.float32, lanes * widths.width)
            self.results = numpy.frombuffer(memoryview(self.rows), numpy.float32, lanes * widths.out)
            for form in reversed(widths.forms):
                for before in [()] * (lanes == 1) + [(lanes,)]:
                    rows = self.results.reshape(before + (widths.out,))
                    self.views[before + form] = (into.reshape(before + form), rows, rows.copy)
            self.single = self.results.reshape(widths.out) if lanes == 1 else self.results
            self.kind = numpy.dtype(numpy.float32)

    def step(self, x: Any, out: Any) -> "Floats":
        # What is asked most comes first, and calls no other function of Python's.
        if type(x) is ndarray and x.dtype is self.kind and x.flags.c_contiguous:
            views = self.views.get(x.shape)
            if views is not None:
                views[0][...] = x
                status = self.with_features()
                if status == 0 and out is None:
                    return views[2]()   # type: ignore[no-any-return]
                return self.finish(status, views[1], out)
        elif self.one and type(x) is int and numpy is not None:
            self.token[0] = x
            return self.finish(self.with_tokens(), self.single, out)
        block, before, tokens = self.widths.take(x, 0)
        room = self.tokens if tokens else self.features
        memmove(room, block.address, product(block.shape) * 4)
        status = self.with_tokens() if tokens else self.with_features()
        shape = before + (self.widths.out,)
        if numpy is not None:
            return self.finish(status, self.results.reshape(shape), out)
        return self.finish_plain(status, shape, out)

    def finish(self, status: int, rows: Any, out: Any) -> "Floats":
        if status != 0:
            raise error(status, what="step")
        if out is None:
            return rows.copy()          # type: ignore[no-any-return]
        if type(out) is ndarray and out.dtype is self.kind and out.shape == rows.shape:
            out[...] = rows
        else:
            memmove(give(out, rows.shape, "out").address, self.rows, rows.nbytes)
        return out                      # type: ignore[no-any-return]

    def finish_plain(self, status: int, shape: Shape, out: Any) -> Any:
        if status != 0:
            raise error(status, what="step")
        if out is None:
            out, at = zeros(shape)
        else:
            at = give(out, shape, "out").address
        memmove(at, self.rows, product(shape) * 4)
        return out


def rows_of(x: Any, widths: Widths) -> Tuple[Block, Shape, bool]:
    """The caller's own array, to be read at every step: nothing may be converted."""
    block, before, tokens = widths.take(x, 0)
    given = take_in_place(x)
    if given is None:
        raise TypeError("x: an array that may be written to is wanted, of int32 or float32")
    return given, before, tokens


def take_in_place(x: Any) -> Any:
    try:
        view = memoryview(x)
        kept = c_char.from_buffer(view)
    except (TypeError, ValueError, BufferError):
        return None
    if view.itemsize != 4:
        return None
    return Block(addressof(kept), tuple(view.shape or ()), (kept, view))


def stepper(state: "State", x: Any, out: Any) -> Callable[[], None]:
    widths = state._widths
    block, before, tokens = rows_of(x, widths)
    room = give(out, before + (widths.out,), "out")
    call = bound(step_tokens if tokens else step_features, state._handle, state._block, state._at,
                 block.address, room.address, block.keep, room.keep, x, out)
    take_token, give_token, unusable = state._take, state._give, state._unusable

    def step() -> None:
        try:
            take_token()
        except IndexError:
            raise unusable() from None
        try:
            status = call()
        finally:
            give_token(None)
        if status:
            raise error(status, what="step")
    return step
