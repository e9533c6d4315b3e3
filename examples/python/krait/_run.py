"""One krait_run(): what it is given and what comes out."""

from __future__ import annotations

import ctypes
from concurrent.futures import Executor
from ctypes import byref, c_float, c_uint32, c_uint8
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from . import _structs as k
from ._arrays import (Block, Floats, Shape, buffer, flatten, give, is_integers, matches, product, take,
                      wrong_shape, zeros)
from ._errors import ArgumentError, CancelledError
from ._library import SPACE, lib
from ._callbacks import Progress, Watch, serve
from ._model import Model


class Result(NamedTuple):
    """All that a run says.

    ``rows`` are its outputs: [steps, out_width], with lanes before if the input had them, and without steps
    for rows="last".  ``counts`` how many of them each lane has, ``mode`` the mode that ran, ``steps`` how many
    are done (all, unless cancelled), ``held`` which rows nan="hold" left out, ``kept`` the rows by name.
    """
    rows: "Floats"
    counts: Tuple[int, ...]
    mode: str
    steps: int
    held: Any
    kept: "Dict[str, Floats]"


class Options(NamedTuple):
    dt: Any = None
    reset: Any = None
    lengths: Optional[Sequence[int]] = None
    mode: str = "recurrent"
    rows: str = "all"
    nan: str = "propagate"
    features: Any = None
    orders: Optional[Mapping[str, Any]] = None
    keep: Sequence[str] = ()
    out: Any = None
    parallel: Optional[Executor] = None
    progress: Optional[Progress] = None


MODE_NAMES = {number: name for name, number in k.MODES.items()}


class Widths:
    """What shapes a model's rows have."""

    def __init__(self, model: Model, lanes: int) -> None:
        width, (rows, columns) = model.in_width, model.grid
        cells = rows * columns
        self.lanes = lanes
        self.width = width
        self.whole_sequence = model.whole_sequence
        self.out = model.out_width
        self.tokens = model.takes_tokens
        self.forms: List[Shape] = [(width,)]
        if cells > 1 and width % cells == 0:
            self.forms += [(rows, columns, width // cells)] + [(rows, columns)] * (width == cells)
        if width == 1:
            self.forms.append(())

    def are_tokens(self, x: Any) -> bool:
        """Whole numbers, given to a model that takes tokens."""
        if not self.tokens:
            return False
        view = buffer(x, "x")
        if view is not None:
            return is_integers(view)
        flat, _ = flatten(x, "x")
        return all(isinstance(value, int) for value in flat)

    def take(self, x: Any, rows: int) -> Tuple[Block, Shape, bool]:
        """x, what stands before its rows (lanes, steps), and whether it is of tokens."""
        tokens = self.are_tokens(x)
        what = "tokens" if tokens else "features"
        block = take(x, "i" if tokens else "f", what)
        forms = [()] if tokens else self.forms
        found = matches(block.shape, forms, self.lanes, rows)
        if found is None:
            raise wrong_shape(what, block.shape, forms[0], self.lanes, rows)
        return block, found[0], tokens


def choose(table: Mapping[str, int], value: str, what: str) -> int:
    if value not in table:
        raise ArgumentError(f"{what}: {value!r} is none of {', '.join(table)}")
    return table[value]


def per_row(value: Any, kind: str, before: Shape, lanes: int, steps: int, what: str) -> Block:
    """dt or reset: [steps] or [lanes, steps] as the input, or one number."""
    code = c_float if kind == "f" else c_uint8
    if isinstance(value, (bool, int, float)):
        made = (code * max(lanes * steps, 1))()
        for i in range(lanes * steps):
            made[i] = value if kind == "f" or i % steps == 0 else 0   # reset=True: before the first row
        return Block(ctypes.addressof(made), before, made)
    block = take(value, kind, what)
    if block.shape not in (before, (lanes, steps)) and not (lanes == 1 and block.shape == (steps,)):
        raise ArgumentError(f"{what}: shape {before} is wanted, not {block.shape}")
    return block


class Call:
    """The structs of one call, and all that they point to."""

    def __init__(self, widths: Widths, x: Any, options: Options) -> None:
        self.o = options
        self.lanes = widths.lanes
        self.input = k.sized(k.Input)
        self.output = k.sized(k.Output)
        self.kept: List[object] = []
        self.watch = Watch(options.progress, warns=False)
        self.counts = (c_uint32 * self.lanes)()
        block, self.before, tokens = widths.take(x, 1)
        self.steps = self.before[-1]
        self.width = widths.out
        self.hold(block)
        self.input.steps = self.steps
        if tokens:
            self.input.tokens = block.address
        else:
            self.input.features = block.address
        self.add_options(widths, tokens)
        self.add_orders()
        self.output.which = choose(k.ROWS, options.rows, "rows")
        self.output.counts = self.counts
        every = 0 if widths.whole_sequence else self.steps
        self.stride = {"all": every, "last": 1, "none": 0}[options.rows]
        self.named: "Dict[str, Floats]" = {}

    def hold(self, block: Block) -> int:
        self.kept.append(block.keep)
        return block.address

    def add_options(self, widths: Widths, tokens: bool) -> None:
        o, into = self.o, self.input
        if o.features is not None:
            if not tokens:
                raise ArgumentError("features: they stand beside tokens; without tokens they are x itself")
            block = take(o.features, "f", "features")
            if block.shape != self.before + widths.forms[0]:
                raise wrong_shape("features", block.shape, widths.forms[0], self.lanes, 1)
            into.features = self.hold(block)
        if o.dt is not None:
            into.dt = self.hold(per_row(o.dt, "f", self.before, self.lanes, self.steps, "dt"))
        if o.reset is not None:
            into.reset = self.hold(per_row(o.reset, "b", self.before, self.lanes, self.steps, "reset"))
        if o.lengths is not None:
            block = take(o.lengths, "u", "lengths")
            if block.shape != (self.lanes,):
                raise ArgumentError(f"lengths: one for each of {self.lanes} lanes is wanted, not {block.shape}")
            into.lengths = self.hold(block)
        if o.parallel is not None:
            into.parallel = serve(o.parallel)
        if self.watch.tick is not None:
            into.progress = self.watch.tick
        into.mode = choose(k.MODES, o.mode, "mode")
        into.nan_policy = choose(k.NAN_POLICIES, o.nan, "nan")

    def add_orders(self) -> None:
        orders = self.o.orders
        if not orders:
            return
        array = (k.Order * len(orders))()
        for order, (name, value) in zip(array, orders.items()):
            block = take(value, "i", f"orders: {name}")
            order.name = name.encode()
            order.order = self.hold(block)
            order.count = product(block.shape)
        self.input.orders = array
        self.input.order_count = len(orders)

    def shape(self, stride: int) -> Shape:
        steps = () if self.o.rows == "last" else (stride,)
        return self.before[:-1] + steps + (self.width,)

    def make_room(self, stride: int) -> None:
        """For the outputs; 0 where it is not known how many rows come out: SPACE will tell."""
        if self.o.rows == "none" or stride == 0:
            self.rows, _ = zeros(self.shape(0))
            self.output.rows = ctypes.addressof(self.counts)
        elif self.o.out is not None:
            block = give(self.o.out, self.shape(stride), "out")
            self.rows, self.output.rows = self.o.out, self.hold(block)
        else:
            self.rows, self.output.rows = zeros(self.shape(stride))
        self.output.capacity = self.lanes * stride * self.width

    def make_kept(self) -> None:
        if self.o.keep:
            self.slots = (k.Slot * len(self.o.keep))()
            for slot, name in zip(self.slots, self.o.keep):
                slot.name = name.encode()
                slot.rows = ctypes.addressof(self.counts)
            self.output.slots = self.slots
            self.output.slot_count = len(self.o.keep)
        self.held = None
        if self.o.nan == "hold":
            self.held, self.output.held = zeros(self.before, "b")

    def grow(self) -> None:
        """What krait_run() found too small first: rows, or those by one name."""
        if self.o.rows != "none" and self.output.capacity < self.lanes * self.output.stride * self.width:
            self.make_room(self.output.stride)
            return
        for slot, name in zip(self.slots, self.o.keep):
            if slot.capacity < self.lanes * slot.stride * slot.width:
                self.named[name], slot.rows = zeros(self.before[:-1] + (slot.stride, slot.width))
                slot.capacity = self.lanes * slot.stride * slot.width
                return

    def run(self, model: int, state: int) -> int:
        self.make_kept()
        self.make_room(self.stride)
        self.message = k.Message()
        for _ in range(len(self.o.keep) + 2):
            status: int = lib.krait_run(model, state, byref(self.input), byref(self.output),
                                        byref(self.message))
            if status != SPACE:
                break
            self.grow()                 # nothing has advanced
        return status

    def result(self) -> Result:
        return Result(self.rows, tuple(self.counts), MODE_NAMES.get(self.output.mode_used, "?"),
                      self.output.steps_done, self.held, self.named)


def run(handle: int, state: int, widths: Widths, x: Any, options: Options) -> Result:
    call = Call(widths, x, options)
    status = call.run(handle, state)
    try:
        call.watch.check(status, call.message)
    except CancelledError as why:
        why.result = call.result()
        raise
    return call.result()
