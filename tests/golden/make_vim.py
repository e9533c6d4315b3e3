#!/usr/bin/env python3
"""Record small random Vision Mamba models with their outputs in double precision.

    python3 tests/golden/make_vim.py            (needs numpy and safetensors)

Writes tests/golden/vim/<name>.safetensors: the weights under the names of hustvl/Vim's state dict
(float32), "recorded.images" F32 [images][rows][columns][channels], which is how krait is given them,
and "recorded.output" F64 [images][numbers].  The config is in the metadata.

The computation follows the order of vim/models_mamba.py and mamba_simple.py in that repository,
hidden states and residual kept apart, as plain loops over time.  It knows nothing of krait.
"""
import json
import pathlib

import numpy as np
from safetensors.numpy import save_file

FOLDER = pathlib.Path(__file__).resolve().parent / "vim"
DEFAULTS = {
    "channels": 1, "d_state": 4, "norm_epsilon": 1e-5, "rms_norm": True, "if_abs_pos_embed": True,
    "if_cls_token": True, "use_middle_cls_token": True, "use_double_cls_token": False,
    "if_divide_out": True, "bimamba_type": "v2", "if_bimamba": False, "if_bidirectional": False,
    "final_pool_type": "none", "ssm_cfg": None, "init_layer_scale": None,
}
MODELS = {
    # Overlapping patches that are no squares, bytes over at both edges; LayerNorm; the sum.
    "overlap": {"img_size": [11, 9], "patch_size": [4, 3], "stride": 2, "channels": 3, "embed_dim": 10,
                "depth": 2, "num_classes": 5, "rms_norm": False, "use_middle_cls_token": False,
                "if_divide_out": False, "norm_epsilon": 0.01, "ssm_cfg": {"bias": True}},
    # An odd number of patches around the token; pixels normalised by channel; layer scale.
    "middle": {"img_size": 15, "patch_size": 5, "stride": 5, "channels": 2, "embed_dim": 17, "depth": 3,
               "num_classes": 4, "image_mean": [0.4, 0.6], "image_std": [0.2, 0.3], "init_layer_scale": 1e-1},
    "shared": {"img_size": 8, "patch_size": 2, "stride": 2, "embed_dim": 12, "depth": 2, "num_classes": 3,
               "bimamba_type": "v1", "if_cls_token": False, "final_pool_type": "mean", "d_state": 5,
               "ssm_cfg": {"d_conv": 3, "expand": 1.5, "dt_rank": 3, "conv_bias": False}},
    "forward": {"img_size": 12, "patch_size": 4, "stride": 4, "embed_dim": 8, "depth": 2, "num_classes": 6,
                "bimamba_type": "none", "if_cls_token": False, "if_abs_pos_embed": False, "image_mean": 0.5,
                "image_std": 0.25, "ssm_cfg": {"bias": True, "dt_rank": "auto"}},
    # Five layers in pairs: the last one never runs.
    "pairs": {"img_size": 8, "patch_size": 4, "stride": 2, "embed_dim": 9, "depth": 5, "num_classes": 3,
              "use_double_cls_token": True, "if_bidirectional": True},
    "greatest": {"img_size": 9, "patch_size": 3, "stride": 3, "embed_dim": 8, "depth": 2, "num_classes": 4,
                 "if_cls_token": False, "final_pool_type": "max", "rms_norm": False},
    "every": {"img_size": [4, 6], "patch_size": 2, "stride": 2, "embed_dim": 8, "depth": 2, "num_classes": 3,
              "if_cls_token": False, "final_pool_type": "all", "bimamba_type": "none"},
    "headless": {"img_size": 8, "patch_size": 4, "stride": 4, "embed_dim": 16, "depth": 2, "num_classes": 0,
                 "if_bimamba": True, "if_divide_out": True, "use_middle_cls_token": False, "init_layer_scale": 0.5},
}


def pair(x):
    return x if isinstance(x, list) else [x, x]


def sizes(c):
    rows, columns = pair(c["img_size"])
    p, q = pair(c["patch_size"])
    patches = ((rows - p) // c["stride"] + 1) * ((columns - q) // c["stride"] + 1)
    mixer = c["ssm_cfg"] or {}
    rank = mixer.get("dt_rank", "auto")
    return {"patches": patches, "inner": int(mixer.get("expand", 2) * c["embed_dim"]), "taps": mixer.get("d_conv", 4),
            "rank": -(-c["embed_dim"] // 16) if rank == "auto" else rank,
            "both": "v1" if c["if_bimamba"] else c["bimamba_type"]}


def weights(c, random):
    """All tensors of VisionMamba's state dict, random, of the sizes of trained ones."""
    z, n, width = sizes(c), c["d_state"], c["embed_dim"]
    mixer = c["ssm_cfg"] or {}
    made = {}

    def put(name, shape, scale=None, offset=0.0):
        scale = scale or np.sqrt(1.5 / np.prod(shape[1:]))
        made[name] = (offset + scale * random.uniform(-1, 1, shape)).astype(np.float32)

    def norm(name):
        put(name + ".weight", [width], 0.25, 1)
        if not c["rms_norm"]:
            put(name + ".bias", [width], 0.25)

    put("patch_embed.proj.weight", [width, c["channels"], *pair(c["patch_size"])])
    put("patch_embed.proj.bias", [width], 0.2)
    tokens = 0
    if c["if_cls_token"]:
        names = ["cls_token_head", "cls_token_tail"] if c["use_double_cls_token"] else ["cls_token"]
        tokens = len(names)
        for name in names:
            put(name, [1, 1, width], 1)
    if c["if_abs_pos_embed"]:
        put("pos_embed", [1, z["patches"] + tokens, width], 0.5)
    for i in range(c["depth"]):
        m = f"layers.{i}.mixer."
        norm(f"layers.{i}.norm")
        put(m + "in_proj.weight", [2 * z["inner"], width])
        put(m + "out_proj.weight", [width, z["inner"]])
        if mixer.get("bias", False):
            put(m + "in_proj.bias", [2 * z["inner"]], 0.2)
            put(m + "out_proj.bias", [width], 0.2)
        for b, log in [("", "A_log"), ("_b", "A_b_log")]:
            if b and z["both"] == "none":
                continue
            put(m + log, [z["inner"], n], 1, 0.5)
            if b and z["both"] == "v1":
                continue
            put(m + f"conv1d{b}.weight", [z["inner"], 1, z["taps"]], 0.5)
            if mixer.get("conv_bias", True):
                put(m + f"conv1d{b}.bias", [z["inner"]], 0.2)
            put(m + f"x_proj{b}.weight", [z["rank"] + 2 * n, z["inner"]])
            put(m + f"dt_proj{b}.weight", [z["inner"], z["rank"]])
            put(m + f"dt_proj{b}.bias", [z["inner"]], 1, -1.5)
            put(m + f"D{b}", [z["inner"]], 0.5, 1)
        if c["init_layer_scale"] is not None:
            put(m + "gamma", [width], c["init_layer_scale"])
    norm("norm_f")
    if c["num_classes"]:
        put("head.weight", [c["num_classes"], width])
        put("head.bias", [c["num_classes"]], 0.2)
    return made


def silu(x):
    return x / (1 + np.exp(-x))


def normed(c, w, name, x):
    if c["rms_norm"]:
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + c["norm_epsilon"]) * w[name + ".weight"]
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + c["norm_epsilon"]) * w[name + ".weight"] + w[name + ".bias"]


def convolved(w, name, x):
    taps = w[name + ".weight"][:, 0]
    y = np.zeros_like(x)
    for t in range(len(x)):
        for k in range(taps.shape[1]):
            at = t - (taps.shape[1] - 1) + k
            if at >= 0:
                y[t] += taps[:, k] * x[at]
    return silu(y + w.get(name + ".bias", 0))


def scanned(x, dt, bias, a, b, c, d, z):
    h, y = np.zeros_like(a), np.zeros_like(x)
    for t in range(len(x)):
        step = np.log1p(np.exp(dt[t] + bias))
        h = np.exp(step[:, None] * a) * h + (step * x[t])[:, None] * b[t]
        y[t] = h @ c[t] + d * x[t]
    return y * silu(z)


def projected(c, w, m, x, b=""):
    rank, n = sizes(c)["rank"], c["d_state"]
    r = x @ w[m + f"x_proj{b}.weight"].T
    return r[:, :rank] @ w[m + f"dt_proj{b}.weight"].T, r[:, rank:rank + n], r[:, rank + n:]


def one_way(c, w, m, xz, b=""):
    inner = sizes(c)["inner"]
    x = convolved(w, m + f"conv1d{b}", xz[:, :inner])
    dt, bb, cc = projected(c, w, m, x, b)
    a = -np.exp(w[m + ("A_b_log" if b else "A_log")])
    return scanned(x, dt, w[m + f"dt_proj{b}.bias"], a, bb, cc, w[m + f"D{b}"], xz[:, inner:])


def mixed(c, w, i, x):
    m, z = f"layers.{i}.mixer.", sizes(c)
    xz = x @ w[m + "in_proj.weight"].T + w.get(m + "in_proj.bias", 0)
    if z["both"] == "v2":
        y = one_way(c, w, m, xz) + one_way(c, w, m, xz[::-1], "_b")[::-1]
        y = y / 2 if c["if_divide_out"] else y
    elif z["both"] == "v1":
        x, gate = convolved(w, m + "conv1d", xz[:, :z["inner"]]), xz[:, z["inner"]:]
        dt, b, cc = projected(c, w, m, x)
        bias, d = w[m + "dt_proj.bias"], w[m + "D"]
        y = scanned(x, dt, bias, -np.exp(w[m + "A_log"]), b, cc, d, gate)
        y = y + scanned(x[::-1], dt[::-1], bias, -np.exp(w[m + "A_b_log"]), b[::-1], cc[::-1], d, gate[::-1])[::-1]
    else:
        y = one_way(c, w, m, xz)
    y = y @ w[m + "out_proj.weight"].T + w.get(m + "out_proj.bias", 0)
    return y * w.get(m + "gamma", 1)


def block(c, w, i, hidden, residual):
    residual = hidden if residual is None else residual + hidden
    return mixed(c, w, i, normed(c, w, f"layers.{i}.norm", residual)), residual


def features(c, w, image):
    """image [channels][rows][columns]; the rows that the head is given."""
    p, q = pair(c["patch_size"])
    rows, columns = pair(c["img_size"])
    x = np.array([(w["patch_embed.proj.weight"] * image[:, i:i + p, j:j + q]).sum((1, 2, 3))
                  for i in range(0, rows - p + 1, c["stride"]) for j in range(0, columns - q + 1, c["stride"])])
    x = x + w["patch_embed.proj.bias"]
    m = len(x)
    at = []
    if c["if_cls_token"] and c["use_double_cls_token"]:
        x = np.concatenate([w["cls_token_head"][0], x, w["cls_token_tail"][0]])
        at = [0, m + 1]
    elif c["if_cls_token"]:
        at = [m // 2 if c["use_middle_cls_token"] else 0]
        x = np.concatenate([x[:at[0]], w["cls_token"][0], x[at[0]:]])
    if c["if_abs_pos_embed"]:
        x = x + w["pos_embed"][0]
    hidden, residual = x, None
    if c["if_bidirectional"]:
        for i in range(c["depth"] // 2):
            f, rf = block(c, w, 2 * i, hidden, residual)
            b, rb = block(c, w, 2 * i + 1, hidden[::-1], None if residual is None else residual[::-1])
            hidden, residual = f + b[::-1], rf + rb[::-1]
    else:
        for i in range(c["depth"]):
            hidden, residual = block(c, w, i, hidden, residual)
    x = normed(c, w, "norm_f", hidden + residual)
    if at:
        return x[at].mean(0, keepdims=True)
    return {"none": x[-1:], "mean": x.mean(0, keepdims=True)}.get(c["final_pool_type"], x)


def output(c, w, image):
    x = features(c, w, image)
    if c["num_classes"]:
        x = x @ w["head.weight"].T + w["head.bias"]
    return x.max(0) if c["final_pool_type"] == "max" else x.reshape(-1)


def main():
    FOLDER.mkdir(exist_ok=True)
    for seed, (name, arguments) in enumerate(MODELS.items()):
        c = DEFAULTS | arguments
        random = np.random.default_rng(1000 + seed)
        w = weights(c, random)
        images = random.uniform(0, 1, [3, *pair(c["img_size"]), c["channels"]]).astype(np.float32)
        wide = {k: v.astype(np.float64) for k, v in w.items()}
        pixels = (images.astype(np.float64) - c.get("image_mean", 0)) / c.get("image_std", 1)
        out = np.array([output(c, wide, image.transpose(2, 0, 1)) for image in pixels])
        save_file({**w, "recorded.images": images, "recorded.output": out}, FOLDER / f"{name}.safetensors",
                  {"config": json.dumps({"model_type": "vim"} | arguments | {"d_state": c["d_state"], "channels": c["channels"]})})
        print(f"{name:10} {len(w):3} tensors {sum(v.size for v in w.values()):6} numbers, output {out.shape}, "
              f"scale {np.abs(out).max():.2f}")


if __name__ == "__main__":
    main()
