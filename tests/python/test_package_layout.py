"""What Python believes of krait.h is what C says: structs, numbers, functions."""

import re
import subprocess

from conftest import ROOT
from krait import _library, _structs as k

HEADER = (ROOT / "include" / "krait.h").read_text(encoding="utf-8")

# Of the C API, but not of use here: memory is Python's, tokenizers are the model's.
UNUSED = {"krait_state_create", "krait_state_destroy", "krait_encode", "krait_token_bytes"}

NUMBERS = {
    "ABI": k.ABI, "OPEN_READ": k.OPEN_READ, "OPEN_BORROW": k.OPEN_BORROW, "OPEN_CHECK": k.OPEN_CHECK,
    "OPEN_PLAIN": k.OPEN_PLAIN, "OPEN_FAST": k.OPEN_FAST, "OPEN_PREFETCH": k.OPEN_PREFETCH, "IN_WIDTH": k.IN_WIDTH, "OUT_WIDTH": k.OUT_WIDTH,
    "VOCABULARY": k.VOCABULARY, "LAYERS": k.LAYERS, "PARAMETERS": k.PARAMETERS,
    "WHOLE_SEQUENCE": k.WHOLE_SEQUENCE, "WEIGHT_BYTES": k.WEIGHT_BYTES,
    "STATE_BYTES_PER_LANE": k.STATE_BYTES_PER_LANE, "CAN_STEP": k.CAN_STEP, "USES_DT": k.USES_DT,
    "TAKES_TOKENS": k.TAKES_TOKENS, "END_TOKEN": k.END_TOKEN, "GRID_ROWS": k.GRID_ROWS,
    "GRID_COLUMNS": k.GRID_COLUMNS, "MOST_STEPS": k.MOST_STEPS, "ALL_LANES": k.ALL_LANES,
    "STATE_ALIGNMENT": k.STATE_ALIGNMENT, "TOKENIZER_COUNT": k.TOKENIZER_COUNT,
    "TOKENIZER_BEGIN": k.TOKENIZER_BEGIN, "TOKENIZER_END": k.TOKENIZER_END,
    "TOKENIZER_UNKNOWN": k.TOKENIZER_UNKNOWN, "TOKENIZER_ENCODES": k.TOKENIZER_ENCODES,
    "TEXT_SPECIAL": k.TEXT_SPECIAL, "TEXT_GOES_ON": k.TEXT_GOES_ON, "TEXT_AROUND": k.TEXT_AROUND,
    **{name: number for number, name in k.TYPES.items() if f"KRAIT_{name} " in HEADER},
    "SLOT_ORDER": 1, "SLOT_ROWS": 2, "SLOT_INNER": 3,
    **{name.upper(): value for name, value in k.MODES.items()},
    **{f"ROWS_{name.upper()}": value for name, value in k.ROWS.items()},
    **{f"NAN_{name.upper()}": value for name, value in k.NAN_POLICIES.items()},
    **{f"LAYOUT_{name.upper()}": value for name, value in k.LAYOUTS.items()},
}


def table(tmp_path, lines):
    source = tmp_path / "table.c"
    source.write_text('#include <stddef.h>\n#include <stdio.h>\n#include "krait.h"\nint main(void)\n{\n'
                      + "\n".join(lines) + "\n    return 0;\n}\n")
    program = tmp_path / "table"
    subprocess.run(["cc", "-I", str(ROOT / "include"), "-o", str(program), str(source)], check=True)
    return subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout.splitlines()


def test_structs(tmp_path):
    wanted, lines = [], []
    for name, struct in k.STRUCTS.items():
        lines.append(f'    printf("{name} %u\\n", (unsigned)sizeof({name}));')
        wanted.append(f"{name} {k.ctypes.sizeof(struct)}")
        for field in struct._fields_:
            lines.append(f'    printf("{name}.{field[0]} %u %u\\n", (unsigned)offsetof({name}, {field[0]}), '
                         f'(unsigned)sizeof((({name} *)0)->{field[0]}));')
            at = getattr(struct, field[0])
            wanted.append(f"{name}.{field[0]} {at.offset} {at.size}")
    assert table(tmp_path, lines) == wanted


def test_every_struct_is_known():
    ours = set(k.STRUCTS) | {"krait_allocator"}
    named = set(re.findall(r"^typedef struct (krait_\w+) \{", HEADER, re.M))
    assert named - ours == set()
    for name in ours & named - {"krait_allocator", "krait_message"}:
        body = re.search(rf"typedef struct {name} \{{(.*?)\n?\}} {name};", HEADER, re.S).group(1)
        body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
        fields = []
        for line in body.split(";"):
            fields += re.findall(r"(\w+)(?:\[\d+\])?\s*(?:,|$)", line.strip())
        assert fields == [field[0] for field in k.STRUCTS[name]._fields_], name


def test_numbers(tmp_path):
    lines = [f'    printf("{name} %d\\n", (int)KRAIT_{name});' for name in NUMBERS]
    assert table(tmp_path, lines) == [f"{name} {value}" for name, value in NUMBERS.items()]


def test_types():
    named = re.search(r"enum \{\s*KRAIT_F32 = 0.*?\};", HEADER, re.S).group(0)
    types = {name: int(number) for name, number in re.findall(r"KRAIT_(\w+) = (\d+)", named)}
    assert types and all(k.TYPES[number] == name for name, number in types.items())


def test_statuses(tmp_path):
    import krait
    names = re.findall(r"KRAIT_ERR_(\w+)", re.search(r"KRAIT_OK .*?\};", HEADER, re.S).group(0))
    lines = [f'    printf("%d\\n", (int)KRAIT_ERR_{name});' for name in names]
    values = [int(value) for value in table(tmp_path, lines)]
    assert sorted(values) == sorted(krait._errors.CLASSES)


def test_functions():
    text = re.sub(r"/\*.*?\*/", "", HEADER, flags=re.S)
    named = {name: arguments for name, arguments in
             re.findall(r"^KRAIT_API [\w \*]*?\*?(krait_\w+)\((.*?)\);", text, re.M | re.S)}
    assert set(named) - UNUSED == set(_library.FUNCTIONS)
    for name, (_, arguments) in _library.FUNCTIONS.items():
        count = 0 if named[name] == "void" else named[name].count(",") + 1
        assert count == len(arguments), name
