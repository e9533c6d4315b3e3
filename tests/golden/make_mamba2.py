#!/usr/bin/env python3
"""Record outputs of Mamba-2 models: transformers' Mamba2ForCausalLM, and the original's reference functions.

    make_mamba2.py --mamba DIR        make mamba2/<name>.safetensors, one per model (needs torch, transformers, einops)
    make_mamba2.py --only two         make one of them
    make_mamba2.py --verify           recompute the stored files' logits in float64, from what they hold
    make_mamba2.py --check MODEL_DIR  run the float64 loop on a real model and compare with its reference64.npz

DIR is a checkout of state-spaces/mamba, of which `segsum` and `ssd_minimal_discrete` (modules/ssd_minimal.py) and
`rms_norm_ref` (ops/triton/layernorm_gated.py) are run as they stand: the files themselves import kernels that no CPU
has.  Everything between these functions is written out in `run_original`.

Models of `old` want a transformers below 5.23, which normalised behind the scan over all channels whatever n_groups was;
the other ones of transformers want a newer one, which does so group by group.  --only chooses.

Weights and token ids come from the generator of make_mamba.py; a file holds logits alone.
"""

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path

from make_mamba import (COLUMNS, HERE, TOLERANCE, bits_sum, compare, generate_ids, generate_tensor,
                        read_safetensors, run_transformers, software_versions, write_safetensors)

import numpy as np

# ---------------------------------------------------------------------------------------------------------
# The models.  chunk_size is what transformers cuts at; steps go beyond it, and beyond krait's 64.
# ---------------------------------------------------------------------------------------------------------

HUGGING = {
    "one": dict(steps=150, seed=101, vocab_size=11, hidden_size=16, expand=2, num_heads=8, head_dim=4, state_size=8,
                n_groups=1, num_hidden_layers=1, chunk_size=8),
    "two": dict(steps=100, seed=102, vocab_size=11, hidden_size=32, expand=2, num_heads=4, head_dim=16, state_size=16,
                n_groups=2, num_hidden_layers=2, chunk_size=16, use_bias=True),
    "four": dict(steps=100, seed=103, vocab_size=11, hidden_size=32, expand=2, num_heads=8, head_dim=8, state_size=32,
                 n_groups=4, num_hidden_layers=2, chunk_size=64, tie_word_embeddings=False),
    "wide": dict(steps=80, seed=104, vocab_size=300, hidden_size=64, expand=2, num_heads=2, head_dim=64, state_size=128,
                 n_groups=1, num_hidden_layers=2, chunk_size=256, tie_word_embeddings=False),
    "deep": dict(steps=70, seed=105, vocab_size=11, hidden_size=24, expand=4, num_heads=6, head_dim=16, state_size=24,
                 n_groups=2, num_hidden_layers=4, chunk_size=32, conv_kernel=2, use_conv_bias=False),
    "limits": dict(steps=90, seed=106, vocab_size=11, hidden_size=40, expand=1, num_heads=5, head_dim=8, state_size=9,
                   n_groups=1, num_hidden_layers=2, chunk_size=30, time_step_limit=(0.05, 0.2)),
    "narrow": dict(steps=140, seed=107, vocab_size=11, hidden_size=48, expand=1, num_heads=4, head_dim=12, state_size=70,
                   n_groups=4, num_hidden_layers=1, chunk_size=7, conv_kernel=3, layer_norm_epsilon=0.0625),
    "half": dict(steps=66, seed=0xFEDCBA9876543211, vocab_size=256, hidden_size=64, expand=2, num_heads=4, head_dim=32,
                 state_size=64, n_groups=2, num_hidden_layers=2, chunk_size=64),
    "old": dict(steps=70, seed=109, vocab_size=11, hidden_size=32, expand=2, num_heads=4, head_dim=16, state_size=16,
                n_groups=2, num_hidden_layers=2, chunk_size=16),
}

# Arguments of MambaConfig of state-spaces/mamba; ssm_cfg is Mamba2's.
ORIGINAL = {
    "original": dict(steps=96, seed=111, d_model=32, n_layer=2, vocab_size=11,
                     ssm_cfg=dict(layer="Mamba2", d_state=16, headdim=8, ngroups=4)),
    "original_gate": dict(steps=96, seed=112, d_model=24, n_layer=2, vocab_size=16, tie_embeddings=False,
                          ssm_cfg=dict(layer="Mamba2", d_state=10, headdim=12, ngroups=2, norm_before_gate=True,
                                       D_has_hdim=True, bias=True, d_conv=3)),
    "original_bare": dict(steps=96, seed=113, d_model=16, n_layer=3, vocab_size=8, d_intermediate=100,
                          ssm_cfg=dict(layer="Mamba2", d_state=8, headdim=16, rmsnorm=False, expand=3, conv_bias=False,
                                       dt_limit=[0.02, 0.3])),
}
MODELS = {**HUGGING, **ORIGINAL}
CHUNK = 32                              # block_len of ssd_minimal_discrete, which divides the originals' steps


# ---------------------------------------------------------------------------------------------------------
# One set of sizes for both kinds of config.
# ---------------------------------------------------------------------------------------------------------

def version_below(config, major, minor):
    found = re.match(r"(\d+)\.(\d+)", config.get("transformers_version", "999.0"))
    return tuple(map(int, found.groups())) < (major, minor)


def sizes(config):
    """What run_float64 needs of a config.json, Hugging Face's or the original's."""
    if "hidden_size" in config:
        limit = [float(x["__float__"]) if isinstance(x, dict) else x for x in config["time_step_limit"]]
        inner = config["num_heads"] * config["head_dim"]
        old = version_below(config, 5, 23)
        return dict(hidden=config["hidden_size"], layers=config["num_hidden_layers"], vocabulary=config["vocab_size"],
                    heads=config["num_heads"], width=config["head_dim"], states=config["state_size"],
                    groups=config["n_groups"], taps=config["conv_kernel"], epsilon=config["layer_norm_epsilon"],
                    mixer_epsilon=config["layer_norm_epsilon"], norm=inner if old else inner // config["n_groups"],
                    before_gate=False, channels=False, limit=limit, bias=config["use_bias"],
                    conv_bias=config["use_conv_bias"], tied=config["tie_word_embeddings"], mlp=0,
                    table="backbone.embeddings.weight")
    cfg = config["ssm_cfg"]
    inner, width, groups = cfg.get("expand", 2) * config["d_model"], cfg.get("headdim", 64), cfg.get("ngroups", 1)
    mlp = config.get("d_intermediate", 0)
    return dict(hidden=config["d_model"], layers=config["n_layer"], vocabulary=-(-config["vocab_size"] // 8) * 8,
                heads=inner // width, width=width, states=cfg.get("d_state", 128), groups=groups,
                taps=cfg.get("d_conv", 4), epsilon=1e-5, mixer_epsilon=1e-5,
                norm=inner // groups if cfg.get("rmsnorm", True) else 0, before_gate=cfg.get("norm_before_gate", False),
                channels=cfg.get("D_has_hdim", False), limit=cfg.get("dt_limit", [0.0, float("inf")]),
                bias=cfg.get("bias", False), conv_bias=cfg.get("conv_bias", True), tied=config.get("tie_embeddings", True),
                mlp=-(-mlp // 128) * 128, table="backbone.embedding.weight")


def tensor_shapes(s):
    """Name -> shape of every tensor."""
    inner, mixed = s["heads"] * s["width"], s["heads"] * s["width"] + 2 * s["groups"] * s["states"]
    shapes = {s["table"]: (s["vocabulary"], s["hidden"])}
    for layer in range(s["layers"]):
        prefix = f"backbone.layers.{layer}."
        mixer = prefix + "mixer."
        shapes[prefix + "norm.weight"] = (s["hidden"],)
        shapes[mixer + "dt_bias"] = shapes[mixer + "A_log"] = (s["heads"],)
        shapes[mixer + "D"] = (inner if s["channels"] else s["heads"],)
        shapes[mixer + "in_proj.weight"] = (inner + mixed + s["heads"], s["hidden"])
        shapes[mixer + "conv1d.weight"] = (mixed, 1, s["taps"])
        if s["norm"]:
            shapes[mixer + "norm.weight"] = (inner,)
        shapes[mixer + "out_proj.weight"] = (s["hidden"], inner)
        if s["conv_bias"]:
            shapes[mixer + "conv1d.bias"] = (mixed,)
        if s["bias"]:
            shapes[mixer + "in_proj.bias"] = (inner + mixed + s["heads"],)
            shapes[mixer + "out_proj.bias"] = (s["hidden"],)
        if s["mlp"]:
            shapes[prefix + "norm2.weight"] = (s["hidden"],)
            shapes[prefix + "mlp.fc1.weight"] = (2 * s["mlp"], s["hidden"])
            shapes[prefix + "mlp.fc2.weight"] = (s["hidden"], s["mlp"])
    shapes["backbone.norm_f.weight"] = (s["hidden"],)
    if not s["tied"]:
        shapes["lm_head.weight"] = (s["vocabulary"], s["hidden"])
    return shapes


# ---------------------------------------------------------------------------------------------------------
# The recomputation in float64.
# ---------------------------------------------------------------------------------------------------------

def run_float64(s, weights, ids):
    """Logits [steps][vocabulary], one token at a time, from the equations:

        [z; x; B; C; dt] = in_proj rms(x)      x, B and C through the convolution and silu
        dt = softplus(dt + dt_bias) within the limits,  A = -exp(A_log), both per head
        S[h] = exp(dt A) S[h] + dt x[h] B[g(h)]^T,  y[h] = S[h] C[g(h)] + D x[h]
        y = rms over each norm's channels of y silu(z), or of y and then the gate, or the gate alone
    """
    w = {name: tensor.astype(np.float64) for name, tensor in weights.items()}
    inner, bc = s["heads"] * s["width"], s["groups"] * s["states"]
    table = w[s["table"]]
    head, each = w.get("lm_head.weight", table), s["heads"] // s["groups"]

    def silu(x):
        return x / (1.0 + np.exp(-x))

    def rms(x, name, epsilon, size):
        parts = x.reshape(-1, size)
        return (parts / np.sqrt(np.mean(parts * parts, axis=1, keepdims=True) + epsilon)).reshape(-1) * w[name]

    def linear(x, name):
        return w[name + ".weight"] @ x + w.get(name + ".bias", 0.0)

    windows = [np.zeros((inner + 2 * bc, s["taps"])) for _ in range(s["layers"])]
    states = [np.zeros((s["heads"], s["width"], s["states"])) for _ in range(s["layers"])]
    logits = []
    for token in ids:
        x = table[token]
        for i in range(s["layers"]):
            prefix = f"backbone.layers.{i}."
            mixer = prefix + "mixer"
            z, xbc, dt = np.split(linear(rms(x, prefix + "norm.weight", s["epsilon"], s["hidden"]), mixer + ".in_proj"),
                                  [inner, 2 * inner + 2 * bc])
            windows[i] = np.concatenate([windows[i][:, 1:], xbc[:, None]], axis=1)
            xbc = silu(np.sum(windows[i] * w[mixer + ".conv1d.weight"][:, 0, :], axis=1) + w.get(mixer + ".conv1d.bias", 0.0))
            u, B, C = np.split(xbc, [inner, inner + bc])
            u = u.reshape(s["heads"], s["width"])
            B, C = (np.repeat(v.reshape(s["groups"], s["states"]), each, axis=0) for v in (B, C))
            dt = np.clip(np.logaddexp(0.0, dt + w[mixer + ".dt_bias"]), *s["limit"])
            decay = np.exp(dt * -np.exp(w[mixer + ".A_log"]))
            states[i] = decay[:, None, None] * states[i] + (dt[:, None] * u)[:, :, None] * B[:, None, :]
            D = w[mixer + ".D"]
            y = np.einsum("hpn,hn->hp", states[i], C) + (D.reshape(s["heads"], -1) * u)
            y = y.reshape(-1)
            if not s["norm"]:
                y = y * silu(z)
            elif s["before_gate"]:
                y = rms(y, mixer + ".norm.weight", s["mixer_epsilon"], s["norm"]) * silu(z)
            else:
                y = rms(y * silu(z), mixer + ".norm.weight", s["mixer_epsilon"], s["norm"])
            x = x + linear(y, mixer + ".out_proj")
            if s["mlp"]:
                y, gate = np.split(linear(rms(x, prefix + "norm2.weight", s["epsilon"], s["hidden"]), prefix + "mlp.fc1"), 2)
                x = x + linear(y * silu(gate), prefix + "mlp.fc2")
        logits.append(head @ rms(x, "backbone.norm_f.weight", s["epsilon"], s["hidden"]))
    return np.array(logits)


# ---------------------------------------------------------------------------------------------------------
# The original's functions.
# ---------------------------------------------------------------------------------------------------------

def original_functions(folder):
    """segsum, ssd_minimal_discrete and rms_norm_ref of a checkout, without what the files import."""
    import torch
    import torch.nn.functional as F
    from einops import rearrange, repeat
    space = {"torch": torch, "F": F, "rearrange": rearrange, "repeat": repeat}
    for path, names in (("modules/ssd_minimal.py", ("segsum", "ssd_minimal_discrete")),
                        ("ops/triton/layernorm_gated.py", ("rms_norm_ref",))):
        text = (folder / "mamba_ssm" / path).read_text()
        for name in names:
            exec(re.search(rf"^def {name}\(.*?(?=^\S)", text, re.M | re.S).group(0), space)
    return space


def run_original(folder, s, weights, ids):
    """Logits [steps][vocabulary] in float32: Mamba2.forward without its kernels, by the functions that define them."""
    import torch
    import torch.nn.functional as F
    f = original_functions(folder)
    w = {name: torch.from_numpy(tensor) for name, tensor in weights.items()}
    inner, bc, each = s["heads"] * s["width"], s["groups"] * s["states"], s["heads"] // s["groups"]

    def norm(x, name):
        return f["rms_norm_ref"](x, w[name], None, eps=s["epsilon"])

    x = w[s["table"]][torch.from_numpy(ids).long()][None]
    for i in range(s["layers"]):
        prefix = f"backbone.layers.{i}."
        mixer = prefix + "mixer."
        zxbcdt = F.linear(norm(x, prefix + "norm.weight"), w[mixer + "in_proj.weight"], w.get(mixer + "in_proj.bias"))
        z, xbc, dt = torch.split(zxbcdt, [inner, inner + 2 * bc, s["heads"]], dim=-1)
        xbc = F.conv1d(xbc.transpose(1, 2), w[mixer + "conv1d.weight"], w.get(mixer + "conv1d.bias"),
                       padding=s["taps"] - 1, groups=inner + 2 * bc)[..., :len(ids)]
        u, B, C = torch.split(F.silu(xbc.transpose(1, 2)), [inner, bc, bc], dim=-1)
        u = u.reshape(1, len(ids), s["heads"], s["width"])
        B, C = (v.reshape(1, len(ids), s["groups"], s["states"]).repeat_interleave(each, dim=2) for v in (B, C))
        dt = torch.clamp(F.softplus(dt + w[mixer + "dt_bias"]), *s["limit"])
        y, _ = f["ssd_minimal_discrete"](u * dt[..., None], dt * -torch.exp(w[mixer + "A_log"]), B, C, CHUNK)
        y = (y + w[mixer + "D"].reshape(s["heads"], -1) * u).reshape(1, len(ids), inner)
        if s["norm"]:
            y = f["rms_norm_ref"](y, w[mixer + "norm.weight"], None, z=z, eps=1e-5, group_size=s["norm"],
                                  norm_before_gate=s["before_gate"])
        else:
            y = y * F.silu(z)
        x = x + F.linear(y, w[mixer + "out_proj.weight"], w.get(mixer + "out_proj.bias"))
        if s["mlp"]:
            y, gate = F.linear(norm(x, prefix + "norm2.weight"), w[prefix + "mlp.fc1.weight"]).chunk(2, dim=-1)
            x = x + F.linear(y * F.silu(gate), w[prefix + "mlp.fc2.weight"])
    x = norm(x, "backbone.norm_f.weight")
    return F.linear(x, w.get("lm_head.weight", w[s["table"]]))[0].numpy()


# ---------------------------------------------------------------------------------------------------------
# Making and checking.
# ---------------------------------------------------------------------------------------------------------

def make_config(name, arguments):
    """(transformers' config or None, text of config.json)."""
    if name in ORIGINAL:
        rest = dict(rms_norm=True, residual_in_fp32=True, fused_add_norm=True, pad_vocab_size_multiple=8)
        return None, json.dumps({**arguments, **rest})
    from transformers import Mamba2Config
    config = Mamba2Config(**arguments)
    config.architectures = ["Mamba2ForCausalLM"]
    with tempfile.TemporaryDirectory() as folder:
        config.save_pretrained(folder)
        text = (Path(folder) / "config.json").read_text()
    assert version_below(json.loads(text), 5, 23) == (name == "old"), "another transformers is wanted"
    return config, text


def make_model(name, options):
    common = {} if name in ORIGINAL else {"hidden_act": "silu", "use_bias": False, "use_conv_bias": True,
                                          "tie_word_embeddings": True, "layer_norm_epsilon": 1e-5}
    arguments = {**common, **MODELS[name]}
    steps, seed = arguments.pop("steps"), arguments.pop("seed")
    config, text = make_config(name, arguments)
    s = sizes(json.loads(text))
    weights = {tensor: generate_tensor(tensor, seed, shape) for tensor, shape in tensor_shapes(s).items()}
    ids = generate_ids(seed, s["vocabulary"], steps)
    columns = np.unique(np.round(np.linspace(0, s["vocabulary"] - 1, COLUMNS)).astype(np.int32))
    logits = run_transformers(config, weights, ids) if config else run_original(options.mamba, s, weights, ids)
    logits64 = run_float64(s, weights, ids)
    difference = compare(logits, logits64)
    versions = software_versions()
    if not config:
        versions += ", state-spaces/mamba e9594ce (ssd_minimal_discrete, rms_norm_ref)"
    path = options.out / f"{name}.safetensors"
    write_safetensors(path, {"ids": ids, "columns": columns, "logits": logits[:, columns],
                             "logits64": logits64[:, columns]},
                      {"config": text, "seed": str(seed), "versions": versions, "bits": str(bits_sum(weights)),
                       "tensors": ",".join(f"{tensor} {' '.join(map(str, value.shape))}"
                                           for tensor, value in weights.items())})
    print(f"{name:13} {steps} x {len(columns):3}  max |logits| {np.abs(logits64).max():7.3f}  |f32 - f64| / max "
          f"{difference:.2e}  {path.stat().st_size:6} bytes", flush=True)
    return difference


def make(options):
    import torch
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    return max(make_model(name, options) for name in options.only) < TOLERANCE


def verify(options):
    good = True
    for name in options.only:
        tensors, metadata = read_safetensors(options.out / f"{name}.safetensors")
        s, seed = sizes(json.loads(metadata["config"])), int(metadata["seed"])
        weights = {tensor: generate_tensor(tensor, seed, shape) for tensor, shape in tensor_shapes(s).items()}
        same = metadata["bits"] == str(bits_sum(weights))
        logits64 = run_float64(s, weights, tensors["ids"])[:, tensors["columns"]]
        again, float32 = compare(tensors["logits64"], logits64), compare(tensors["logits"], logits64)
        good = good and same and again < 1e-12 and float32 < TOLERANCE
        print(f"{name:13} weights {'equal' if same else 'DIFFER'}  logits64 {again:.2e}  logits {float32:.2e}", flush=True)
    return good


def check_model(folder):
    config = json.loads((folder / "config.json").read_text())
    weights, _ = read_safetensors(folder / "model.safetensors")
    reference = np.load(folder / "reference64.npz")
    ids = reference["ids"].astype(np.int64)
    logits = run_float64(sizes(config), weights, ids)
    rows, largest = logits[::-(-len(ids) // len(reference["logits"]))], np.abs(reference["logits"]).max()
    difference = np.abs(rows - reference["logits"]).max()
    print(f"{folder.name}: max |difference| {difference:.3e}, max |logits| {largest:.3f}")
    return difference / largest < 1e-10


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mamba", type=Path, help="a checkout of state-spaces/mamba, for the original's models")
    parser.add_argument("--verify", action="store_true", help="recompute the stored files in float64")
    parser.add_argument("--check", type=Path, metavar="MODEL_DIR", help="compare the float64 loop with a real model's")
    parser.add_argument("--only", nargs="+", choices=MODELS, default=list(MODELS), metavar="NAME",
                        help="these models only: " + ", ".join(MODELS))
    parser.add_argument("--out", type=Path, default=HERE / "mamba2", help="where the files are (default: mamba2/)")
    options = parser.parse_args()
    if options.check:
        return 0 if check_model(options.check) else 1
    return 0 if (verify(options) if options.verify else make(options)) else 1


if __name__ == "__main__":
    sys.exit(main())
