"""The shared library: where it is, what its functions take, and errors as exceptions."""

from __future__ import annotations

import ctypes
import os
import sys
from ctypes import POINTER, c_char_p, c_int32, c_int64, c_size_t, c_uint64, c_void_p
from pathlib import Path
from typing import Any, List, Optional

from . import _structs as k
from ._errors import CLASSES, Error

Status = c_int32
SPACE = -9                          # KRAIT_ERR_SPACE: the size that is needed was set

# name: result, arguments
FUNCTIONS = {
    "krait_version": (c_char_p, []),
    "krait_abi": (c_int32, []),
    "krait_numerics": (c_int32, []),
    "krait_build": (c_char_p, []),
    "krait_status_text": (c_char_p, [c_int32]),
    "krait_model_open": (Status, [POINTER(c_void_p), c_char_p, POINTER(k.OpenOptions),
                                  POINTER(k.Message)]),
    "krait_model_open_memory": (Status, [POINTER(c_void_p), c_void_p, c_size_t,
                                         POINTER(k.OpenOptions), POINTER(k.Message)]),
    "krait_model_create": (Status, [POINTER(c_void_p), c_char_p, POINTER(k.Tensor), c_size_t,
                                    POINTER(k.OpenOptions), POINTER(k.Message)]),
    "krait_model_close": (None, [c_void_p]),
    "krait_model_get": (Status, [c_void_p, c_int32, POINTER(c_int64)]),
    "krait_model_text": (c_char_p, [c_void_p, c_char_p]),
    "krait_model_tensor": (Status, [c_void_p, c_size_t, POINTER(k.Tensor)]),
    "krait_model_slot": (Status, [c_void_p, c_size_t, POINTER(k.SlotInfo)]),
    "krait_model_key": (c_char_p, [c_void_p, c_size_t]),
    "krait_model_id": (c_uint64, [c_void_p]),
    "krait_model_hash": (Status, [c_void_p, POINTER(c_uint64)]),
    "krait_state_bytes": (Status, [c_void_p, POINTER(k.StateOptions), POINTER(c_size_t)]),
    "krait_state_place": (Status, [POINTER(c_void_p), c_void_p, POINTER(k.StateOptions), c_void_p,
                                   c_size_t]),
    "krait_state_adopt": (Status, [POINTER(c_void_p), c_void_p, c_void_p, c_size_t]),
    "krait_state_data": (c_void_p, [c_void_p, POINTER(c_size_t)]),
    "krait_state_reset": (Status, [c_void_p, c_void_p, c_int32]),
    "krait_state_copy": (Status, [c_void_p, c_void_p, c_int32, c_void_p, c_int32]),
    "krait_state_hash": (Status, [c_void_p, c_void_p, c_int32, POINTER(c_uint64)]),
    "krait_state_save": (Status, [c_void_p, c_void_p, c_int32, c_void_p, c_size_t,
                                  POINTER(c_size_t)]),
    "krait_state_load": (Status, [c_void_p, c_void_p, c_int32, c_char_p, c_size_t,
                                  POINTER(k.Message)]),
    "krait_part_info": (Status, [c_void_p, c_size_t, POINTER(k.Part)]),
    "krait_part_read": (Status, [c_void_p, c_void_p, c_size_t, c_int32, c_void_p, c_size_t]),
    "krait_part_write": (Status, [c_void_p, c_void_p, c_size_t, c_int32, c_void_p, c_size_t]),
    "krait_run": (Status, [c_void_p, c_void_p, POINTER(k.Input), POINTER(k.Output),
                           POINTER(k.Message)]),
    "krait_step": (Status, [c_void_p, c_void_p, c_void_p, c_void_p]),
    "krait_step_tokens": (Status, [c_void_p, c_void_p, c_void_p, c_void_p]),
    "krait_tokenizer_open": (Status, [POINTER(c_void_p), c_char_p, POINTER(k.TokenizerOptions),
                                      POINTER(k.Message)]),
    "krait_tokenizer_open_memory": (Status, [POINTER(c_void_p), c_void_p, c_size_t,
                                             POINTER(k.TokenizerOptions), POINTER(k.Message)]),
    "krait_tokenizer_close": (None, [c_void_p]),
    "krait_model_tokenizer": (c_void_p, [c_void_p]),
    "krait_tokenizer_get": (Status, [c_void_p, c_int32, POINTER(c_int64)]),
    "krait_tokenizer_encode": (Status, [c_void_p, c_char_p, c_size_t, c_int32, c_void_p, c_size_t,
                                        POINTER(c_size_t)]),
    "krait_tokenizer_decode": (Status, [c_void_p, c_void_p, c_size_t, c_int32, c_void_p, c_size_t,
                                        POINTER(c_size_t)]),
    "krait_tokenizer_next": (Status, [c_void_p, POINTER(k.Decoder), c_int32, c_int32, c_void_p,
                                      c_size_t, POINTER(c_size_t)]),
    "krait_tokenizer_token": (Status, [c_void_p, c_int32, POINTER(k.TokenInfo)]),
    "krait_rng_seed": (None, [POINTER(k.Rng), c_uint64]),
    "krait_sample": (Status, [c_void_p, c_size_t, POINTER(k.SampleOptions), POINTER(k.Rng),
                              POINTER(c_int32)]),
    "krait_convert": (Status, [c_char_p, c_char_p, POINTER(k.ConvertOptions), POINTER(k.Message)]),
}


def file_name() -> str:
    """What the library is called beside this file."""
    if sys.platform == "win32":
        return "krait.dll"
    return "libkrait.dylib" if sys.platform == "darwin" else "libkrait.so"


def candidates() -> List[str]:
    """Where it may be, best first: KRAIT_LIBRARY alone if that is set, else the file of the wheel,
    what make put into the lib/ of a checkout, and what the system's loader knows."""
    named = os.environ.get("KRAIT_LIBRARY")
    if named:
        return [named]
    here = Path(__file__).resolve()
    result = [here.with_name(file_name())]
    if len(here.parents) > 3 and (here.parents[3] / "include" / "krait.h").exists():
        result.append(here.parents[3] / "lib" / file_name())
    found = [str(path) for path in result if path.exists()]
    return found + ([f"libkrait.so.{k.ABI}"] if sys.platform.startswith("linux") else [file_name()])


def load() -> ctypes.CDLL:
    """The first of candidates() that loads and has this package's ABI; ImportError says why none."""
    tried = []
    for path in candidates():
        try:
            library = ctypes.CDLL(path)
            abi = library.krait_abi()
        except (OSError, AttributeError) as why:
            tried.append(str(why))
            continue
        if abi == k.ABI:
            return library
        tried.append(f"{path}: its ABI is {abi}, this package was written for {k.ABI}")
    raise ImportError("krait's library cannot be loaded (KRAIT_LIBRARY names a file): "
                      + "; ".join(tried))


def declare(library: ctypes.CDLL) -> ctypes.CDLL:
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


lib = declare(load())


def bare(name: str) -> Any:
    """A function without argument types, which ctypes calls faster when given byref() alone."""
    function = lib[name]                # a new object each time: lib.name keeps its types
    function.restype = c_int32
    return function


def error(status: int, message: Optional[k.Message] = None, what: str = "") -> Error:
    text = message.text.decode("utf-8", "replace") if message is not None else ""
    if not text:
        text = lib.krait_status_text(status).decode("utf-8", "replace")
        text = f"{what}: {text}" if what else text
    return CLASSES.get(status, Error)(text, status)


def check(status: int, message: Optional[k.Message] = None, what: str = "") -> None:
    """Raises what a status stands for."""
    if status != 0:
        raise error(status, message, what)
