"""Named pieces of the layers' memories."""

from __future__ import annotations

from ctypes import byref
from typing import TYPE_CHECKING, Any, Dict, Iterator, Mapping, Tuple

from . import _structs as k
from ._arrays import Floats, give, product, take, zeros
from ._errors import ArgumentError
from ._library import check, lib

if TYPE_CHECKING:
    from ._state import State


class Part:
    """One layer's memory: part[lane] reads a copy in canonical order, part[lane] = values writes."""

    def __init__(self, state: "State", index: int, name: str, shape: Tuple[int, ...]) -> None:
        self._state = state
        self._index = index
        self.name = name
        self.shape = shape              # of one lane

    def __repr__(self) -> str:
        return f"<krait.Part {self.name} {self.shape}>"

    def _lane(self, lane: int) -> int:
        if not 0 <= lane < self._state.lanes:
            raise IndexError(f"{self.name}: there is no lane {lane}")
        return lane

    def __len__(self) -> int:
        return self._state.lanes

    def __getitem__(self, lane: int) -> "Floats":
        return self.read(lane)

    def __setitem__(self, lane: int, values: Any) -> None:
        block = take(values, "f", self.name)
        if block.shape != self.shape:
            raise ArgumentError(f"{self.name}: shape {self.shape} is wanted, not {block.shape}")
        with self._state._use() as model:
            check(lib.krait_part_write(model, self._state._at, self._index, self._lane(lane),
                                       block.address, product(self.shape)), what=self.name)

    def read(self, lane: int = 0, out: Any = None) -> "Floats":
        """One lane's, into ``out`` if given."""
        if out is None:
            out, at = zeros(self.shape)
            keep: object = out
        else:
            block = give(out, self.shape, "out")
            at, keep = block.address, block.keep
        with self._state._use() as model:
            check(lib.krait_part_read(model, self._state._at, self._index, self._lane(lane), at,
                                      product(self.shape)), what=self.name)
        del keep
        return out                      # type: ignore[no-any-return,unused-ignore]


class Parts(Mapping[str, Part]):
    """Every part by name, in the layers' order."""

    def __init__(self, state: "State") -> None:
        self._parts: Dict[str, Part] = {}
        info = k.sized(k.Part)
        model = state._handle.value
        while lib.krait_part_info(model, len(self._parts), byref(info)) == 0:
            name = info.name.decode()
            self._parts[name] = Part(state, len(self._parts), name,
                                     tuple(info.shape[:info.dimensions]))

    def __getitem__(self, name: str) -> Part:
        return self._parts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)
