#!/usr/bin/env python3
"""Make the shipped image model and images, and record what the model makes of them.

    python3 tests/golden/make_shipped_vim.py [SHARED]   (after make; needs numpy, safetensors and gguf)

SHARED (../shared) holds models/vim-mnist and data/mnist.  Writes examples/models/vim-mnist.gguf,
examples/images/digit-<d>.pgm (the first test image of every digit) and
tests/golden/shipped_vim.safetensors: logits F32 [10][10] by krait, the same bits everywhere, and
logits64 F64 [10][10] by make_vim.py's loops in double precision with the weights as shipped.
"""
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors.numpy import save_file

import make_vim

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT.parent / "shared")
MODEL = ROOT / "examples/models/vim-mnist.gguf"

subprocess.run([ROOT / "lib/krait", "convert", SHARED / "models/vim-mnist", MODEL, "--type", "f16", "--quiet"],
               check=True)
images = np.frombuffer(gzip.decompress((SHARED / "data/mnist/t10k-images-idx3-ubyte.gz").read_bytes())[16:], np.uint8)
labels = np.frombuffer(gzip.decompress((SHARED / "data/mnist/t10k-labels-idx1-ubyte.gz").read_bytes())[8:], np.uint8)
chosen = images.reshape(-1, 28, 28)[[int(np.argmax(labels == d)) for d in range(10)]]
(ROOT / "examples/images").mkdir(exist_ok=True)
for d, image in enumerate(chosen):
    (ROOT / f"examples/images/digit-{d}.pgm").write_bytes(b"P5\n28 28\n255\n" + image.tobytes())

pixels = chosen.reshape(10, 784).astype(np.float32) / np.float32(255)
with tempfile.TemporaryDirectory() as folder:
    np.save(f"{folder}/x.npy", pixels)
    subprocess.run([ROOT / "lib/krait", "run", MODEL, "--quiet", "--input", f"{folder}/x.npy",
                    "--output", f"{folder}/y.npy"], check=True)
    logits = np.load(f"{folder}/y.npy")

config = make_vim.DEFAULTS | json.loads((SHARED / "models/vim-mnist/config.json").read_text())
weights = {t.name: dequantize(t.data, t.tensor_type).reshape(t.shape[::-1].tolist()).astype(np.float64)
           for t in GGUFReader(MODEL).tensors}
wide = (pixels.astype(np.float64) - config["image_mean"]) / config["image_std"]
logits64 = np.array([make_vim.output(config, weights, x.reshape(1, 28, 28)) for x in wide])
save_file({"logits": logits, "logits64": logits64}, ROOT / "tests/golden/shipped_vim.safetensors",
          {"made_by": "tests/golden/make_shipped_vim.py"})
print("shipped_vim.safetensors:", logits.argmax(1), "off by", np.abs(logits - logits64).max(), "of", np.abs(logits64).max())
