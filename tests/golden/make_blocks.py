#!/usr/bin/env python3
"""Record blocks of every type of GGUF that krait reads, and their numbers as ggml's own Python package has them.

    make_blocks.py               writes blocks.safetensors; needs numpy, gguf and safetensors
    make_blocks.py --verify      compares the stored file with what the package says now

gguf.quants.dequantize does what ggml's dequantize_row_* do, and its authors hold it to them bit for bit.
"""

import sys
from importlib.metadata import version
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType, quants
from safetensors import safe_open
from safetensors.numpy import save_file

FILE = Path(__file__).resolve().parent / "blocks.safetensors"
SEED = 1
# Where a block has its halves, by type; the rest is codes and scales.
HALVES = {"Q4_0": (0,), "Q4_1": (0, 2), "Q5_0": (0,), "Q5_1": (0, 2), "Q8_0": (0,), "Q2_K": (80, 82), "Q3_K": (108,),
          "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,)}
# Zeros, the least and the largest subnormal, the least normal, the largest, infinity, NaN, and some between.
EXTREMES = (0x0000, 0x8000, 0x0001, 0x83ff, 0x0400, 0x7bff, 0xfbff, 0x7c00, 0xfc00, 0x7e00, 0x3c00, 0xb555, 0x2e66)


def blocks_of(kind):
    """uint8 [blocks, bytes]: every byte value at every place in 8 blocks of a row, extreme halves, and chance."""
    rng = np.random.default_rng([SEED, GGMLQuantizationType[kind]])
    size = gguf.GGML_QUANT_SIZES[GGMLQuantizationType[kind]][1]
    swept = (np.arange(size)[None, :] * 37 + np.arange(16)[:, None] * 17 + 5) % 256
    random = rng.integers(0, 256, (len(EXTREMES) + 4, size))
    blocks = np.concatenate([swept, np.zeros((1, size)), np.full((1, size), 255), random]).astype(np.uint8)
    ordinary = rng.uniform(-2, 2, (len(blocks), 2)).astype(np.float16).view(np.uint16)
    for i, block in enumerate(blocks):
        for k, at in enumerate(HALVES[kind]):
            half = ordinary[i, k]
            if 18 <= i < 18 + len(EXTREMES):
                half = EXTREMES[(i - 18 + 5 * k) % len(EXTREMES)]
            block[at], block[at + 1] = int(half) & 255, int(half) >> 8
    return blocks


def record():
    tensors = {}
    for kind in HALVES:
        blocks = blocks_of(kind)
        with np.errstate(all="ignore"):
            numbers = quants.dequantize(blocks, GGMLQuantizationType[kind])
        tensors[f"{kind}.blocks"], tensors[f"{kind}.numbers"] = blocks, numbers.astype(np.float32)
    return tensors


def same(a, b):
    return a.shape == b.shape and np.array_equal(a.view(np.uint32)[~np.isnan(b)], b.view(np.uint32)[~np.isnan(b)]) and \
        np.array_equal(np.isnan(a), np.isnan(b))


def main():
    tensors = record()
    if sys.argv[1:] == ["--verify"]:
        with safe_open(FILE, "np") as stored:
            good = all(np.array_equal(stored.get_tensor(name), tensor) if name.endswith("blocks")
                       else same(stored.get_tensor(name), tensor) for name, tensor in tensors.items())
        print("the same" if good else "DIFFERENT")
        return not good
    versions = f"python {sys.version.split()[0]}, numpy {np.__version__}, gguf {version('gguf')}"
    save_file(tensors, FILE, metadata={"versions": versions, "seed": str(SEED)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
