#!/usr/bin/env python3
"""Write a trained model as one .safetensors that krait opens, and see that krait computes what the framework does.

    import export
    export.s4("digits.safetensors", model.state_dict(), x, model(x))                    a state dict of PyTorch
    export.s5("motion.safetensors", variables, x, model.apply(variables, x),            flax: a nested dict
              activation="half_glu1", clip_eigs=True)
    export.lru("text.safetensors", variables, x, y)
    export.export("any.safetensors", weights, description, x, y)                        config.json's fields, or a tree

x is what the framework was given, y what it made of it in evaluation mode: [steps, width] or [batch, steps, width]
(tokens: integers, [steps] or [batch, steps]), y with as many dimensions or, pooled, without its steps.  Hyperparameters
that shapes tell are read from the weights; the rest are keywords, named as in the framework's own code, and have its defaults.

Every function runs `krait run` on the written file (krait="krait": where the command is) and returns the largest
difference as a fraction of the largest output.  Above `tolerance`, or when krait refuses the file, it raises
ValueError, and leaves what was at the path before.  Needs NumPy alone; tensors of torch and jax are taken as they are.
"""

import json
import os
import re
import struct
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

TYPES = {"float16": "F16", "float32": "F32", "int32": "I32", "int64": "I64"}


# ---- weights -----------------------------------------------------------------------------------------------

def array(value):
    """A NumPy array of whatever holds numbers: complex as pairs, what NumPy has no type for as float32."""
    if hasattr(value, "detach"):                                # torch
        value = value.detach().cpu().resolve_conj().resolve_neg()
        value = value.float() if str(value.dtype) == "torch.bfloat16" else value
        value = value.numpy()
    value = np.asarray(value)
    if np.iscomplexobj(value):
        value = np.stack([value.real, value.imag], -1)
    if value.dtype.name not in TYPES:
        value = value.astype(np.int64 if value.dtype.kind in "iub" else np.float32)
    return value


def flat(tree, path=""):
    """{"a": {"b": x}} and {"a.b": x} alike as {"a.b": array}."""
    if not isinstance(tree, Mapping):
        return {path: array(tree)}
    result = {}
    for name, value in tree.items():
        for key, item in flat(value, f"{path}.{name}" if path else str(name)).items():
            if key in result:
                raise ValueError(f"two tensors are called {key}")
            result[key] = item
    return result


def flax(variables):
    """The collections params and batch_stats of flax together, or a bare tree of parameters."""
    if "params" not in variables:
        return flat(variables)
    return {**flat(variables["params"]), **flat(variables.get("batch_stats", {}))}


def count(weights, pattern):
    """How many layers there are: the numbers that (\\d+) in the pattern finds must be 0, 1, 2, ..."""
    found = {int(match[1]) for match in (re.match(pattern, name) for name in weights) if match}
    if not found or found != set(range(len(found))):
        raise ValueError(f"no layers called {pattern} from 0 on: {sorted(found) or sorted(weights)[:8]}")
    return len(found)


def shape(weights, name, axis):
    if name not in weights:
        raise ValueError(f"{name} is missing")
    return weights[name].shape[axis]


# ---- files -------------------------------------------------------------------------------------------------

def write(path, weights, metadata):
    """A .safetensors: 8 bytes of length, JSON, data.  github.com/huggingface/safetensors"""
    head, data, at = {"__metadata__": metadata}, [], 0
    for name, value in sorted(weights.items()):
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise ValueError(f"{name}: NaN or infinity")
        value = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
        head[name] = {"dtype": TYPES[value.dtype.name], "shape": list(np.shape(weights[name])),
                      "data_offsets": [at, at + value.nbytes]}
        data.append(value.tobytes())
        at += value.nbytes
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data))


def run(krait, path, inputs, last):
    """What krait makes of the inputs: every row, or the last of each sequence."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/x.npy", inputs)
        done = subprocess.run([str(krait), "run", str(path), "--quiet", "--input", f"{folder}/x.npy", "--output",
                               f"{folder}/y.npy"] + ["--last"] * last, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ValueError(done.stderr.strip() or f"{krait} ended with status {done.returncode}")
        return np.load(f"{folder}/y.npy")


def compare(krait, path, inputs, outputs, tolerance):
    inputs, outputs = np.asarray(array(inputs)), np.asarray(array(outputs), np.float64)
    tokens = inputs.dtype.kind == "i"
    if not tokens:
        inputs = inputs.astype(np.float32)
    made = run(krait, path, inputs, outputs.ndim < inputs.ndim + tokens).astype(np.float64)
    if made.shape != outputs.shape:
        raise ValueError(f"krait makes {made.shape}, but the framework {outputs.shape}")
    apart = np.abs(made - outputs).max() / max(np.abs(outputs).max(), 1e-30)
    if not apart <= tolerance:
        raise ValueError(f"krait's outputs are off by {apart:.2e} of the largest, more than {tolerance:.2e}")
    return float(apart)


def export(path, weights, description, inputs, outputs, krait="krait", tolerance=1e-3, metadata=None):
    """One file of weights (nested or not) and description (a dict), checked; metadata: further texts by name."""
    path = Path(path)
    handle, partial = tempfile.mkstemp(suffix=".safetensors", dir=path.parent)
    os.close(handle)
    try:
        write(partial, flat(weights), {**(metadata or {}), "krait": json.dumps(description)})
        apart = compare(krait, partial, inputs, outputs, tolerance)
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    finally:
        if os.path.exists(partial):
            os.unlink(partial)
    return apart


def checks(options):
    """Takes export()'s own keywords out of the options."""
    return {name: options.pop(name) for name in ("krait", "tolerance", "metadata") if name in options}


# ---- families ----------------------------------------------------------------------------------------------

def s4(path, state, inputs, outputs, **options):
    """S4Model of state-spaces/s4, example.py: Linear, S4Block (DPLR or diagonal) or S4D layers with a norm each, mean, Linear.

    Keywords: prenorm (False) as there, pooling, and those of S4Block that shapes do not tell: disc, real_transform,
    imag_transform, dt_transform, dt_fast, rate, bandlimit, ...  BatchNorm and a norm before the mean are seen by name.
    """
    how = checks(options)
    weights = {re.sub(r"^s4_layers\.", "layers.", name): value for name, value in flat(state).items()
               if not name.endswith("num_batches_tracked")}
    layers = count(weights, r"layers\.(\d+)\.")
    if "layers.0.kernel.log_A_real" in weights:
        return export(path, weights, s4d_tree(weights, layers, **options), inputs, outputs, **how)
    kernel = "layers.0.layer.kernel."
    copies, states = (shape(weights, kernel + "A_real", axis) for axis in (0, 1))
    config = dict(model_type="s4" if kernel + "P" in weights else "s4d", d_input=shape(weights, "encoder.weight", 1),
                  d_model=shape(weights, "encoder.weight", 0), d_state=2 * states, n_layers=layers, n_ssm=copies,
                  n_classes=shape(weights, "decoder.weight", 0), channels=shape(weights, kernel + "C", 0),
                  norm="batch" if "norms.0.running_mean" in weights else "layer",
                  dt_tie=shape(weights, kernel + "inv_dt", 1) == 1, prenorm=False, final_norm="norm.weight" in weights)
    if kernel + "P" in weights:
        config["rank"] = shape(weights, kernel + "P", 0)
    return export(path, weights, {**config, **options}, inputs, outputs, **how)


def dss(path, state, inputs, outputs, **options):
    """The same stack with DSS layers of ag1988/dss, standalone/dss.py, named layers.i.layer (or dss_layers.i.layer).

    Keywords: prenorm (False), pooling, and DSS's version ("softmax", which asks for the l_max it was trained with),
    bidirectional.
    """
    how = checks(options)
    weights = {re.sub(r"^dss_layers\.", "layers.", name): value for name, value in flat(state).items()
               if not name.endswith("num_batches_tracked")}
    layer = "layers.0.layer."
    config = dict(model_type="dss", d_input=shape(weights, "encoder.weight", 1), d_model=shape(weights, "encoder.weight", 0),
                  d_state=shape(weights, layer + "kernel.W", 2), n_layers=count(weights, r"layers\.(\d+)\."),
                  n_classes=shape(weights, "decoder.weight", 0), channels=shape(weights, layer + "D", 0),
                  norm="batch" if "norms.0.running_mean" in weights else "layer", prenorm=False,
                  final_norm="norm.weight" in weights, sep_dt_re_im=weights[layer + "kernel.log_dt"].ndim > 1,
                  postact="glu" if "layers.0.output_linear.0.weight" in weights else None)
    return export(path, weights, {**config, **options}, inputs, outputs, **how)


def s4d_tree(weights, layers, prenorm=False, pooling="mean"):
    """The same model with layers of models/s4/s4d.py, which have other tensors."""
    norm = {"layer_norm": {"name": "norm", "path": "norms.{i}"}}
    width = shape(weights, "encoder.weight", 0)
    block = [{"s4d": {"name": "layer", "form": "minimal", "states": shape(weights, "layers.0.kernel.log_A_real", 1),
                      "path": "layers.{i}"}},
             {"activation": {"kind": "gelu"}},
             {"linear": {"name": "output", "width": 2 * width, "path": "layers.{i}.output_linear.0"}},
             {"glu": {}}]
    layer = {"residual": {"sequence": [norm] * prenorm + block}}
    return tree(shape(weights, "encoder.weight", 1), [
        {"linear": {"width": width, "path": "encoder"}},
        {"repeat": {"name": "layers", "n": layers, "of": layer if prenorm else {"sequence": [layer, norm]}}},
        {"pool": {"kind": pooling}},
        {"linear": {"width": shape(weights, "decoder.weight", 0), "path": "decoder"}}])


def s5(path, variables, inputs, outputs, **options):
    """ClassificationModel of lindermanlab/S5, s5/seq_model.py.

    Keywords as there: activation ("gelu"), prenorm (False), pooling ("mean"), and of the layer discretization ("zoh"),
    conj_sym (True), clip_eigs (False).  input_mean and input_std, if given, are taken from raw inputs and divide them:
    then inputs are raw.
    """
    how = checks(options)
    weights = flax(variables)
    conjugates = options.get("conj_sym", True)
    config = dict(model_type="s5", d_input=shape(weights, "encoder.encoder.kernel", 0),
                  d_model=shape(weights, "encoder.encoder.kernel", 1),
                  ssm_size=shape(weights, "encoder.layers_0.seq.Lambda_re", 0) * (2 if conjugates else 1),
                  n_layers=count(weights, r"encoder\.layers_(\d+)\."), n_classes=shape(weights, "decoder.kernel", 1),
                  norm="batch" if "encoder.layers_0.norm.mean" in weights else "layer")
    return export(path, weights, {**config, **options}, inputs, outputs, **how)


def dense(weights, path):
    """A Dense of flax, whose kernel is [in, out]."""
    return {"linear": {"name": path.rsplit(".", 1)[-1], "width": shape(weights, path.replace("{i}", "0") + ".kernel", 1),
                       "weights": {"weight": {"tensor": path + ".kernel", "transpose": True}, "bias": path + ".bias"}}}


def lru(path, variables, inputs, outputs, prenorm=False, pooling="mean", **how):
    """ClassificationModel of NicolasZucchet/minimal-LRU, lru/model.py; multidim is 1."""
    weights = flax(variables)
    at = "encoder.layers_{i}"
    batch = "encoder.layers_0.normalization.mean" in weights
    names = {"weight": "scale", "bias": "bias", **({"running_mean": "mean", "running_var": "var"} if batch else {})}
    norm = {"batch_norm" if batch else "layer_norm": {
        "name": "normalization", "eps": 1e-5 if batch else 1e-6,
        "weights": {slot: f"{at}.normalization.{name}" for slot, name in names.items()}}}
    block = {"residual": {"sequence": [norm] * prenorm + [
        {"lru": {"name": "seq", "states": shape(weights, "encoder.layers_0.seq.nu_log", 0), "path": at + ".seq"}},
        {"activation": {"kind": "gelu_tanh"}},
        {"branches": {"name": "glu", "merge": "multiply", "of": [
            dense(weights, at + ".out1"), {"sequence": [dense(weights, at + ".out2"),
                                                        {"activation": {"kind": "sigmoid"}}]}]}}]}}
    layers = [dense(weights, "encoder.encoder"),
              {"repeat": {"name": "layers", "n": count(weights, r"encoder\.layers_(\d+)\."),
                          "of": block if prenorm else {"sequence": [block, norm]}}}]
    layers += [] if pooling == "none" else [{"pool": {"kind": pooling}}]
    layers += [dense(weights, "decoder"), {"log_softmax": {}}]
    return export(path, weights, tree(shape(weights, "encoder.encoder.kernel", 0), layers), inputs, outputs, **how)


def tree(inputs, layers):
    """krait's own description: docs/layers.md."""
    return {"model_type": "krait", "version": 1, "input": {"features": inputs}, "tree": {"sequence": layers}}
