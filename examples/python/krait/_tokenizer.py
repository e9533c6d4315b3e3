"""Text to token ids and back."""

from __future__ import annotations

import ctypes
import os
from ctypes import byref, c_int32, c_int64, c_size_t, c_void_p
from typing import Callable, Iterable, List, NamedTuple, Optional, Union

from . import _structs as k
from ._arrays import address
from ._errors import ClosedError
from ._library import SPACE, check, lib


class Token(NamedTuple):
    """One entry of a vocabulary; the bytes may be part of a character."""
    bytes: bytes
    special: bool       # of control: text never becomes it unasked
    added: bool         # cut out of a text before anything else
    byte: bool          # one byte of a character without a token
    unused: bool        # the file says that nobody uses it
    unknown: bool       # stands for what has no token


class Handle:
    """A krait_tokenizer of its own, closed with the last that refers to it."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __del__(self, close: Callable[[int], None] = lib.krait_tokenizer_close) -> None:
        close(self.value)


def flags_of(special: bool, goes_on: bool, around: bool = False) -> int:
    return k.TEXT_SPECIAL * special | k.TEXT_GOES_ON * goes_on | k.TEXT_AROUND * around


class Tokenizer:
    """A vocabulary: a model's own (model.tokenizer) or that of a tokenizer.json, of a folder that holds
    one, of a GGUF, or of their bytes.  Any number of threads may use it at once."""

    def __init__(self, source: Union[str, "os.PathLike[str]", bytes, bytearray, memoryview], *,
                 max_bytes: int = 0) -> None:
        handle = c_void_p()
        message = k.Message()
        options = k.sized(k.TokenizerOptions)
        options.max_bytes = max_bytes
        if isinstance(source, (bytes, bytearray, memoryview)):
            view = memoryview(source)
            at, keep = address(view, source)
            status = lib.krait_tokenizer_open_memory(byref(handle), at, view.nbytes, byref(options),
                                                     byref(message))
        else:
            status = lib.krait_tokenizer_open(byref(handle), os.fsencode(source), byref(options),
                                              byref(message))
        check(status, message)
        self._owner: Optional[object] = Handle(handle.value or 0)
        self._value = handle.value or 0

    @classmethod
    def _of_model(cls, value: int, owner: object) -> "Tokenizer":
        self = cls.__new__(cls)
        self._owner = owner
        self._value = value
        return self

    def close(self) -> None:
        """Let go of it; a model's own stays the model's."""
        self._owner = None

    def __enter__(self) -> "Tokenizer":
        self._use()
        return self

    def __exit__(self, *why: object) -> None:
        self.close()

    def _use(self) -> object:
        owner = self._owner
        if owner is None:
            raise ClosedError("the tokenizer is closed")
        return owner

    def _get(self, key: int) -> int:
        held = self._use()
        value = c_int64()
        check(lib.krait_tokenizer_get(self._value, key, byref(value)))
        del held
        return value.value

    @staticmethod
    def _named(value: int) -> Optional[int]:
        return value if value >= 0 else None

    def __len__(self) -> int:
        """Ids are 0 to this - 1; some between may have no token."""
        return self._get(k.TOKENIZER_COUNT)

    @property
    def begin(self) -> Optional[int]:
        """The id that begins a text, if the file names one."""
        return self._named(self._get(k.TOKENIZER_BEGIN))

    @property
    def end(self) -> Optional[int]:
        """The id that ends a text, if the file names one."""
        return self._named(self._get(k.TOKENIZER_END))

    @property
    def unknown(self) -> Optional[int]:
        """The id that stands for what has no token."""
        return self._named(self._get(k.TOKENIZER_UNKNOWN))

    @property
    def encodes(self) -> bool:
        """False: its ids can be decoded, but what text becomes is not known to krait."""
        return bool(self._get(k.TOKENIZER_ENCODES))

    def encode(self, text: Union[str, bytes], *, special: bool = False, goes_on: bool = False,
               around: bool = False) -> List[int]:
        """The ids of a text.  special: special tokens written in it become theirs; goes_on: it follows
        another text; around: with the tokens that the file wants before and behind."""
        held = self._use()
        data = text.encode("utf-8") if isinstance(text, str) else bytes(text)
        flags = flags_of(special, goes_on, around)
        count = c_size_t(len(data) + 8)
        while True:
            room = count.value
            tokens = (c_int32 * max(room, 1))()
            status = lib.krait_tokenizer_encode(self._value, data, len(data), flags, tokens, room,
                                                byref(count))
            if status != SPACE:
                break
        check(status, what="encode")
        del held
        return list(tokens[:count.value])

    def decode_bytes(self, tokens: Iterable[int], *, special: bool = False,
                     goes_on: bool = False) -> bytes:
        """The bytes of the tokens' text."""
        held = self._use()
        ids = [int(token) for token in tokens]
        if any(not -2**31 <= token < 2**31 for token in ids):
            raise ValueError("tokens: an id does not fit 32 bits")
        array = (c_int32 * max(len(ids), 1))(*ids)
        flags = flags_of(special, goes_on)
        count = c_size_t(16 * len(ids) + 16)
        while True:
            room = count.value
            text = ctypes.create_string_buffer(max(room, 1))
            status = lib.krait_tokenizer_decode(self._value, array, len(ids), flags, text, room,
                                                byref(count))
            if status != SPACE:
                break
        check(status, what="decode")
        del held
        return text.raw[:count.value]

    def decode(self, tokens: Iterable[int], *, special: bool = False, goes_on: bool = False) -> str:
        """The tokens' text; bytes that are no UTF-8 become U+FFFD.  special: special tokens give their
        text, too; goes_on: it follows another text."""
        return self.decode_bytes(tokens, special=special, goes_on=goes_on).decode("utf-8", "replace")

    def token(self, token: int) -> Token:
        """One token; ArgumentError for an id without one."""
        held = self._use()
        info = k.sized(k.TokenInfo)
        check(lib.krait_tokenizer_token(self._value, token, byref(info)), what=f"token {token}")
        data = ctypes.string_at(info.bytes, info.count) if info.count else b""
        del held
        return Token(data, *[bool(info.flags & 1 << bit) for bit in range(5)])

    def decoder(self, *, special: bool = False, goes_on: bool = False) -> "Decoder":
        """For tokens one after another."""
        return Decoder(self, special=special, goes_on=goes_on)


class Decoder:
    """Tokens one after another to text: characters that are not whole yet are held back."""

    def __init__(self, tokenizer: Tokenizer, *, special: bool = False, goes_on: bool = False) -> None:
        self._tokenizer = tokenizer
        self._flags = flags_of(special, goes_on)
        self._decoder = k.Decoder()
        self._room = ctypes.create_string_buffer(256)

    def push(self, token: int) -> bytes:
        """What has become whole characters by this token."""
        if not 0 <= token < 2**31:
            raise ValueError(f"there is no token {token}")
        return self._next(token)

    def finish(self) -> bytes:
        """What is still held, as it is; a new text may begin."""
        rest = self._next(-1)
        self._decoder = k.Decoder()
        return rest

    def _next(self, token: int) -> bytes:
        held = self._tokenizer._use()
        count = c_size_t()
        while True:
            status = lib.krait_tokenizer_next(self._tokenizer._value, byref(self._decoder), token,
                                              self._flags, self._room, len(self._room), byref(count))
            if status != SPACE:
                break
            self._room = ctypes.create_string_buffer(count.value)
        check(status, what=f"token {token}")
        del held
        return self._room.raw[:count.value]

    def __copy__(self) -> "Decoder":
        made = Decoder(self._tokenizer)
        made._flags = self._flags
        made._decoder = k.Decoder.from_buffer_copy(self._decoder)
        return made
