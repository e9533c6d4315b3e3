"""What krait answers when it does not do what it was asked, as exceptions."""

from __future__ import annotations

from typing import Dict, Optional, Type


class Error(Exception):
    """Anything krait refuses.

    ``status`` is krait_status (-1, -2, ...), or None where the refusal is this package's own;
    ``message`` says what was wrong with which file, tensor or argument.
    """

    code: Optional[int] = None      # the status that becomes this class

    def __init__(self, message: str, status: Optional[int] = None) -> None:
        super().__init__(message, status)
        self.message = message
        self.status = status

    def __str__(self) -> str:
        return self.message


class ArgumentError(Error, ValueError):
    """A number out of range, a size that is wrong, NaN where it was to be refused."""
    code = -1


class OutOfMemoryError(Error, MemoryError):
    """No memory, or more than ``max_bytes``."""
    code = -2


class FileError(Error, OSError):
    """A file cannot be opened, read or written."""
    code = -3


class FormatError(Error, ValueError):
    """The bytes are not what they claim to be."""
    code = -4


class UnsupportedError(Error, NotImplementedError):
    """Valid, but nothing that this build of krait can do."""
    code = -5


class ShapeError(Error, ValueError):
    """Tensors and description disagree."""
    code = -6


class ModelError(Error, ValueError):
    """The state belongs to another model."""
    code = -7


class AlignmentError(Error, ValueError):
    """Memory that is not aligned."""
    code = -8


class SpaceError(Error, ValueError):
    """A buffer that is too small."""
    code = -9


class CancelledError(Error):
    """``progress`` said so.  ``result`` is what krait_run() had done, if that was cancelled."""
    code = -10
    result: object = None


class CannotStepError(Error, TypeError):
    """The model needs the whole sequence: use run()."""
    code = -11


class BuildError(Error, RuntimeError):
    """The library was compiled so that its numbers would be wrong."""
    code = -12


class BusyError(Error, RuntimeError):
    """Another thread is using this state at this moment."""


class ClosedError(Error, ValueError):
    """The model, state or tokenizer was closed."""


CLASSES: Dict[int, Type[Error]] = {
    kind.code: kind for kind in Error.__subclasses__() if kind.code is not None}
