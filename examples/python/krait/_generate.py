"""Text: sampling with a generator of one's own, stops, and pieces that end with whole characters."""

from __future__ import annotations

from ctypes import byref, c_float, c_int32, memmove
from typing import Any, Iterator, List, Optional, Sequence, Tuple, Union

from . import _structs as k
from ._arrays import take
from ._errors import ArgumentError, UnsupportedError
from ._library import check, lib
from ._model import Model
from ._state import State
from ._tokenizer import Tokenizer

RECENT = 64                             # tokens that `repetition` looks back on


class Rng:
    """Random numbers in your hands: the same for the same seed on every machine.  Can be copied and
    pickled, in the middle of a text, too."""

    def __init__(self, seed: int = 1) -> None:
        self._rng = k.Rng()
        lib.krait_rng_seed(byref(self._rng), seed & (2**64 - 1))

    @property
    def words(self) -> Tuple[int, int]:
        """All that it remembers."""
        return self._rng.word[0], self._rng.word[1]

    def copy(self) -> "Rng":
        return revive(self.words)

    __copy__ = copy

    def __reduce__(self) -> Tuple[Any, ...]:
        return revive, (self.words,)

    def __repr__(self) -> str:
        return f"<krait.Rng {self.words[0]:016x} {self.words[1]:016x}>"


def revive(words: Tuple[int, int]) -> Rng:
    made = Rng()
    made._rng.word[0], made._rng.word[1] = words
    return made


def sample(logits: Any, *, rng: Optional[Rng] = None, temperature: float = 0.0, top_k: int = 0,
           top_p: float = 0.0, min_p: float = 0.0, repetition: float = 0.0,
           recent: Sequence[int] = ()) -> int:
    """Choose a token of float32 logits [vocabulary], which are left as they are.

    temperature 0 is greedy and needs no rng.  Then repetition (above 1: ``recent`` tokens become less
    likely), temperature, top_k, top_p and min_p, in this order; 0 turns each off.
    """
    block = take(logits, "f", "logits")
    if len(block.shape) != 1:
        raise ArgumentError(f"logits: one row is wanted, not {block.shape}")
    scratch = (c_float * max(block.shape[0], 1))()
    memmove(scratch, block.address, 4 * block.shape[0])
    return sample_in_place(scratch, block.shape[0], rng, options_of(temperature, top_k, top_p, min_p,
                                                                    repetition), recent)


def options_of(temperature: float, top_k: int, top_p: float, min_p: float,
               repetition: float) -> k.SampleOptions:
    if not 0 <= top_k < 2**32:
        raise ArgumentError(f"top_k: {top_k} is out of range")
    options = k.sized(k.SampleOptions)
    options.temperature = temperature
    options.top_k = top_k
    options.top_p = top_p
    options.min_p = min_p
    options.repetition = repetition
    return options


def sample_in_place(logits: Any, count: int, rng: Optional[Rng], options: k.SampleOptions,
                    recent: Sequence[int]) -> int:
    looked = take(list(recent), "i", "recent") if recent else None
    options.recent = looked.address if looked else None
    options.recent_count = len(recent)
    token = c_int32()
    check(lib.krait_sample(logits, count, byref(options), byref(rng._rng) if rng else None,
                           byref(token)), what="sample")
    return token.value


class Stops:
    """Holds back what may be the beginning of a text to stop at."""

    def __init__(self, stops: Sequence[bytes]) -> None:
        self.stops = [stop for stop in stops if stop]
        self.held = b""

    def put(self, piece: bytes) -> Tuple[bytes, bool]:
        """What can go, and whether a stop came."""
        self.held += piece
        found = [at for at in (self.held.find(stop) for stop in self.stops) if at >= 0]
        if found:
            piece, self.held = self.held[:min(found)], b""
            return piece, True
        at = min((self.begins(stop) for stop in self.stops), default=len(self.held))
        piece, self.held = self.held[:at], self.held[at:]
        return piece, False

    def begins(self, stop: bytes) -> int:
        """Where the end of what is held begins a stop."""
        for at in range(max(0, len(self.held) - len(stop) + 1), len(self.held)):
            if stop.startswith(self.held[at:]):
                return at
        return len(self.held)

    def rest(self) -> bytes:
        piece, self.held = self.held, b""
        return piece


class Generation(Iterator[str]):
    """Text that a model writes, piece by piece: ``for piece in model.generate("It was"): ...``

    ``prompt`` is a text, bytes or token ids; without one the text begins after an end of text.  ``tokens``:
    how many at most.  temperature, top_k, top_p, min_p, repetition: as in krait.sample(), the last 64 tokens
    being recent.  ``rng`` or ``seed``: another seed, another text.  ``stop``: texts before which to stop.
    ``stop_at_end``: stop where the model ends the text.  ``special``: special tokens in the prompt count as
    such, and those that come out are shown.  ``tokenizer``: for a model without a vocabulary.

    ``state``: where the text goes on, one lane; it has taken in all that was written when this is exhausted or
    closed, and a prompt is needed to go on from it.  ``ids`` holds the tokens written, ``text`` their text,
    ``reason`` why it ended: "tokens", "stop" or "end".
    """

    def __init__(self, model: Model, prompt: Union[str, bytes, Sequence[int]] = "", *,
                 tokens: int = 200, temperature: float = 0.8, top_k: int = 0, top_p: float = 0.0,
                 min_p: float = 0.0, repetition: float = 0.0, rng: Optional[Rng] = None,
                 seed: int = 1, stop: Union[str, Sequence[str]] = (), stop_at_end: bool = False,
                 special: bool = False, state: Optional[State] = None,
                 tokenizer: Optional[Tokenizer] = None, chunk: int = 64) -> None:
        if not model.takes_tokens:
            raise UnsupportedError("the model takes no tokens: run() takes rows of numbers")
        self._model = model
        self._tokenizer = tokenizer or model.tokenizer
        if self._tokenizer is None:
            raise UnsupportedError("the model has no vocabulary that krait can use: give tokenizer=, or "
                                   "use step() and sample() with ids")
        self._goes_on = state is not None
        self.state = model.state(chunk=chunk) if state is None else state
        if self.state.lanes != 1:
            raise ArgumentError(f"state: one lane is wanted, not {self.state.lanes}")
        self.rng = rng or Rng(seed)
        self._options = options_of(temperature, top_k, top_p, min_p, repetition)
        self._choices = min(model.out_width, model.vocabulary)
        self._end = model.end_token if stop_at_end else None
        self._most = tokens
        self._stops = Stops([text.encode("utf-8") for text in ([stop] if isinstance(stop, str) else stop)])
        self._begin(prompt, special)

    def _begin(self, prompt: Union[str, bytes, Sequence[int]], special: bool) -> None:
        assert self._tokenizer is not None
        if isinstance(prompt, (str, bytes)):
            ids = self._tokenizer.encode(prompt, special=special, goes_on=self._goes_on,
                                         around=not self._goes_on) if prompt else []
        else:
            ids = [int(token) for token in prompt]
        if not ids and self._goes_on:
            raise ArgumentError("prompt: a state goes on with a prompt")
        self._decoder = self._tokenizer.decoder(special=special, goes_on=bool(ids))
        self.ids: List[int] = []
        self.text = ""
        self.reason: Optional[str] = None
        ids = ids or [self._model.end_token or 0]
        if len(ids) > 1:
            self.state.run(ids[:-1], rows="none")
        self._pending: Optional[int] = ids[-1]
        self._recent = [token for token in ids if token < self._choices][-RECENT:]
        self._logits = (c_float * self._model.out_width)()
        self._rows = memoryview(self._logits).cast("B").cast("f")

    def __iter__(self) -> "Generation":
        return self

    def __next__(self) -> str:
        while self.reason is None:
            piece = self._advance()
            if piece:
                self.text += piece
                return piece
        self.close()
        raise StopIteration

    def next_token(self) -> int:
        """One token of the model's, without its text."""
        if self._pending is None:
            raise ArgumentError("the text has ended")
        self.state.step(self._pending, out=self._rows)
        self._pending = sample_in_place(self._logits, self._choices, self.rng, self._options,
                                        self._recent)
        self.ids.append(self._pending)
        self._recent = (self._recent + [self._pending])[-RECENT:]
        return self._pending

    def _advance(self) -> str:
        """The text of one more token, or what is left at the end."""
        stopped = False
        piece = b""
        if len(self.ids) < self._most:
            token = self.next_token()
            if token == self._end:
                self.reason = "end"
            else:
                piece, stopped = self._stops.put(self._decoder.push(token))
        else:
            self.reason = "tokens"
        if stopped:
            self.reason = "stop"
        elif self.reason is not None:
            rest, stopped = self._stops.put(self._decoder.finish())
            piece += rest + self._stops.rest()
        return piece.decode("utf-8", "replace")

    def close(self) -> None:
        """End here; the state takes in the last token."""
        if self._pending is not None and not self.state.closed:
            self.state.run([self._pending], rows="none")
        self._pending = None
        self.reason = self.reason or "closed"
