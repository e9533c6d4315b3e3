#!/usr/bin/env python3
"""Make the shipped classifiers of speech and motion, and the recordings that the examples run them on.

    python3 tests/golden/make_shipped_lti.py [SHARED]   (after make; needs numpy and safetensors)

SHARED (../shared) holds models/s4d-digits, models/s5-har, data/digits.npz and data/har.npz.  Writes, through
examples/python/export.py, which checks them against the recorded outputs in double, examples/models/s4d-digits.safetensors
and s5-har.safetensors; examples/audio/digit-<d>.wav and examples/motion/<activity>.csv.
"""
import json
import pathlib
import sys
import wave

import numpy as np
from safetensors.numpy import load_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples/python"))
import export  # noqa: E402

SHARED = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT.parent / "shared")
CHECKED = {"krait": ROOT / "lib/krait", "tolerance": 2e-5}
WINDOWS = {0: 149, 1: 304, 2: 657, 3: 849, 4: 890, 5: 328}     # the first of a run of windows that overlap by half


def digits():
    recorded = np.load(SHARED / "models/s4d-digits/reference64.npz")
    state = load_file(SHARED / "models/s4d-digits/model.safetensors")
    apart = export.s4(ROOT / "examples/models/s4d-digits.safetensors", state, recorded["audio"][:, None], recorded["logits"],
                      prenorm=True, metadata={"classes": ",".join("0123456789"), "sample_rate": "8000"}, **CHECKED)
    print(f"s4d-digits.safetensors: off by {apart:.1e}")
    data = np.load(SHARED / "data/digits.npz")
    (ROOT / "examples/audio").mkdir(exist_ok=True)
    for digit in range(10):
        row = 300 * digit + 50 * (digit % 6)                    # the first recording of one of the six speakers
        assert data["test"][row] and data["digit"][row] == digit
        with wave.open(str(ROOT / f"examples/audio/digit-{digit}.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(data["audio"][row, :min(data["length"][row], 8000)].astype("<i2").tobytes())


def motion():
    recorded = np.load(SHARED / "models/s5-har/reference64.npz")
    config = json.loads((SHARED / "models/s5-har/config.json").read_text())
    mean, std = np.array(config["input_mean"]), np.array(config["input_std"])
    apart = export.s5(ROOT / "examples/models/s5-har.safetensors",
                      load_file(SHARED / "models/s5-har/model.safetensors"), recorded["x"] * std + mean,
                      recorded["log_probs"], activation="half_glu1", prenorm=True, clip_eigs=True,
                      input_mean=config["input_mean"], input_std=config["input_std"],
                      metadata={"classes": ",".join(config["classes"]), "sample_rate": "50"}, **CHECKED)
    print(f"s5-har.safetensors: off by {apart:.1e}")
    data = np.load(SHARED / "data/har.npz")
    (ROOT / "examples/motion").mkdir(exist_ok=True)
    for label, first in WINDOWS.items():
        rows = data["test_x"][first]
        for window in range(first + 1, 950):
            following = data["test_x"][window]
            if data["test_y"][window] != label or np.abs(rows[-64:] - following[:64]).max() > 1e-3:
                break
            rows = np.concatenate([rows, following[64:]])
        name = config["classes"][label]
        lines = [f"# {name}"] + [",".join(f"{x:.4f}" for x in row) for row in rows]
        (ROOT / f"examples/motion/{name.replace(' ', '-')}.csv").write_text("\n".join(lines) + "\n")


digits()
motion()
