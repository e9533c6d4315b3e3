#!/usr/bin/env python3
"""Record outputs of Hugging Face transformers' MambaForCausalLM and FalconMambaForCausalLM for tiny random models.

    make_mamba.py                     make mamba/<name>.safetensors, one per model (needs torch, transformers)
    make_mamba.py --only deep         make one of them
    make_mamba.py --verify            recompute the stored files' logits in float64, from what they hold
    make_mamba.py --check-generator   compile generator.h and compare it with the generator below, bit for bit
    make_mamba.py --check MODEL_DIR   run the float64 loop on a real model and compare with its reference64.npz

Only the first two need more than NumPy (and --check-generator a C compiler).

A file holds no weights: they, and the token ids, come from the generator that README.md and generator.h
define.  It holds the float32 logits of transformers and, beside them, the logits of `run_float64`, a plain
sequential loop in double precision written from the equations.  The loop is not transformers' model called
with `.double()`: that one computes its norms, A and residuals in float32 all the same.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

# One thread, no network: the numbers are not to depend on either.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np  # noqa: E402  (after the variables that it reads)

HERE = Path(__file__).resolve().parent

# What max |float32 - float64| / max |float64| may be.
TOLERANCE = 1e-5

# How many columns are stored of a vocabulary too large to store whole.
COLUMNS = 24
WHOLE_VOCABULARY = 256


# ---------------------------------------------------------------------------------------------------------
# The models.  `steps` and `seed` are ours, the rest are arguments of MambaConfig, or of FalconMambaConfig where
# `mixer_rms_eps` is among them; together they stretch every shape: widths that no vector length divides, all
# window lengths, few and many states, and each tensor that may be absent.  Seeds are unsigned 64-bit numbers,
# two of them above 2^63.
# ---------------------------------------------------------------------------------------------------------

MODELS = {
    "plain": dict(
        steps=48, seed=1, vocab_size=11, hidden_size=16, expand=2, state_size=4, conv_kernel=4,
        time_step_rank="auto", num_hidden_layers=1),
    "bytes": dict(
        steps=32, seed=2, vocab_size=256, hidden_size=32, expand=2, state_size=16, conv_kernel=4,
        time_step_rank="auto", num_hidden_layers=3),
    "fraction": dict(
        steps=48, seed=3, vocab_size=11, hidden_size=33, expand=1.5, state_size=16, conv_kernel=3,
        time_step_rank=3, num_hidden_layers=2, use_bias=True, tie_word_embeddings=False,
        layer_norm_epsilon=1e-6),
    "wide": dict(
        steps=24, seed=4, vocab_size=256, hidden_size=20, expand=4, state_size=64, conv_kernel=2,
        time_step_rank=5, num_hidden_layers=2, use_conv_bias=False, tie_word_embeddings=False),
    "narrow": dict(
        steps=48, seed=5, vocab_size=11, hidden_size=24, expand=1, state_size=4, conv_kernel=5,
        time_step_rank=7, num_hidden_layers=4, use_bias=True, use_conv_bias=False,
        layer_norm_epsilon=1e-6),
    "words": dict(
        steps=48, seed=0xFEDCBA9876543210, vocab_size=50280, hidden_size=24, expand=2, state_size=16,
        conv_kernel=4, time_step_rank="auto", num_hidden_layers=2),
    "words_untied": dict(
        steps=40, seed=7, vocab_size=50280, hidden_size=20, expand=1.5, state_size=4, conv_kernel=3,
        time_step_rank=7, num_hidden_layers=2, use_bias=True, tie_word_embeddings=False,
        layer_norm_epsilon=1e-6),
    "deep": dict(
        steps=24, seed=8, vocab_size=256, hidden_size=48, expand=2, state_size=16, conv_kernel=4,
        time_step_rank="auto", num_hidden_layers=4, use_conv_bias=False, tie_word_embeddings=False),
    # An epsilon large enough to be seen in the logits: between 1e-5 and 1e-6 it hardly is.
    "epsilon": dict(
        steps=48, seed=0x8000000000000009, vocab_size=11, hidden_size=40, expand=4, state_size=7,
        conv_kernel=5, time_step_rank=3, num_hidden_layers=1, tie_word_embeddings=False,
        layer_norm_epsilon=0.0625),
    "prime": dict(
        steps=24, seed=10, vocab_size=256, hidden_size=17, expand=1, state_size=64, conv_kernel=2,
        time_step_rank="auto", num_hidden_layers=3, use_bias=True, layer_norm_epsilon=1e-6),
    "falcon": dict(
        steps=48, seed=11, vocab_size=11, hidden_size=40, expand=2, state_size=16, conv_kernel=4,
        time_step_rank="auto", num_hidden_layers=2, tie_word_embeddings=False, mixer_rms_eps=1e-6),
    # A rank of 1, whose norm is hardly more than a sign, and few states.
    "falcon_narrow": dict(
        steps=48, seed=12, vocab_size=11, hidden_size=15, expand=3, state_size=3, conv_kernel=2,
        time_step_rank=1, num_hidden_layers=3, use_bias=True, layer_norm_epsilon=1e-6, mixer_rms_eps=0.01),
    "falcon_wide": dict(
        steps=24, seed=13, vocab_size=256, hidden_size=36, expand=2, state_size=37, conv_kernel=5,
        time_step_rank=19, num_hidden_layers=2, use_conv_bias=False, mixer_rms_eps=1e-6),
    # As above: an epsilon that is seen.
    "falcon_epsilon": dict(
        steps=48, seed=14, vocab_size=11, hidden_size=24, expand=1.5, state_size=8, conv_kernel=3,
        time_step_rank=4, num_hidden_layers=2, tie_word_embeddings=False, layer_norm_epsilon=1e-4,
        mixer_rms_eps=0.25),
}


# ---------------------------------------------------------------------------------------------------------
# The generator; generator.h is the same in C.
# ---------------------------------------------------------------------------------------------------------

def name_hash(name):
    """FNV-1a-64 of the name's bytes."""
    value = 0xCBF29CE484222325
    for byte in name.encode("utf-8"):
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def random_bits(name, seed, count):
    """The first `count` outputs of splitmix64 for this name and model seed, as uint64."""
    start = np.uint64(name_hash(name) ^ seed)
    with np.errstate(over="ignore"):
        z = start + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def value_range(name, shape):
    """(scale, offset) of a tensor, by the end of its name."""
    for ends, scale, offset in (
            (("A_log",), 1.0, 1.0),
            ((".D",), 0.5, 1.0),
            (("norm.weight", "norm_f.weight"), 0.25, 1.0),
            (("dt_proj.bias", "mixer.dt_bias"), 1.0, -2.5),
            (("conv1d.weight",), 0.5, 0.0),
            ((".bias",), 0.1, 0.0),
            (("embeddings.weight",), 1.0, 0.0)):
        if name.endswith(ends):
            return scale, offset
    return 2.0 ** -((int(shape[-1]).bit_length() - 1) // 2), 0.0


def generate_tensor(name, seed, shape):
    """The named tensor as float32: unit in [-1, 1), times scale, plus offset, each rounded to float32."""
    scale, offset = value_range(name, shape)
    bits = (random_bits(name, seed, math.prod(shape)) >> np.uint64(40)).astype(np.int32) - np.int32(8388608)
    unit = bits.astype(np.float32) * np.float32(2.0 ** -23)
    return (np.float32(offset) + np.float32(scale) * unit).reshape(shape)


def generate_ids(seed, vocabulary, count):
    """The model's token ids as int32."""
    return ((random_bits("ids", seed, count) >> np.uint64(33)) % np.uint64(vocabulary)).astype(np.int32)


def tensor_shapes(config):
    """Name -> shape of every tensor of a model with this config.json, in Hugging Face's names."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    states, rank, window = config["state_size"], config["time_step_rank"], config["conv_kernel"]
    shapes = {"backbone.embeddings.weight": (config["vocab_size"], hidden)}
    for layer in range(config["num_hidden_layers"]):
        prefix = f"backbone.layers.{layer}."
        shapes[prefix + "norm.weight"] = (hidden,)
        shapes[prefix + "mixer.A_log"] = (inner, states)
        shapes[prefix + "mixer.D"] = (inner,)
        shapes[prefix + "mixer.in_proj.weight"] = (2 * inner, hidden)
        shapes[prefix + "mixer.conv1d.weight"] = (inner, 1, window)
        shapes[prefix + "mixer.x_proj.weight"] = (rank + 2 * states, inner)
        shapes[prefix + "mixer.dt_proj.weight"] = (inner, rank)
        shapes[prefix + "mixer.dt_proj.bias"] = (inner,)
        shapes[prefix + "mixer.out_proj.weight"] = (hidden, inner)
        if config["use_conv_bias"]:
            shapes[prefix + "mixer.conv1d.bias"] = (inner,)
        if config["use_bias"]:
            shapes[prefix + "mixer.in_proj.bias"] = (2 * inner,)
            shapes[prefix + "mixer.out_proj.bias"] = (hidden,)
    shapes["backbone.norm_f.weight"] = (hidden,)
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (config["vocab_size"], hidden)
    return shapes


def generate_weights(config, seed):
    """Name -> float32 tensor of the whole model."""
    return {name: generate_tensor(name, seed, shape) for name, shape in tensor_shapes(config).items()}


# ---------------------------------------------------------------------------------------------------------
# The recomputation in float64.
# ---------------------------------------------------------------------------------------------------------

def run_float64(config, weights, ids):
    """Logits [steps][vocabulary] of the token ids, in float64, one token at a time.

    For each token, with x the residual stream of width hidden_size, every layer computes

        [u; z] = in_proj rms(x)                        each of width intermediate_size
        c      = silu(conv1d over the last conv_kernel values of u)
        [r; B; C] = x_proj c                          falcon_mamba: each divided by its root mean square
        dt     = softplus(dt_proj r)
        h[d,n] = exp(dt[d] A[d,n]) h[d,n] + dt[d] B[n] c[d],   A = -exp(A_log)
        y[d]   = sum_n C[n] h[d,n] + D[d] c[d]
        x      = x + out_proj (y silu(z))
    """
    weights = {name: tensor.astype(np.float64) for name, tensor in weights.items()}
    epsilon, rank, states = config["layer_norm_epsilon"], config["time_step_rank"], config["state_size"]
    embeddings = weights["backbone.embeddings.weight"]
    head = weights.get("lm_head.weight", embeddings)

    def rms_norm(x, name):
        return x / np.sqrt(np.mean(x * x) + epsilon) * weights[name]

    def divide(x):
        """By the root mean square, where the model does that to r, B and C."""
        return x / np.sqrt(np.mean(x * x) + config["mixer_rms_eps"]) if "mixer_rms_eps" in config else x

    def linear(x, name):
        y = weights[name + ".weight"] @ x
        return y + weights[name + ".bias"] if name + ".bias" in weights else y

    def silu(x):
        return x / (1.0 + np.exp(-x))

    layers = []
    for layer in range(config["num_hidden_layers"]):
        mixer = f"backbone.layers.{layer}.mixer"
        taps = weights[mixer + ".conv1d.weight"][:, 0, :]
        layers.append(dict(
            norm=f"backbone.layers.{layer}.norm.weight",
            mixer=mixer,
            A=-np.exp(weights[mixer + ".A_log"]),
            taps=taps,
            bias=weights.get(mixer + ".conv1d.bias", 0.0),
            window=np.zeros_like(taps),                             # the last inputs, the newest at the end
            state=np.zeros_like(weights[mixer + ".A_log"])))

    logits = []
    for token in ids:
        x = embeddings[token]
        for layer in layers:
            mixer = layer["mixer"]
            u, z = np.split(linear(rms_norm(x, layer["norm"]), mixer + ".in_proj"), 2)
            window = layer["window"]
            window[:, :-1] = window[:, 1:].copy()
            window[:, -1] = u
            c = silu(np.sum(window * layer["taps"], axis=1) + layer["bias"])
            r, B, C = np.split(linear(c, mixer + ".x_proj"), [rank, rank + states])
            r, B, C = divide(r), divide(B), divide(C)
            dt = np.logaddexp(0.0, linear(r, mixer + ".dt_proj"))   # softplus
            layer["state"] = np.exp(dt[:, None] * layer["A"]) * layer["state"] + np.outer(dt * c, B)
            y = layer["state"] @ C + weights[mixer + ".D"] * c
            x = x + linear(y * silu(z), mixer + ".out_proj")
        logits.append(head @ rms_norm(x, "backbone.norm_f.weight"))
    return np.array(logits)


# ---------------------------------------------------------------------------------------------------------
# safetensors, in the little that is needed of it: u64 header length, JSON header, the tensors' bytes.
# ---------------------------------------------------------------------------------------------------------

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I32": "<i4", "I64": "<i8"}


def write_safetensors(path, tensors, metadata):
    """Write {name: array}, the widest elements first so that each is aligned, and {key: string}."""
    names = {np.dtype(code): name for name, code in DTYPES.items()}
    header, offset, parts = {"__metadata__": metadata}, 0, []
    for name, array in sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])):
        data = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": names[array.dtype], "shape": list(array.shape),
                        "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
        parts.append(data)
    text = json.dumps(header, separators=(",", ":")).encode("ascii")
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(parts))


def read_safetensors(path):
    """({name: array}, {key: string}); bfloat16 tensors are widened to float32."""
    data = Path(path).read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        raw = data[start + begin:start + end]
        if entry["dtype"] == "BF16":
            array = (np.frombuffer(raw, "<u2").astype(np.uint32) << np.uint32(16)).view(np.float32)
        else:
            array = np.frombuffer(raw, DTYPES[entry["dtype"]])
        tensors[name] = array.reshape(entry["shape"])
    return tensors, metadata


# ---------------------------------------------------------------------------------------------------------
# transformers.
# ---------------------------------------------------------------------------------------------------------

def make_config(arguments):
    """(MambaConfig or FalconMambaConfig, text of its config.json).

    Both declare `expand` an integer and refuse 1.5, which real config.json files hold.  The model
    itself reads intermediate_size only, so such a model is made with expand 1 and its intermediate_size set
    to int(1.5 * hidden_size); in the text `expand` is then put back to what was asked.
    """
    from transformers import FalconMambaConfig, MambaConfig
    falcon = "mixer_rms_eps" in arguments
    expand = arguments["expand"]
    whole = expand == int(expand)
    config = (FalconMambaConfig if falcon else MambaConfig)(**{**arguments, "expand": expand if whole else 1})
    config.intermediate_size = int(expand * arguments["hidden_size"])
    config.architectures = ["FalconMambaForCausalLM" if falcon else "MambaForCausalLM"]
    with tempfile.TemporaryDirectory() as folder:
        config.save_pretrained(folder)
        text = (Path(folder) / "config.json").read_text()
    if not whole:
        assert text.count('"expand": 1,') == 1
        text = text.replace('"expand": 1,', f'"expand": {expand},')
    return config, text


def run_transformers(config, weights, ids):
    """Logits [steps][vocabulary] of transformers' own model in float32, every one of its parameters set."""
    import torch
    import transformers
    model = getattr(transformers, config.architectures[0])(config).float().eval()
    tied = {"lm_head.weight"} if config.tie_word_embeddings else set()

    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items() if name not in tied}
    assert shapes == {name: tensor.shape for name, tensor in weights.items()}, "other tensors than expected"
    result = model.load_state_dict({name: torch.from_numpy(t) for name, t in weights.items()}, strict=False)
    assert set(result.missing_keys) == tied and not result.unexpected_keys, result
    for name, value in model.named_parameters():
        assert value.dtype == torch.float32 and np.array_equal(value.detach().numpy(), weights[name]), name
    same = model.lm_head.weight.data_ptr() == model.backbone.embeddings.weight.data_ptr()
    assert same == bool(tied), "the head is tied, or not, against the config"

    with torch.no_grad():
        output = model(torch.from_numpy(ids).long()[None], use_cache=False)
    assert output.logits.dtype == torch.float32
    return output.logits[0].numpy()


def software_versions():
    import platform
    import torch
    import transformers
    return (f"python {platform.python_version()}, torch {torch.__version__}, "
            f"transformers {transformers.__version__}, numpy {np.__version__}")


def column_choice(vocabulary):
    """All columns of a small vocabulary; of a large one, some spread from the first to the last."""
    if vocabulary <= WHOLE_VOCABULARY:
        return np.arange(vocabulary, dtype=np.int32)
    return np.round(np.linspace(0, vocabulary - 1, COLUMNS)).astype(np.int32)


def bits_sum(weights):
    """The sum of all elements' bit patterns modulo 2^64, for a generator elsewhere to check itself."""
    return sum(int(t.view(np.uint32).sum(dtype=np.uint64)) for t in weights.values()) % 2 ** 64


def compare(logits, logits64):
    """max |difference| / max |logits64|, having seen that the logits are worth comparing."""
    assert np.isfinite(logits64).all() and np.isfinite(logits).all(), "logits are not finite"
    assert logits64.std(axis=0).min() > 1e-2 and logits64.std(axis=1).min() > 1e-2, "logits are degenerate"
    return np.abs(logits - logits64).max() / np.abs(logits64).max()


def make_model(name, folder, versions):
    """Run one of MODELS both ways and write its file; returns the relative difference."""
    arguments = {"hidden_act": "silu", "use_bias": False, "use_conv_bias": True, "tie_word_embeddings": True,
                 "layer_norm_epsilon": 1e-5, **MODELS[name]}
    steps, seed = arguments.pop("steps"), arguments.pop("seed")
    config, text = make_config(arguments)
    weights = generate_weights(json.loads(text), seed)
    ids = generate_ids(seed, arguments["vocab_size"], steps)

    columns = column_choice(arguments["vocab_size"])
    logits = run_transformers(config, weights, ids)
    logits64 = run_float64(json.loads(text), weights, ids)
    difference = compare(logits, logits64)

    path = folder / f"{name}.safetensors"
    write_safetensors(
        path,
        {"ids": ids, "columns": columns, "logits": logits[:, columns], "logits64": logits64[:, columns]},
        {"config": text, "arguments": json.dumps(arguments), "seed": str(seed), "versions": versions,
         "tensors": ",".join(weights), "bits": str(bits_sum(weights))})
    elements = sum(tensor.size for tensor in weights.values())
    print(f"{name:13} {elements:8} weights  {steps} x {len(columns):3}  max |logits| {np.abs(logits64).max():7.3f}  "
          f"std {logits64.std():6.3f}  |f32 - f64| / max {difference:.2e}  {path.stat().st_size:6} bytes", flush=True)
    return difference


def make(names, folder):
    import torch
    from transformers.utils import logging
    logging.disable_progress_bar()
    torch.manual_seed(0)                                            # only for weights that are overwritten
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    versions = software_versions()
    print(versions, flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    worst = max(make_model(name, folder, versions) for name in names)
    total = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    print(f"worst {worst:.2e}, allowed {TOLERANCE:.0e}; {total} bytes in {folder.name}/")
    return worst < TOLERANCE


# ---------------------------------------------------------------------------------------------------------
# Checks.
# ---------------------------------------------------------------------------------------------------------

def verify(names, folder):
    """Recompute the stored files in float64 from what they say of themselves; needs NumPy only."""
    good = True
    for name in names:
        tensors, metadata = read_safetensors(folder / f"{name}.safetensors")
        config, seed = json.loads(metadata["config"]), int(metadata["seed"])
        weights = generate_weights(config, seed)
        same = (metadata["tensors"] == ",".join(weights) and metadata["bits"] == str(bits_sum(weights))
                and np.array_equal(tensors["ids"], generate_ids(seed, config["vocab_size"], len(tensors["ids"]))))
        logits64 = run_float64(config, weights, tensors["ids"])[:, tensors["columns"]]
        again, float32 = compare(tensors["logits64"], logits64), compare(tensors["logits"], logits64)
        good = good and same and again < 1e-13 and float32 < TOLERANCE
        print(f"{name:13} inputs {'equal' if same else 'DIFFER'}  logits64 {again:.2e}  logits {float32:.2e}",
              flush=True)
    return good


def check_generator(names, compiler):
    """Compile generator.h and compare every tensor of the stored models, and the ids, bit for bit."""
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "generator_dump")
        subprocess.run([compiler, "-std=c99", "-O2", "-Wall", "-Wextra", "-Wshadow", "-pedantic", "-Werror",
                        "-ffp-contract=off", str(HERE / "generator_dump.c"), "-o", program], check=True)
        good = True
        for name in names:
            tensors, metadata = read_safetensors(HERE / "mamba" / f"{name}.safetensors")
            config, seed = json.loads(metadata["config"]), int(metadata["seed"])
            expected = [("ids", (config["vocab_size"], len(tensors["ids"])), tensors["ids"])]
            expected += [(key, value.shape, value) for key, value in generate_weights(config, seed).items()]
            lines = "".join(f"{key} {seed} {' '.join(map(str, shape))}\n" for key, shape, _ in expected)
            output = subprocess.run([program], input=lines.encode(), stdout=subprocess.PIPE, check=True).stdout
            same = output == b"".join(value.tobytes() for _, _, value in expected)
            good = good and same
            print(f"{name:13} {len(expected) - 1:3} tensors and ids, {len(output):8} bytes, "
                  f"{'equal' if same else 'DIFFERENT'}", flush=True)
    return good


def check_model(folder):
    """Compare the float64 loop on a stored model with its reference64.npz (ids, logits of every k-th row)."""
    config = json.loads((folder / "config.json").read_text())
    weights, _ = read_safetensors(folder / "model.safetensors")
    reference = np.load(folder / "reference64.npz")
    ids = reference["ids"].astype(np.int64)
    logits = run_float64(config, weights, ids)
    stride = -(-len(ids) // len(reference["logits"]))
    rows, largest = logits[::stride], np.abs(reference["logits"]).max()
    difference = np.abs(rows - reference["logits"]).max()
    print(f"{folder.name}: {len(ids)} steps, every {stride}-th compared: max |difference| {difference:.3e}, "
          f"max |logits| {largest:.3f}, relative {difference / largest:.2e}")
    if "bits_per_byte" in reference:
        top = logits.max(axis=1, keepdims=True)
        log_p = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
        bits = -log_p[np.arange(len(ids) - 1), ids[1:]].mean() / math.log(2.0)
        print(f"bits per byte {bits:.9f}, reference {float(reference['bits_per_byte']):.9f}")
    if (folder / "reference.npz").exists():
        float32 = np.load(folder / "reference.npz")
        assert np.array_equal(float32["ids"], reference["ids"])
        print(f"reference.npz (float32) is off by {np.abs(rows - float32['logits']).max():.3e}")
    return difference / largest < 1e-10


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--verify", action="store_true", help="recompute the stored files in float64")
    action.add_argument("--check-generator", action="store_true", help="compare generator.h with this script")
    action.add_argument("--check", type=Path, metavar="MODEL_DIR",
                        help="compare the float64 loop with the reference64.npz beside a real model")
    parser.add_argument("--only", nargs="+", choices=MODELS, default=list(MODELS), metavar="NAME",
                        help="these models only: " + ", ".join(MODELS))
    parser.add_argument("--cc", default=os.environ.get("CC", "cc"), help="C compiler for --check-generator")
    parser.add_argument("--out", type=Path, default=HERE / "mamba", help="where the files are (default: mamba/)")
    options = parser.parse_args()
    if options.check:
        good = check_model(options.check)
    elif options.check_generator:
        good = check_generator(options.only, options.cc)
    elif options.verify:
        good = verify(options.only, options.out)
    else:
        good = make(options.only, options.out)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
