"""Arrays of the caller's as addresses, and arrays for him: NumPy's where there is NumPy, else memoryviews.

What is taken: anything with a buffer (NumPy arrays, array.array, memoryview) of exactly the type that C
wants, C-contiguous, or nested lists of numbers.  Nothing is converted silently but integers to int32.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, List, NamedTuple, Optional, Sequence, Tuple, Union

from ._errors import ArgumentError

try:
    import numpy as numpy               # `as`: it is this module's to give on
except ImportError:                     # a model of tokens needs none
    numpy = None                        # type: ignore[assignment,unused-ignore]

if TYPE_CHECKING:
    import numpy.typing as npt
    Floats = npt.NDArray[numpy.float32]
else:
    Floats = Any

Shape = Tuple[int, ...]
NAMES = {"f": "float32", "d": "float64", "e": "float16", "g": "longdouble", "?": "bool"}
KINDS = {"f": ("f", 4), "i": ("i", 4), "u": ("I", 4), "b": ("B", 1)}   # of C: format, bytes


class Block(NamedTuple):
    """Memory that C may use as long as ``keep`` lives."""
    address: int
    shape: Shape
    keep: object


def product(shape: Sequence[int]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def bad_type(what: str, name: str, kind: str) -> TypeError:
    wanted = {"f": "float32", "i": "int32", "u": "uint32", "b": "uint8 or bool"}[kind]
    hint = ": convert it with .astype(numpy.float32)" if kind == "f" and name in NAMES.values() else ""
    return TypeError(f"{what}: {wanted} is wanted, not {name}{hint}")


def flatten(values: Any, what: str) -> Tuple[List[Any], Shape]:
    """Nested lists as one list and a shape."""
    if not isinstance(values, (list, tuple)):
        return [values], ()
    flat: List[Any] = []
    inner: Optional[Shape] = None
    for value in values:
        part, shape = flatten(value, what)
        if inner is not None and shape != inner:
            raise ValueError(f"{what}: lists of different lengths")
        inner = shape
        flat += part
    return flat, (len(values),) + (inner or ())


def of_list(values: Any, kind: str, what: str) -> Block:
    flat, shape = flatten(values, what)
    code, size = KINDS[kind]
    made = bytearray(max(len(flat), 1) * size)
    view: Any = memoryview(made).cast(code)     # type: ignore[call-overload]
    try:
        for i, value in enumerate(flat):
            view[i] = value             # refuses what is out of range
    except (TypeError, ValueError, OverflowError) as why:
        kinds = {"f": "number", "b": "truth value"}
        raise type(why)(f"{what}: {flat[i]!r} is no {kinds.get(kind, 'whole number in range')}") from None
    at, keep = address(view, made)
    return Block(at, shape, keep)


def address(view: memoryview, source: Any) -> Tuple[int, object]:
    """Where a buffer lies, and what keeps it there."""
    if view.nbytes == 0:
        empty = ctypes.c_uint64()
        return ctypes.addressof(empty), empty
    if not view.readonly:
        kept = ctypes.c_char.from_buffer(view)
        return ctypes.addressof(kept), kept
    interface = getattr(source, "__array_interface__", None)
    if interface is not None:           # NumPy tells it for what must not be written, too
        return int(interface["data"][0]), source
    copied = (ctypes.c_char * view.nbytes).from_buffer_copy(view)
    return ctypes.addressof(copied), copied


def buffer(values: Any, what: str) -> Optional[memoryview]:
    if numpy is not None and not isinstance(values, numpy.ndarray) and hasattr(values, "__array__"):
        values = numpy.asarray(values)  # tensors of torch and jax, NumPy's scalars
    try:
        return memoryview(values)
    except TypeError:
        return None
    except (ValueError, BufferError) as why:
        raise TypeError(f"{what}: {why}") from None


def is_integers(view: memoryview) -> bool:
    return view.format.lstrip("@=<>!") in tuple("bBhHiIlLqQnN")


def take(values: Any, kind: str, what: str) -> Block:
    """Numbers for C to read: kind f float32, i int32, u uint32, b bytes that are nonzero or not."""
    view = buffer(values, what)
    if view is None:
        return of_list(values, kind, what)
    form = view.format.lstrip("@=<")
    code, size = KINDS[kind]
    if not view.c_contiguous:
        raise ValueError(f"{what}: a C-contiguous array is wanted: numpy.ascontiguousarray() makes one")
    if kind in "iu" and is_integers(view) and not (form in "il" and kind == "i" and view.itemsize == 4):
        return of_list(view.tolist(), kind, what)
    if form != code and not (kind == "i" and is_integers(view)) and not (kind == "b" and form == "?"):
        raise bad_type(what, NAMES.get(form, f"format {view.format!r}"), kind)
    source = view.obj if view.nbytes else values
    at, keep = address(view, source)
    return Block(at, tuple(view.shape or ()), (keep, view))


def give(values: Any, shape: Shape, what: str) -> Block:
    """A caller's array for C to write float32 into."""
    view = buffer(values, what)
    if view is None or view.format.lstrip("@=<") != "f":
        raise TypeError(f"{what}: a writable array of float32 is wanted")
    if tuple(view.shape or ()) != shape:
        raise ValueError(f"{what}: shape {shape} is wanted, not {tuple(view.shape or ())}")
    if view.readonly or not view.c_contiguous:
        raise ValueError(f"{what}: a C-contiguous array that may be written to is wanted")
    at, keep = address(view, values)
    return Block(at, shape, (keep, view))


def zeros(shape: Shape, kind: str = "f") -> Tuple[Any, int]:
    """A new array and its address."""
    code, size = KINDS[kind]
    count = product(shape)
    made: Any
    if numpy is not None:
        made = numpy.zeros(shape, {"f": numpy.float32, "b": numpy.bool_}[kind])
        return made, int(made.__array_interface__["data"][0])
    memory = bytearray(max(count, 1) * size)
    at = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    view: Any = memoryview(memory)[:count * size]
    if count == 0 or not shape:
        return view.cast(code), at
    return view.cast(code, shape=list(shape)), at


Ints = Union[int, Sequence[int]]


def matches(shape: Shape, forms: Sequence[Shape], lanes: int, rows: int) -> Optional[Tuple[Shape, Shape]]:
    """What stands before one of the forms of a row, and that form.  rows 1: steps come before a row, 0: none.
    One lane need not be named."""
    for form in forms:
        before = len(shape) - len(form)
        if before not in (rows, rows + 1) or shape[before:] != form:
            continue
        if (before == rows and lanes == 1) or (before == rows + 1 and shape[0] == lanes):
            return shape[:before], form
    return None


def wrong_shape(what: str, shape: Shape, form: Shape, lanes: int, rows: int) -> ArgumentError:
    names = [str(size) for size in form]
    names = (["steps"] if rows else []) + names
    full = ", ".join([str(lanes)] + names)
    short = f" or ({', '.join(names)}{',' if len(names) == 1 else ''})" if lanes == 1 else ""
    return ArgumentError(f"{what}: shape ({full}{',' if not names else ''}){short} is wanted, not {shape}")
