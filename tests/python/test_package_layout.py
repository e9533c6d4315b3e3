"""What Python believes of krait.h is what C says: structs, numbers, functions, by the table that guards the ABI."""

import ctypes
import re
import subprocess

import pytest

import krait
from conftest import ROOT
from krait import _library, _structs as k

# Of the C API, but not of use here: memory is Python's, tokenizers are the model's.
UNUSED = {"krait_state_create", "krait_state_destroy", "krait_encode", "krait_token_bytes"}
UNUSED_STRUCTS = {"krait_allocator"}

NUMBERS = {
    "OPEN_READ": k.OPEN_READ, "OPEN_BORROW": k.OPEN_BORROW, "OPEN_CHECK": k.OPEN_CHECK,
    "OPEN_PLAIN": k.OPEN_PLAIN, "OPEN_FAST": k.OPEN_FAST, "OPEN_PREFETCH": k.OPEN_PREFETCH,
    "IN_WIDTH": k.IN_WIDTH, "OUT_WIDTH": k.OUT_WIDTH,
    "VOCABULARY": k.VOCABULARY, "LAYERS": k.LAYERS, "PARAMETERS": k.PARAMETERS,
    "WHOLE_SEQUENCE": k.WHOLE_SEQUENCE, "WEIGHT_BYTES": k.WEIGHT_BYTES,
    "STATE_BYTES_PER_LANE": k.STATE_BYTES_PER_LANE, "CAN_STEP": k.CAN_STEP, "USES_DT": k.USES_DT,
    "TAKES_TOKENS": k.TAKES_TOKENS, "END_TOKEN": k.END_TOKEN, "GRID_ROWS": k.GRID_ROWS,
    "GRID_COLUMNS": k.GRID_COLUMNS, "MOST_STEPS": k.MOST_STEPS, "ALL_LANES": k.ALL_LANES,
    "STATE_ALIGNMENT": k.STATE_ALIGNMENT, "TOKENIZER_COUNT": k.TOKENIZER_COUNT,
    "TOKENIZER_BEGIN": k.TOKENIZER_BEGIN, "TOKENIZER_END": k.TOKENIZER_END,
    "TOKENIZER_UNKNOWN": k.TOKENIZER_UNKNOWN, "TOKENIZER_ENCODES": k.TOKENIZER_ENCODES,
    "TEXT_SPECIAL": k.TEXT_SPECIAL, "TEXT_GOES_ON": k.TEXT_GOES_ON, "TEXT_AROUND": k.TEXT_AROUND,
    "ERR_SPACE": _library.SPACE,
    **{f"TOKEN_{name.upper()}": 1 << bit for bit, name in enumerate(krait.Token._fields[1:])},
    **{f"SLOT_{name.upper()}": number for number, name in k.SLOT_KINDS.items()},
    **{name.upper(): value for name, value in k.MODES.items()},
    **{f"ROWS_{name.upper()}": value for name, value in k.ROWS.items()},
    **{f"NAN_{name.upper()}": value for name, value in k.NAN_POLICIES.items()},
    **{f"LAYOUT_{name.upper()}": value for name, value in k.LAYOUTS.items()},
}


class Table:
    def __init__(self, lines):
        self.constants, self.structs, self.functions = {}, {}, {}
        for kind, name, rest in (line.split(" ", 2) for line in lines):
            if kind == "constant":
                self.constants[name] = int(rest)
            elif kind == "struct":
                self.structs[name] = [int(rest.split()[0])]
            elif kind == "field":
                field, offset, size, _ = rest.split(" ", 3)
                self.structs[name].append((field, int(offset), int(size)))
            elif kind == "function":
                result, arguments = re.fullmatch(r"(.*?) ?\((.*)\)", rest).groups()
                self.functions[name] = result, [] if arguments == "void" else arguments.split(", ")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layout")
    source, program = folder / "table.c", folder / "table"
    with open(source, "w") as file:
        subprocess.run(["awk", "-f", ROOT / "tests/abi/layout.awk", ROOT / "include/krait.h"], stdout=file, check=True)
    subprocess.run(["cc", "-I", ROOT / "include", "-o", program, source], check=True)
    return Table(subprocess.run([program], check=True, capture_output=True, text=True).stdout.splitlines())


def test_structs(table):
    assert set(k.STRUCTS) == set(table.structs) - UNUSED_STRUCTS
    for name, struct in k.STRUCTS.items():
        ours = [ctypes.sizeof(struct)]
        for field in struct._fields_:
            at = getattr(struct, field[0])
            ours.append((field[0], at.offset, at.size))
        assert ours == table.structs[name], name


def test_numbers(table):
    assert NUMBERS == {name: table.constants[f"KRAIT_{name}"] for name in NUMBERS}
    header = (ROOT / "include" / "krait.h").read_text(encoding="utf-8")
    assert k.ABI == int(re.search(r"^#define KRAIT_ABI +(\d+)", header, re.M).group(1))


def test_types(table):
    types = {name[6:]: value for name, value in table.constants.items()
             if re.fullmatch(r"KRAIT_(B?F\d+|I?Q\d_\w+)", name)}
    assert "Q8_0" in types
    assert types == {name: number for number, name in k.TYPES.items() if name in types}


def test_statuses(table):
    values = [value for name, value in table.constants.items() if name.startswith("KRAIT_ERR_")]
    assert sorted(values) == sorted(krait._errors.CLASSES)


def kind_of_c(text):
    text = text.strip()
    if "*" in text or text.endswith("_fn"):
        return "pointer"
    return {"krait_status": "int32_t"}.get(text, text)


def kind_of_python(kind):
    if kind is None:
        return "void"
    if issubclass(kind, ctypes._Pointer) or kind in (ctypes.c_void_p, ctypes.c_char_p):
        return "pointer"
    return {ctypes.c_int32: "int32_t", ctypes.c_size_t: "size_t", ctypes.c_uint64: "uint64_t"}[kind]


def test_functions(table):
    assert set(_library.FUNCTIONS) == set(table.functions) - UNUSED
    for name, (result, arguments) in _library.FUNCTIONS.items():
        theirs = table.functions[name]
        ours = [kind_of_python(result)] + [kind_of_python(kind) for kind in arguments]
        wanted = [kind_of_c(theirs[0])] + [kind_of_c(text) for text in theirs[1]]
        # size_t and uint64_t are one type of ctypes where they have one size.
        if ctypes.sizeof(ctypes.c_size_t) == 8:
            wanted = [kind.replace("uint64_t", "size_t") for kind in wanted]
            ours = [kind.replace("uint64_t", "size_t") for kind in ours]
        assert ours == wanted, name
