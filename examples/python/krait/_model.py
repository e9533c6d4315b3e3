"""Models: read-only, for any number of threads at once."""

from __future__ import annotations

import ctypes
import json
import os
from concurrent.futures import Executor
from ctypes import byref, c_int64, c_uint64, c_void_p
from typing import (TYPE_CHECKING, Any, Callable, Dict, List, Mapping, NamedTuple,
                    Optional, Tuple, Union)

from . import _structs as k
from ._arrays import address, buffer
from ._callbacks import Progress, Watch, serve
from ._errors import ClosedError, ModelError
from ._library import check, lib
from ._tokenizer import Tokenizer

if TYPE_CHECKING:
    from ._generate import Generation
    from ._state import State

Source = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview]
Description = Union[str, Mapping[str, Any]]


class Tensor(NamedTuple):
    """A named array of a model; ``data`` is read in place, or None where only a prepared form is kept.

    For Model.create() ``data`` is anything with a buffer, ``type`` says what it holds where the buffer
    does not ("BF16", "Q8_0") and ``shape`` is that of the numbers, slowest first.
    """
    data: Any
    shape: Tuple[int, ...]
    type: str


class SlotInfo(NamedTuple):
    """Something that a model knows by a name: ``kind`` is "order", "rows" or "inner"."""
    name: str
    width: int
    kind: str


class Handle:
    """A krait_model, closed with the last that refers to it: a model, its states, their views."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __del__(self, close: Callable[[int], None] = lib.krait_model_close) -> None:
        close(self.value)


def text_of(description: Description) -> bytes:
    if not isinstance(description, str):
        description = json.dumps(description)
    return description.encode("utf-8")


def tensor_of(name: str, value: Any) -> Tuple[k.Tensor, object]:
    """A tensor for C, and what must live as long."""
    given = value if isinstance(value, Tensor) else None
    view = buffer(given.data if given else value, name)
    if view is None:
        raise TypeError(f"{name}: an array with a buffer is wanted, not {type(value).__name__}")
    if not view.c_contiguous:
        raise ValueError(f"{name}: a C-contiguous array is wanted")
    kind = given.type.lower() if given else {"f": "f32", "e": "f16"}.get(view.format.lstrip("@=<"))
    if kind not in k.TYPE_NUMBERS:
        raise TypeError(f"{name}: float32, float16 or a krait.Tensor of a known type is wanted, "
                        f"not {kind or 'format ' + view.format!r}")
    shape = tuple(given.shape) if given else tuple(view.shape or ())
    if len(shape) > 4:
        raise ValueError(f"{name}: at most 4 dimensions, not {len(shape)}")
    at, keep = address(view, view.obj)
    made = k.Tensor(name.encode(), at, view.nbytes, (c_uint64 * 4)(*shape), len(shape),
                    k.TYPE_NUMBERS[kind])
    return made, (keep, view)


class Model:
    """An open model.

    ``source`` is the path of a .gguf or .safetensors file or of a folder with config.json, or the bytes
    of such a file.  ``description`` replaces the file's own (JSON text or a dict).  ``read`` reads the file
    instead of mapping it, ``check`` reads every weight now and refuses NaN, ``plain`` uses plain C kernels
    (the same bits, slower), ``fast`` may trade bits for speed, ``prefetch`` brings weights that are used in place
    into memory now.  ``max_bytes`` bounds the memory.  ``parallel``: an executor of threads that helps to load,
    with at most ``tasks`` at once.  ``progress(done, total)`` is called while loading; True cancels.  ``warnings`` holds fields of foreign
    files that were ignored.

    close() and ``with`` let go of it: states that were made go on, and the memory comes back with the
    last of them.  Copies are the model itself; pickling keeps the path, the options and the id.
    """

    def __init__(self, source: Source, *, description: Optional[Description] = None,
                 read: bool = False, check: bool = False, plain: bool = False, fast: bool = False,
                 prefetch: bool = False, max_bytes: int = 0, parallel: Optional[Executor] = None,
                 tasks: int = 1, progress: Optional[Progress] = None) -> None:
        flags = (k.OPEN_READ * read | k.OPEN_CHECK * check | k.OPEN_PLAIN * plain
                 | k.OPEN_FAST * fast | k.OPEN_PREFETCH * prefetch)
        text = None if description is None else text_of(description)
        self._recipe: Optional[Dict[str, Any]] = None
        if isinstance(source, (bytes, bytearray, memoryview)):
            view = memoryview(source)
            at, keep = address(view, source)

            def make(handle: Any, options: k.OpenOptions, message: k.Message) -> int:
                status: int = lib.krait_model_open_memory(byref(handle), at, view.nbytes,
                                                          byref(options), byref(message))
                return status
        else:
            path = os.fspath(source)
            self._recipe = dict(path=os.path.abspath(path), flags=flags, description=text,
                                max_bytes=max_bytes)

            def make(handle: Any, options: k.OpenOptions, message: k.Message) -> int:
                status: int = lib.krait_model_open(byref(handle), os.fsencode(path),
                                                   byref(options), byref(message))
                return status
        self._make(make, flags, text, max_bytes, progress, parallel, tasks)

    @classmethod
    def create(cls, description: Description, tensors: Mapping[str, Any], *, check: bool = False,
               plain: bool = False, max_bytes: int = 0,
               progress: Optional[Progress] = None) -> "Model":
        """A model of a description (krait's own tree or a known config.json, as text or dict) and named
        arrays: float32 or float16, or krait.Tensor for other types.  Everything is copied."""
        pairs = [tensor_of(name, value) for name, value in tensors.items()]
        array = (k.Tensor * max(len(pairs), 1))(*[pair[0] for pair in pairs])
        text = text_of(description)
        self = cls.__new__(cls)
        self._recipe = None

        def make(handle: Any, options: k.OpenOptions, message: k.Message) -> int:
            status: int = lib.krait_model_create(byref(handle), text, array, len(pairs),
                                                 byref(options), byref(message))
            return status
        self._make(make, k.OPEN_CHECK * check | k.OPEN_PLAIN * plain, None, max_bytes, progress)
        return self

    def _make(self, make: Callable[[Any, k.OpenOptions, k.Message], int], flags: int,
              description: Optional[bytes], max_bytes: int, progress: Optional[Progress],
              parallel: Optional[Executor] = None, tasks: int = 1) -> None:
        watch = Watch(progress)
        handle = c_void_p()
        message = k.Message()
        options = k.sized(k.OpenOptions)
        options.max_bytes = max_bytes
        options.flags = flags
        options.description = description
        options.warn = watch.warn
        if watch.tick is not None:
            options.progress = watch.tick
        if parallel is not None:
            options.parallel = serve(parallel)
            options.tasks = tasks
        status = make(handle, options, message)
        self._handle: Optional[Handle] = Handle(handle.value) if handle.value else None
        watch.check(status, message)
        self._id = int(lib.krait_model_id(self._use().value))
        self.warnings = tuple(watch.warnings)
        self._tokenizer: Optional[Tokenizer] = None

    # ---- life ----

    def close(self) -> None:
        """Let go of the model.  States that were made of it go on."""
        self._handle = None
        self._tokenizer = None

    @property
    def closed(self) -> bool:
        return self._handle is None

    def _use(self) -> Handle:
        """For a call: who holds this holds the model open."""
        handle = self._handle
        if handle is None:
            raise ClosedError("the model is closed")
        return handle

    def __enter__(self) -> "Model":
        self._use()
        return self

    def __exit__(self, *why: object) -> None:
        self.close()

    def __copy__(self) -> "Model":
        return self

    def __deepcopy__(self, memo: Dict[int, Any]) -> "Model":
        return self

    def __reduce__(self) -> Tuple[Any, ...]:
        if self._recipe is None:
            raise TypeError("a model that was not opened by a path cannot be pickled")
        return reopen, (type(self), self._recipe, self.id)

    def __repr__(self) -> str:
        if self.closed:
            return "<krait.Model, closed>"
        where = f" {self._recipe['path']}" if self._recipe else ""
        return f"<krait.Model{where}: {self.parameters} parameters, id {self.id:016x}>"

    # ---- what it is ----

    def get(self, key: int) -> int:
        """A number by its KRAIT_... key, for keys that have no property here."""
        value = c_int64()
        check(lib.krait_model_get(self._use().value, key, byref(value)), what=f"key {key}")
        return value.value

    @property
    def in_width(self) -> int:
        """Floats of one row of features; of all cells, if it is a grid."""
        return self.get(k.IN_WIDTH)

    @property
    def out_width(self) -> int:
        """Floats of one row of output."""
        return self.get(k.OUT_WIDTH)

    @property
    def vocabulary(self) -> int:
        """Token ids are 0 to this - 1; 0: takes no tokens."""
        return self.get(k.VOCABULARY)

    @property
    def layers(self) -> int:
        """Layers that remember something."""
        return self.get(k.LAYERS)

    @property
    def parameters(self) -> int:
        """Numbers in the weights; shared ones count once."""
        return self.get(k.PARAMETERS)

    @property
    def weight_bytes(self) -> int:
        """Bytes of the weights as they are held."""
        return self.get(k.WEIGHT_BYTES)

    @property
    def state_bytes(self) -> int:
        """Bytes that one lane remembers."""
        return self.get(k.STATE_BYTES_PER_LANE)

    @property
    def whole_sequence(self) -> bool:
        """It needs a whole sequence per run()."""
        return bool(self.get(k.WHOLE_SEQUENCE))

    @property
    def most_steps(self) -> int:
        """Bound of a sequence of a whole-sequence model; 0: max_steps alone."""
        return self.get(k.MOST_STEPS)

    @property
    def can_step(self) -> bool:
        return bool(self.get(k.CAN_STEP))

    @property
    def uses_dt(self) -> bool:
        """Some layer uses the time between rows."""
        return bool(self.get(k.USES_DT))

    @property
    def takes_tokens(self) -> bool:
        return bool(self.get(k.TAKES_TOKENS))

    @property
    def end_token(self) -> Optional[int]:
        """The id that ends a text, if the file names one."""
        value = self.get(k.END_TOKEN)
        return value if value >= 0 else None

    @property
    def grid(self) -> Tuple[int, int]:
        """Rows and columns of a step of input; (1, 1): it is no grid."""
        return self.get(k.GRID_ROWS), self.get(k.GRID_COLUMNS)

    @property
    def id(self) -> int:
        """The same for one model from safetensors and GGUF; reads no weights."""
        return self._id

    def hash(self) -> int:
        """Of every weight too: reads the whole model."""
        value = c_uint64()
        check(lib.krait_model_hash(self._use().value, byref(value)))
        return value.value

    def text(self, key: str) -> Optional[str]:
        """One piece of metadata."""
        handle = self._use()
        value = lib.krait_model_text(handle.value, key.encode())
        return None if value is None else value.decode("utf-8", "replace")

    @property
    def metadata(self) -> Dict[str, str]:
        handle = self._use()
        result: Dict[str, str] = {}
        while True:
            key = lib.krait_model_key(handle.value, len(result))
            if key is None:
                return result
            result[key.decode("utf-8", "replace")] = self.text(key.decode()) or ""

    @property
    def description(self) -> Dict[str, Any]:
        """The whole tree of layers."""
        result: Dict[str, Any] = json.loads(self.text("krait.description") or "{}")
        return result

    @property
    def kernels(self) -> str:
        """The kernels in use: "avx512", "neon", ..."""
        return self.text("krait.kernels") or ""

    @property
    def tensors(self) -> Dict[str, Tensor]:
        """The file's tensors by name, in its order.  data is a read-only memoryview into the model:
        numpy.frombuffer(t.data, numpy.float32).reshape(t.shape)."""
        handle = self._use()
        result: Dict[str, Tensor] = {}
        info = k.Tensor()
        while lib.krait_model_tensor(handle.value, len(result), byref(info)) == 0:
            shape = tuple(info.shape[:info.dimensions])
            result[info.name.decode()] = Tensor(view_of(info.data, info.bytes, handle), shape,
                                                k.TYPES.get(info.type, f"type {info.type}"))
        return result

    @property
    def slots(self) -> Tuple[SlotInfo, ...]:
        """Orders that run() must be given and rows that it may be asked for, by name."""
        handle = self._use()
        result: List[SlotInfo] = []
        info = k.sized(k.SlotInfo)
        while lib.krait_model_slot(handle.value, len(result), byref(info)) == 0:
            result.append(SlotInfo(info.name.decode(), info.width, k.SLOT_KINDS[info.kind]))
        return tuple(result)

    @property
    def tokenizer(self) -> Optional[Tokenizer]:
        """The vocabulary that came with the model, or None."""
        handle = self._use()
        if self._tokenizer is None:
            value = lib.krait_model_tokenizer(handle.value)
            if value:
                self._tokenizer = Tokenizer._of_model(value, handle)
        return self._tokenizer

    # ---- what it does ----

    def state(self, lanes: int = 1, *, chunk: Optional[int] = None, tasks: int = 1,
              context: int = 0, max_steps: int = 0) -> "State":
        """A fresh state of so many independent streams.

        ``chunk`` rows of each lane go through the layers together in run(): more take more scratch
        memory, the result is the same (default: 64 rows in all).  ``tasks``: see run(parallel=).
        ``max_steps``: the longest sequence of a whole-sequence model.
        """
        from ._state import State
        return State(self, lanes, chunk=chunk, tasks=tasks, context=context, max_steps=max_steps)

    def generate(self, prompt: Any = "", **options: Any) -> "Generation":
        """An iterator of the text that the model writes after ``prompt``: see krait.Generation."""
        from ._generate import Generation
        return Generation(self, prompt, **options)


def view_of(at: Optional[int], count: int, handle: Handle) -> Optional[memoryview]:
    if not at or not count:
        return None
    kind: Any = type("Block", (ctypes.c_char * count,), {})     # a class of its own takes attributes
    block = kind.from_address(at)
    block.keep = handle
    return memoryview(block).cast("B").toreadonly()


def reopen(cls: Any, recipe: Dict[str, Any], wanted: int) -> Model:
    """What pickle calls: the same file again, and it must still be the same model."""
    flags = recipe["flags"]
    text = recipe["description"]
    model: Model = cls(recipe["path"], description=None if text is None else text.decode("utf-8"),
                       read=bool(flags & k.OPEN_READ), check=bool(flags & k.OPEN_CHECK),
                       plain=bool(flags & k.OPEN_PLAIN), fast=bool(flags & k.OPEN_FAST),
                       prefetch=bool(flags & k.OPEN_PREFETCH),
                       max_bytes=recipe["max_bytes"])
    if model.id != wanted:
        raise ModelError(f"{recipe['path']}: another model than the one that was pickled")
    return model
