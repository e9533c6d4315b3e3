"""Files to GGUF."""

from __future__ import annotations

import os
from ctypes import byref
from typing import Optional, Tuple, Union

from . import _structs as k
from ._errors import ArgumentError
from ._callbacks import Progress, Watch
from ._library import lib
from ._model import Description, text_of

Path = Union[str, "os.PathLike[str]"]


def convert(source: Path, target: Path, *, type: str = "f32", layout: str = "rows",
            description: Optional[Description] = None, read: bool = False, max_bytes: int = 0,
            progress: Optional[Progress] = None) -> Tuple[str, ...]:
    """Write a GGUF of what Model() opens; returns warnings.

    ``type`` is that of the large matrices: "f32", "f16", "bf16", "q8_0"; layout "panels" is mapped in
    place by krait, "rows" is for any reader.  No half file is left behind.
    """
    if type.lower() not in k.TYPE_NUMBERS:
        raise ArgumentError(f"type: {type!r} is none of {', '.join(k.TYPE_NUMBERS)}")
    if layout not in k.LAYOUTS:
        raise ArgumentError(f"layout: {layout!r} is none of {', '.join(k.LAYOUTS)}")
    watch = Watch(progress)
    message = k.Message()
    options = k.sized(k.ConvertOptions)
    options.max_bytes = max_bytes
    options.description = None if description is None else text_of(description)
    options.warn = watch.warn
    if watch.tick is not None:
        options.progress = watch.tick
    options.type = k.TYPE_NUMBERS[type.lower()]
    options.layout = k.LAYOUTS[layout]
    options.flags = k.OPEN_READ * read
    watch.check(lib.krait_convert(os.fsencode(source), os.fsencode(target), byref(options),
                                  byref(message)), message)
    return tuple(watch.warnings)
