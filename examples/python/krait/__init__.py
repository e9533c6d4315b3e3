"""State space models, one row at a time or many at once: krait's C library in Python.

    import krait
    model = krait.Model("examples/models/mamba-novels.gguf")
    for piece in model.generate("It was a "):
        print(piece, end="", flush=True)

    state = model.state(lanes=8)
    logits = state.step(tokens)                 # [8] -> [8, out_width]
    rows = state.run(x, dt=0.5, mode="scan")    # [8, steps, in_width] -> [8, steps, out_width]

krait.h says what each call does; names here are its names.  NumPy is used where it is installed.  Errors are
krait.Error and its subclasses, with the library's message and status.
"""

from ._convert import convert
from ._errors import (AlignmentError, ArgumentError, BuildError, BusyError, CancelledError,
                      CannotStepError, ClosedError, Error, FileError, FormatError, ModelError,
                      OutOfMemoryError, ShapeError, SpaceError, UnsupportedError)
from ._generate import Generation, Rng, sample
from ._library import lib as _lib
from ._model import Model, SlotInfo, Tensor
from ._parts import Part, Parts
from ._run import Result
from ._state import State
from ._tokenizer import Decoder, Token, Tokenizer


def version() -> str:
    """Of the library that runs: "0.1.0"."""
    return str(_lib.krait_version().decode())


def build() -> str:
    """Compiler and the kernels built in and usable here, best first."""
    return str(_lib.krait_build().decode())


def numerics() -> int:
    """Changes when any RECURRENT result changes a bit: peers in lockstep compare this."""
    return int(_lib.krait_numerics())


__version__ = version()

__all__ = [
    "AlignmentError", "ArgumentError", "BuildError", "BusyError", "CancelledError",
    "CannotStepError", "ClosedError", "Decoder", "Error", "FileError", "FormatError", "Generation",
    "Model", "ModelError", "OutOfMemoryError", "Part", "Parts", "Result", "Rng", "ShapeError",
    "SlotInfo", "SpaceError", "State", "Tensor", "Token", "Tokenizer", "UnsupportedError", "build",
    "convert", "numerics", "sample", "version",
]
