#!/usr/bin/env python3
"""Record krait's own logits of the shipped model, the same bits on every machine.

    python3 tests/golden/make_shipped.py        (after make; needs numpy and safetensors)

Writes tests/golden/shipped.safetensors: ids I32 [steps], rows I32 [rows] (which steps are
stored), logits F32 [rows][256].  To be made again when KRAIT_NUMERICS or the model changes;
that the model itself is right is checked against float64 elsewhere (test_golden.c).
"""
import pathlib
import subprocess
import tempfile

import numpy as np
from safetensors.numpy import save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
TEXT = (b"It was the best of times, it was the worst of times, it was the age of wisdom, "
        b"it was the age of foolishness,")
ROWS = [0, 1, 2, 3, 15, 16, 63, 64, 65, 96, len(TEXT) - 1]

with tempfile.TemporaryDirectory() as folder:
    ids = np.frombuffer(TEXT, np.uint8).astype(np.int32)
    np.save(f"{folder}/ids.npy", ids)
    subprocess.run([ROOT / "lib/krait", "run", ROOT / "examples/models/mamba-novels.gguf", "--quiet",
                    "--input", f"{folder}/ids.npy", "--output", f"{folder}/logits.npy"], check=True)
    logits = np.load(f"{folder}/logits.npy")
rows = np.array(ROWS, np.int32)
save_file({"ids": ids, "rows": rows, "logits": np.ascontiguousarray(logits[rows])},
          ROOT / "tests/golden/shipped.safetensors", {"made_by": "tests/golden/make_shipped.py"})
print("shipped.safetensors:", logits[rows].shape, "scale", float(np.abs(logits).max()))
