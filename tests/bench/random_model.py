#!/usr/bin/env python3
"""random_model.py - files of random weights in published shapes: what speed is measured with.

    python3 tests/bench/random_model.py [--out FOLDER] SHAPE TYPE ...

SHAPE is mamba-130m, mamba2-130m or mamba-1.4b; TYPE f32, f16, bf16, q8_0, q4_0 or q4_K for a
GGUF, and safetensors for a folder of float32 with its config.json.  A = -(1 .. N), the bias of dt is
softplus^-1 of numbers between 1e-3 and 1e-1, weights have deviation 0.02 and come out of one
pool that starts anywhere.  Matrices whose rows are no whole number of blocks are float16; in
q4_K scales are as random as weights.  The vocabulary has 256 bytes and otherwise fillers, and no word
merges: a text of 64 letters is 64 tokens.

Written for numpy 2.4 and gguf 0.19.
"""
import argparse
import json
import os

import numpy as np
from gguf import GGMLQuantizationType as Q, GGUFWriter
from gguf.quants import quantize

SHAPES = {
    "mamba-130m": dict(arch="mamba", width=768, layers=24, inner=1536, states=16, rank=48),
    "mamba-1.4b": dict(arch="mamba", width=2048, layers=48, inner=4096, states=16, rank=128),
    "mamba2-130m": dict(arch="mamba2", width=768, layers=24, inner=1536, states=128, rank=24),
}
VOCABULARY = 50280
POOL = 1 << 22
TYPES = {"f32": Q.F32, "f16": Q.F16, "bf16": Q.BF16, "q8_0": Q.Q8_0, "q4_0": Q.Q4_0, "q4_K": Q.Q4_K}
FILE_TYPES = {"f32": 0, "f16": 1, "bf16": 32, "q8_0": 7, "q4_0": 2, "q4_K": 14}
BLOCK = {"q8_0": 32, "q4_0": 32, "q4_K": 256}

random = np.random.default_rng(1)


def q4_k_pool():
    """Two float16 scales, 12 bytes of scales of 32, 128 bytes of nibbles: about 0.02 wide, around 0."""
    blocks = random.integers(0, 256, (POOL // 256, 144), dtype=np.uint8)
    scales = np.array([0.02 / 150, 0.02 / 150 * 7.5], dtype=np.float16)
    blocks[:, :4] = scales.view(np.uint8)
    return blocks


class Pool:
    """Numbers of one type, encoded once: tensors begin at any block of it."""

    def __init__(self, kind):
        numbers = (random.standard_normal(POOL) * 0.02).astype(np.float32)
        if kind == "q4_K":
            self.blocks = q4_k_pool()
        elif kind == "f32":
            self.blocks = numbers.reshape(-1, 1).view(np.uint8)
        else:
            encoded = quantize(numbers.reshape(-1, 256), TYPES[kind])
            self.blocks = np.ascontiguousarray(encoded).view(np.uint8).reshape(POOL // BLOCK.get(kind, 1), -1)
        self.block = BLOCK.get(kind, 1)

    def take(self, rows, columns):
        count = rows * columns // self.block
        start = int(random.integers(len(self.blocks)))
        out = np.empty((count, self.blocks.shape[1]), dtype=np.uint8)
        done = 0
        while done < count:
            piece = self.blocks[start:start + count - done]
            out[done:done + len(piece)] = piece
            done += len(piece)
            start = 0
        return out.reshape(rows, -1)


def steps_bias(count):
    """softplus^-1 of what is uniform between 1e-3 and 1e-1."""
    return np.log(np.expm1(random.uniform(1e-3, 1e-1, count))).astype(np.float32)


def small(count, scale=0.1, offset=0.0):
    return (random.standard_normal(count) * scale + offset).astype(np.float32)


def tensors(shape, names):
    """(name, shape, how it is made): None are matrices of the wanted type."""
    n = names
    s = shape
    second = s["arch"] == "mamba2"
    conv = s["inner"] + (2 * s["states"] if second else 0)
    yield n["table"], (VOCABULARY, s["width"]), None
    for i in range(s["layers"]):
        at = n["layer"] % i
        yield at + n["norm"], (s["width"],), lambda: small(s["width"], 0.1, 1)
        yield at + n["in"], ((s["inner"] + conv + s["rank"]) if second else 2 * s["inner"], s["width"]), None
        yield at + n["conv"], (conv,) + n["middle"] + (4,), lambda: small(4 * conv, 0.3)
        yield at + n["conv_bias"], (conv,), lambda: small(conv)
        if second:
            yield at + n["a"], (s["rank"],) + n["one"], lambda: n["sign"](random.uniform(1, 16, s["rank"]))
            yield at + n["dt_bias2"], (s["rank"],), lambda: steps_bias(s["rank"])
            yield at + n["d"], (s["rank"],) + n["one"], lambda: small(s["rank"], 0.1, 1)
            yield at + n["ssm_norm"], n["groups"] + (s["inner"],), lambda: small(s["inner"], 0.1, 1)
        else:
            yield at + n["x"], (s["rank"] + 2 * s["states"], s["inner"]), None
            yield at + n["dt"], (s["inner"], s["rank"]), None
            yield at + n["dt_bias"], (s["inner"],), lambda: steps_bias(s["inner"])
            yield at + n["a"], (s["inner"], s["states"]), lambda: n["sign"](
                np.tile(np.arange(1, s["states"] + 1), (s["inner"], 1)))
            yield at + n["d"], (s["inner"],), lambda: small(s["inner"], 0.1, 1)
        yield at + n["out"], (s["width"], s["inner"]), None
    yield n["last"], (s["width"],), lambda: small(s["width"], 0.1, 1)


GGUF_NAMES = dict(
    table="token_embd.weight", layer="blk.%d.", norm="attn_norm.weight", conv="ssm_conv1d.weight",
    conv_bias="ssm_conv1d.bias", x="ssm_x.weight", dt="ssm_dt.weight", dt_bias="ssm_dt.bias",
    dt_bias2="ssm_dt.bias", a="ssm_a", d="ssm_d", ssm_norm="ssm_norm.weight", out="ssm_out.weight",
    last="output_norm.weight", middle=(), one=(1,), groups=(1,), sign=lambda a: -a, **{"in": "ssm_in.weight"})
HUGGING_NAMES = dict(
    table="backbone.embeddings.weight", layer="backbone.layers.%d.", norm="norm.weight",
    conv="mixer.conv1d.weight", conv_bias="mixer.conv1d.bias", x="mixer.x_proj.weight",
    dt="mixer.dt_proj.weight", dt_bias="mixer.dt_proj.bias", dt_bias2="mixer.dt_bias", a="mixer.A_log",
    d="mixer.D", ssm_norm="mixer.norm.weight", out="mixer.out_proj.weight", last="backbone.norm_f.weight",
    middle=(1,), one=(), groups=(), sign=np.log, **{"in": "mixer.in_proj.weight"})


def vocabulary():
    """Bytes as gpt2 spells them, one pair for the one merge, and fillers."""
    plain = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    rest = [b for b in range(256) if b not in plain]
    letters = [chr(b) for b in plain] + [chr(256 + i) for i in range(len(rest))]
    return letters + ["\u0120\u0120"] + ["<filler %d>" % i for i in range(VOCABULARY - 257)]


def gguf_keys(w, shape, kind):
    a = shape["arch"]
    for key, value in (("context_length", 1 << 20), ("embedding_length", shape["width"]), ("feed_forward_length", 0),
                       ("attention.head_count", 0), ("block_count", shape["layers"]), ("ssm.conv_kernel", 4),
                       ("ssm.inner_size", shape["inner"]), ("ssm.state_size", shape["states"]),
                       ("ssm.time_step_rank", shape["rank"]), ("vocab_size", VOCABULARY)):
        w.add_uint32(a + "." + key, value)
    if a == "mamba2":
        w.add_uint32("mamba2.ssm.group_count", 1)
    w.add_float32(a + ".attention.layer_norm_rms_epsilon", 1e-5)
    w.add_file_type(FILE_TYPES[kind])
    if kind in BLOCK:
        w.add_quantization_version(2)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list(vocabulary())
    w.add_token_types([1] * VOCABULARY)
    w.add_token_merges(["\u0120 \u0120"])
    w.add_eos_token_id(VOCABULARY - 1)


def write_gguf(path, shape, kind):
    w = GGUFWriter(path, shape["arch"])
    pools = {kind: Pool(kind)}
    gguf_keys(w, shape, kind)
    plan = []
    for name, size, make in tensors(shape, GGUF_NAMES):
        if make:
            array = make
            w.add_tensor_info(name, size, np.dtype(np.float32), 4 * int(np.prod(size)))
        else:
            own = kind if size[1] % BLOCK.get(kind, 1) == 0 else "f16"
            pool = pools.setdefault(own, pools.get(own) or Pool(own))
            array = (lambda p, s: lambda: p.take(*s))(pool, size)
            bytes_per_row = size[1] // pool.block * pool.blocks.shape[1]
            if own == "f32":
                w.add_tensor_info(name, size, np.dtype(np.float32), size[0] * bytes_per_row)
            elif own == "f16":
                w.add_tensor_info(name, size, np.dtype(np.float16), size[0] * bytes_per_row)
            else:
                w.add_tensor_info(name, (size[0], bytes_per_row), np.dtype(np.uint8), size[0] * bytes_per_row,
                                  raw_dtype=TYPES[own])
        plan.append(array)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_ti_data_to_file()
    for array in plan:
        numbers = np.ascontiguousarray(array())
        w.write_tensor_data(numbers if numbers.dtype == np.uint8 else numbers.astype(np.float32))
    w.close()


def write_safetensors(folder, shape):
    """The header is JSON behind its length; data follows in the same order."""
    os.makedirs(folder, exist_ok=True)
    pool, header, at, plan = Pool("f32"), {}, 0, []
    for name, size, make in tensors(shape, HUGGING_NAMES):
        count = 4 * int(np.prod(size))
        header[name] = {"dtype": "F32", "shape": list(size), "data_offsets": [at, at + count]}
        at += count
        plan.append(make or (lambda s: lambda: pool.take(*s))(size))
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 64 + 56)
    config = dict(model_type=shape["arch"], hidden_size=shape["width"], num_hidden_layers=shape["layers"],
                  state_size=shape["states"], conv_kernel=4, expand=2, vocab_size=VOCABULARY,
                  layer_norm_epsilon=1e-5, tie_word_embeddings=True)
    if shape["arch"] == "mamba2":
        config.update(num_heads=shape["rank"], head_dim=shape["inner"] // shape["rank"], n_groups=1)
    else:
        config.update(time_step_rank=shape["rank"])
    with open(os.path.join(folder, "model.safetensors"), "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text)
        for make in plan:
            array = np.ascontiguousarray(make())
            f.write((array if array.dtype == np.uint8 else array.astype(np.float32)).tobytes())
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f, indent=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("types", nargs="+", choices=[*TYPES, "safetensors"], metavar="TYPE")
    parser.add_argument("--out", default=".", help="folder to write to")
    args = parser.parse_args()
    for kind in args.types:
        path = os.path.join(args.out, args.shape + ("-" + kind + ".gguf" if kind in TYPES else ""))
        if kind in TYPES:
            write_gguf(path, SHAPES[args.shape], kind)
        else:
            write_safetensors(path, SHAPES[args.shape])
        print(path)


main()
