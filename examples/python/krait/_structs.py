"""krait.h's structs and numbers, as ctypes lays them out; tests compare every offset with C's."""

from __future__ import annotations

import ctypes
from ctypes import (CFUNCTYPE, POINTER, c_char, c_char_p, c_float, c_int32, c_size_t, c_uint8,
                    c_uint32, c_uint64, c_void_p)
from typing import Type, TypeVar

ABI = 0                             # of the header that this file was written after

# Whether tensors come in a type is the library's to say: names here are for people.
TYPES = {0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 10: "Q2_K",
         11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 20: "IQ4_NL", 23: "IQ4_XS", 30: "BF16"}
TYPE_NUMBERS = {name.lower(): number for number, name in TYPES.items()}

OPEN_READ, OPEN_BORROW, OPEN_CHECK, OPEN_PLAIN, OPEN_FAST, OPEN_PREFETCH = 1, 2, 4, 8, 16, 32
(IN_WIDTH, OUT_WIDTH, VOCABULARY, LAYERS, PARAMETERS, WHOLE_SEQUENCE, WEIGHT_BYTES,
 STATE_BYTES_PER_LANE, CAN_STEP, USES_DT, TAKES_TOKENS, END_TOKEN, GRID_ROWS, GRID_COLUMNS,
 MOST_STEPS) = range(1, 16)
SLOT_KINDS = {1: "order", 2: "rows", 3: "inner"}
ALL_LANES = -1
MODES = {"recurrent": 0, "auto": 1, "scan": 2, "convolution": 3}
ROWS = {"all": 0, "last": 1, "none": 2}
NAN_POLICIES = {"propagate": 0, "refuse": 1, "hold": 2}
TOKENIZER_COUNT, TOKENIZER_BEGIN, TOKENIZER_END, TOKENIZER_UNKNOWN, TOKENIZER_ENCODES = range(1, 6)
TEXT_SPECIAL, TEXT_GOES_ON, TEXT_AROUND = 1, 2, 4
LAYOUTS = {"rows": 0, "panels": 1}
STATE_ALIGNMENT = 64

PROGRESS = CFUNCTYPE(c_int32, c_void_p, c_uint64, c_uint64)
WARN = CFUNCTYPE(None, c_void_p, c_char_p)
TASK = CFUNCTYPE(None, c_void_p, c_size_t)
PARALLEL = CFUNCTYPE(None, c_void_p, TASK, c_void_p, c_size_t)


class Message(ctypes.Structure):
    _fields_ = [("text", c_char * 256)]


class Tensor(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("data", c_void_p), ("bytes", c_uint64), ("shape", c_uint64 * 4),
                ("dimensions", c_int32), ("type", c_int32)]


class OpenOptions(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("max_bytes", c_uint64), ("allocator", c_void_p),
                ("progress", PROGRESS), ("progress_user", c_void_p), ("warn", WARN),
                ("warn_user", c_void_p), ("description", c_char_p), ("flags", c_int32),
                ("unused_", c_int32), ("parallel", PARALLEL), ("parallel_user", c_void_p),
                ("tasks", c_uint32), ("unused2_", c_uint32)]


class SlotInfo(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("name", c_char_p), ("width", c_size_t), ("kind", c_int32),
                ("unused_", c_int32)]


class StateOptions(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("lanes", c_uint32), ("chunk", c_uint32), ("tasks", c_uint32),
                ("context", c_uint32), ("max_steps", c_uint32), ("unused_", c_uint32)]


class Part(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("name", c_char_p), ("shape", c_uint64 * 4),
                ("dimensions", c_int32), ("unused_", c_int32)]


class Order(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("order", c_void_p), ("count", c_size_t)]


class Slot(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("rows", c_void_p), ("capacity", c_size_t), ("width", c_size_t),
                ("stride", c_size_t)]


class Input(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("steps", c_size_t), ("tokens", c_void_p),
                ("features", c_void_p), ("dt", c_void_p), ("reset", c_void_p),
                ("lengths", c_void_p), ("parallel", PARALLEL), ("parallel_user", c_void_p),
                ("progress", PROGRESS), ("progress_user", c_void_p), ("mode", c_int32),
                ("nan_policy", c_int32), ("orders", POINTER(Order)), ("order_count", c_size_t)]


class Output(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("rows", c_void_p), ("capacity", c_size_t), ("which", c_int32),
                ("mode_used", c_int32), ("held", c_void_p), ("counts", POINTER(c_uint32)),
                ("steps_done", c_size_t), ("stride", c_size_t), ("slots", POINTER(Slot)),
                ("slot_count", c_size_t)]


class TokenizerOptions(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("max_bytes", c_uint64), ("allocator", c_void_p)]


class Decoder(ctypes.Structure):
    _fields_ = [("held", c_uint8 * 4), ("count", c_uint8), ("begun", c_uint8),
                ("unused_", c_uint8 * 2)]


class TokenInfo(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("bytes", c_void_p), ("count", c_size_t), ("flags", c_int32),
                ("unused_", c_int32)]


class Rng(ctypes.Structure):
    _fields_ = [("word", c_uint64 * 2)]


class SampleOptions(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("temperature", c_float), ("top_p", c_float),
                ("min_p", c_float), ("repetition", c_float), ("top_k", c_uint32),
                ("unused_", c_uint32), ("recent", c_void_p), ("recent_count", c_size_t)]


class ConvertOptions(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("max_bytes", c_uint64), ("allocator", c_void_p),
                ("progress", PROGRESS), ("progress_user", c_void_p), ("warn", WARN),
                ("warn_user", c_void_p), ("description", c_char_p), ("type", c_int32),
                ("layout", c_int32), ("flags", c_int32), ("unused_", c_int32)]


# krait.h's names, for the comparison with C.
STRUCTS = {
    "krait_message": Message, "krait_tensor": Tensor, "krait_open_options": OpenOptions,
    "krait_slot_info": SlotInfo, "krait_state_options": StateOptions, "krait_part": Part,
    "krait_order": Order, "krait_slot": Slot, "krait_input": Input, "krait_output": Output,
    "krait_tokenizer_options": TokenizerOptions, "krait_decoder": Decoder,
    "krait_token_info": TokenInfo, "krait_rng": Rng, "krait_sample_options": SampleOptions,
    "krait_convert_options": ConvertOptions,
}

S = TypeVar("S", bound=ctypes.Structure)


def sized(kind: Type[S]) -> S:
    """All zero but 'size', as krait.h wants its options."""
    made = kind()
    setattr(made, "size", ctypes.sizeof(kind))
    return made
