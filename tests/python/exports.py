#!/usr/bin/env python3
"""What examples/python/export.py writes, run by krait, and what it must refuse.

    exports.py KRAIT         KRAIT is the command; needs numpy; a real module of torch too, where torch is installed

Models are random, their outputs those of the float64 loops of tests/golden/lti_loops.py.
"""

import json
import math
import struct
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/golden"), str(ROOT / "examples/python")]
import export  # noqa: E402
import lti_loops as loops  # noqa: E402

STEPS, INPUTS, WIDTH, STATES, LAYERS, CLASSES = 40, 3, 16, 5, 2, 4
TIGHT = 5e-6                        # of the largest output

passed = failed = 0
rng = np.random.default_rng(3)


def check(name, good):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(("ok     " if good else "FAILED ") + name, flush=True)


def numbers(*shape, scale=1.0):
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def refused(name, wanted, call, path, *arguments, **options):
    """ValueError with that text, and nothing is left in the folder."""
    before = sorted(path.parent.iterdir())
    try:
        call(path, *arguments, **options)
        check(f"{name}: nothing is said", False)
    except ValueError as error:
        check(name, wanted in str(error) and sorted(path.parent.iterdir()) == before or print(error))


def prefixed(tree, prefix):
    return {prefix + name: value for name, value in tree.items()}


def under(weights, prefix):
    return {name.removeprefix(prefix): value.astype(np.float64) for name, value in weights.items()
            if name.startswith(prefix)}


def nested(weights):
    """a.b.c as flax has it."""
    tree = {}
    for name, value in weights.items():
        *path, last = name.split(".")
        place = tree
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return tree


# ---- state-spaces/s4 ------------------------------------------------------------------------------------------

def s4_state(minimal, batch, final, rank=0):
    """A state dict of example.py's S4Model; with final as ../shared's were trained, with a rank of DPLR blocks."""
    norm = lambda name: {f"{name}.weight": 1 + numbers(WIDTH, scale=.1), f"{name}.bias": numbers(WIDTH, scale=.1),
                         **({f"{name}.running_mean": numbers(WIDTH, scale=.1), f"{name}.num_batches_tracked": np.int64(9),
                             f"{name}.running_var": 1 + numbers(WIDTH, scale=.1) ** 2} if batch else {})}
    state = {"encoder.weight": numbers(WIDTH, INPUTS), "encoder.bias": numbers(WIDTH),
             "decoder.weight": numbers(CLASSES, WIDTH), "decoder.bias": numbers(CLASSES)}
    for i in range(LAYERS):
        steps = rng.uniform(math.log(.001), math.log(.1), (WIDTH,)).astype(np.float32)
        real, imag = numbers(WIDTH, STATES, scale=.1) - .7, numbers(WIDTH, STATES) + math.pi * np.arange(STATES)
        layer = {"output_linear.0.bias": numbers(2 * WIDTH, scale=.3),
                 "output_linear.0.weight": numbers(2 * WIDTH, WIDTH, *(1,) * minimal, scale=.3)}
        if minimal:
            layer |= {"D": numbers(WIDTH), "kernel.log_dt": steps, "kernel.log_A_real": real,
                      "kernel.A_imag": imag.astype(np.float32), "kernel.C": numbers(WIDTH, STATES, 2)}
        else:
            layer |= {"layer.D": numbers(1, WIDTH), "layer.kernel.inv_dt": steps[:, None], "layer.kernel.A_real": real[:4],
                      "layer.kernel.A_imag": imag[:4], "layer.kernel.B": numbers(1, 4, STATES, 2),
                      "layer.kernel.C": numbers(1, WIDTH, STATES, 2)}
        if rank:
            layer |= {"layer.kernel.P": numbers(rank, 4, STATES, 2, scale=.5), "layer.kernel.l_kernel": np.int64(16 * (rank == 1))}
        state |= prefixed(layer, f"s4_layers.{i}.") | norm(f"norms.{i}")
    return state | (norm("norm") if final else {})


def s4_output(state, x, prenorm, **options):
    def norm(x, name):
        w = under(state, name + ".")
        if "running_mean" in w:
            return (x - w["running_mean"]) / np.sqrt(w["running_var"] + 1e-5) * w["weight"] + w["bias"]
        return loops.layer_norm(x, w["weight"], w["bias"], 1e-5)
    linear = lambda x, name: x @ under(state, name)[".weight"].T + under(state, name)[".bias"]
    h = linear(x.astype(np.float64), "encoder")
    for i in range(LAYERS):
        w = under(state, f"s4_layers.{i}.")
        options = {"d_model": WIDTH, "disc": "zoh", "minimal": "kernel.log_dt" in w, **options}
        z = norm(h, f"norms.{i}") if prenorm else h
        block = loops.s4 if "layer.kernel.P" in w else loops.s4d
        h = h + block(options, w, z)["block"]
        h = h if prenorm else norm(h, f"norms.{i}")
    h = norm(h, "norm") if "norm.weight" in state else h
    return linear(h.mean(axis=0), "decoder")


def dss_state(version):
    state = {"encoder.weight": numbers(WIDTH, INPUTS), "encoder.bias": numbers(WIDTH),
             "decoder.weight": numbers(CLASSES, WIDTH), "decoder.bias": numbers(CLASSES)}
    for i in range(LAYERS):
        kernel = {"kernel.W": numbers(1, WIDTH, STATES, 2), "kernel.log_dt": numbers(WIDTH, 2, scale=.1) - 3}
        if version == "exp":
            kernel |= {"kernel.Lambda_log_neg_re": numbers(STATES, scale=.1), "kernel.Lambda_im": numbers(STATES)}
        else:
            kernel |= {"kernel.Lambda": np.stack([numbers(STATES, scale=.1) - .5, numbers(STATES)], axis=-1)}
        state |= prefixed({**prefixed(kernel, "layer."), "layer.D": numbers(1, WIDTH)}, f"dss_layers.{i}.")
        state |= {f"dss_layers.{i}.output_linear.weight": numbers(WIDTH, WIDTH, scale=.3),
                  f"dss_layers.{i}.output_linear.bias": numbers(WIDTH, 1, scale=.3),
                  f"norms.{i}.weight": 1 + numbers(WIDTH, scale=.1), f"norms.{i}.bias": numbers(WIDTH, scale=.1)}
    return state


def check_dss(krait, folder):
    x = numbers(STEPS, INPUTS)
    for version, options in (("exp", {}), ("clip", {}), ("softmax", {"l_max": STEPS})):
        state = dss_state(version)
        h = x.astype(np.float64) @ state["encoder.weight"].T + state["encoder.bias"]
        for i in range(LAYERS):
            w = under(state, f"dss_layers.{i}.")
            w = {name.removeprefix("layer."): value for name, value in w.items()}
            h = h + loops.dss({"version": version}, w, h)["block"]
            h = loops.layer_norm(h, state[f"norms.{i}.weight"], state[f"norms.{i}.bias"], 1e-5)
        y = h.mean(axis=0) @ state["decoder.weight"].T + state["decoder.bias"]
        apart = export.dss(folder / "dss.safetensors", state, x, y, krait=krait, tolerance=TIGHT, version=version, **options)
        check(f"DSS {version}: off by {apart:.1e}", 0 < apart <= TIGHT)


def check_s4(krait, folder):
    x = numbers(STEPS, INPUTS)
    for name, minimal, batch, final, options in (
            ("S4D of s4.py", 0, 0, 0, {}), ("prenorm, BatchNorm, a last norm", 0, 1, 1, {"prenorm": True}),
            ("bilinear at half the rate", 0, 0, 0, {"disc": "bilinear", "rate": 2.0}),
            ("S4D of s4d.py", 1, 0, 0, {}), ("the same, prenorm", 1, 0, 0, {"prenorm": True})):
        state = s4_state(minimal, batch, final)
        y = s4_output(state, x, **{"prenorm": False, **options})
        apart = export.s4(folder / "s4.safetensors", state, x, y, krait=krait, tolerance=TIGHT, **options)
        check(f"{name}: off by {apart:.1e}", 0 < apart <= TIGHT)
    for rank in (1, 2):
        weights = s4_state(0, 0, 0, rank)
        y = s4_output(weights, x, prenorm=False)
        apart = export.s4(folder / "s4.safetensors", weights, x, y, krait=krait, tolerance=TIGHT)
        check(f"S4 of rank {rank}: off by {apart:.1e}", 0 < apart <= TIGHT)
    lanes = np.stack([x, numbers(STEPS, INPUTS)])
    y = np.stack([s4_output(state, lane, prenorm=True) for lane in lanes])
    check("a batch", export.s4(folder / "s4.safetensors", state, lanes, y, krait=krait, tolerance=TIGHT, prenorm=True) > 0)

    path = folder / "wrong.safetensors"
    how = {"krait": krait, "prenorm": True}
    refused("an output that is off", "off by", export.s4, path, state, lanes, y * 1.01, **how)
    refused("NaN in the output", "off by", export.s4, path, state, lanes, y * np.nan, **how)
    refused("another option", "off by", export.s4, path, state, lanes, y, krait=krait)
    refused("outputs of another shape", "(2, 4)", export.s4, path, state, lanes, y[:, :3], **how)
    refused("an unknown option", "", export.s4, path, s4_state(0, 0, 0), x, y[0], krait=krait, pooling="sum")
    refused("no layers", "no layers called", export.s4, path, {"encoder.weight": x}, x, y, **how)
    refused("a hole among the layers", "no layers called", export.s4, path,
            {n: v for n, v in state.items() if ".0." not in n}, x, y, **how)
    refused("a missing tensor", "encoder.weight", export.s4, path,
            {n: v for n, v in state.items() if n != "encoder.weight"}, x, y, **how)
    state["decoder.bias"] = state["decoder.bias"] * np.nan
    refused("NaN among the weights", "decoder.bias: NaN", export.s4, path, state, lanes, y, **how)


# ---- flax -----------------------------------------------------------------------------------------------------

def flax_variables(layer, batch):
    """(weights by path, the same as flax's collections)"""
    dense = lambda name, i, o: {f"{name}.kernel": numbers(i, o, scale=.4), f"{name}.bias": numbers(o, scale=.4)}
    params, stats = dense("encoder.encoder", INPUTS, WIDTH) | dense("decoder", WIDTH, CLASSES), {}
    for i in range(LAYERS):
        tensors, norm = layer(dense)
        params |= prefixed(tensors, f"encoder.layers_{i}.") | {f"encoder.layers_{i}.{norm}.scale": 1 + numbers(WIDTH, scale=.1),
                                                               f"encoder.layers_{i}.{norm}.bias": numbers(WIDTH, scale=.1)}
        if batch:
            stats |= {f"encoder.layers_{i}.{norm}.mean": numbers(WIDTH, scale=.1),
                      f"encoder.layers_{i}.{norm}.var": 1 + numbers(WIDTH, scale=.1) ** 2}
    return params | stats, {"params": nested(params), **({"batch_stats": nested(stats)} if batch else {})}


def s5_layer(dense):
    return {"seq.Lambda_re": numbers(STATES, scale=.1) - .5, "seq.Lambda_im": numbers(STATES, scale=5.),
            "seq.B": numbers(STATES, WIDTH, 2, scale=.3), "seq.C": numbers(WIDTH, STATES, 2, scale=.3),
            "seq.D": numbers(WIDTH), "seq.log_step": numbers(STATES, 1) - 3} | dense("out1", WIDTH, WIDTH) | \
        dense("out2", WIDTH, WIDTH), "norm"


def lru_layer(dense):
    return {"seq.nu_log": numbers(STATES) - 2, "seq.theta_log": numbers(STATES), "seq.gamma_log": numbers(STATES) - 1,
            "seq.B_re": numbers(STATES, WIDTH, scale=.3), "seq.B_im": numbers(STATES, WIDTH, scale=.3),
            "seq.C_re": numbers(WIDTH, STATES, scale=.3), "seq.C_im": numbers(WIDTH, STATES, scale=.3),
            "seq.D": numbers(WIDTH)} | dense("out1", WIDTH, WIDTH) | dense("out2", WIDTH, WIDTH), "normalization"


def flax_output(block, weights, x, options, pooling="mean"):
    w = under(weights, "")
    h = loops.flax_dense(x.astype(np.float64), w, "encoder.encoder")
    for i in range(LAYERS):
        h = block(options, under(weights, f"encoder.layers_{i}."), h)["block"]
    h = {"mean": lambda: h.mean(axis=0), "last": lambda: h[-1], "none": lambda: h}[pooling]()
    y = loops.flax_dense(h, w, "decoder")
    return y - np.log(np.exp(y).sum(axis=-1, keepdims=True))


def check_flax(krait, folder):
    path = folder / "flax.safetensors"
    x = numbers(STEPS, INPUTS)
    defaults = {"prenorm": False, "discretization": "zoh", "activation": "gelu"}
    for name, batch, options in (("S5", 0, {}), ("S5, BatchNorm before, half_glu1", 1, {"prenorm": True, "activation": "half_glu1"}),
                                 ("S5, bilinear, full_glu", 0, {"discretization": "bilinear", "activation": "full_glu"}),
                                 ("S5, whole spectrum, clipped", 0, {"conj_sym": False, "clip_eigs": True})):
        weights, variables = flax_variables(s5_layer, batch)
        y = flax_output(loops.s5, weights, x, defaults | options)
        apart = export.s5(path, variables, x, y, krait=krait, tolerance=TIGHT, **options)
        check(f"{name}: off by {apart:.1e}", 0 < apart <= TIGHT)
    y = flax_output(loops.s5, weights, x, defaults | options, "last")
    check("S5, the last row", export.s5(path, variables["params"], x, y, krait=krait, pooling="last", **options) <= TIGHT)
    first = path.read_bytes()
    for i in range(LAYERS):
        seq = variables["params"]["encoder"][f"layers_{i}"]["seq"]
        seq["B"] = seq["B"][..., 0] + 1j * seq["B"][..., 1]
    export.s5(path, variables["params"], x, y, krait=krait, pooling="last", **options)
    check("S5 with B complex: bit by bit", path.read_bytes() == first)
    refused("S5 with another pooling", "off by", export.s5, path, variables, x, y, krait=krait, tolerance=TIGHT, **options)
    check("after a refusal the file is the former one", "last" in description(path)["pooling"])
    for name, batch, options, pooling in (("LRU", 1, {}, "mean"), ("LRU, LayerNorm before", 0, {"prenorm": True}, "last"),
                                          ("LRU, every row", 0, {}, "none")):
        weights, variables = flax_variables(lru_layer, batch)
        y = flax_output(loops.lru, weights, x, {"prenorm": False} | options, pooling)
        apart = export.lru(path, variables, x, y, krait=krait, tolerance=TIGHT, pooling=pooling, **options)
        check(f"{name}: off by {apart:.1e}", 0 < apart <= TIGHT)
    refused("a name twice", "two tensors", export.lru, path, {"a": {"b": x}, "a.b": x}, x, y, krait=krait)
    refused("no such command", "no-krait", lambda *a, **k: wrapped(export.lru, *a, **k), path, variables, x, y,
            krait="/no-krait", pooling="none")


def wrapped(call, *arguments, **options):
    """What the system refuses is no ValueError; nothing may be left either."""
    try:
        call(*arguments, **options)
    except OSError as error:
        raise ValueError(str(error)) from error


def description(path):
    head = path.read_bytes()
    return json.loads(json.loads(head[8:8 + struct.unpack("<Q", head[:8])[0]])["__metadata__"]["krait"])


# ---- anything else --------------------------------------------------------------------------------------------

def check_any(krait, folder):
    path = folder / "any.safetensors"
    a, b = numbers(6, 3), numbers(6)
    tree = export.tree(3, [{"linear": {"width": 6, "weights": {"weight": "net.a", "bias": "net.b"}}}])
    x = numbers(STEPS, 3)
    y = x.astype(np.float64) @ a.T + b
    for name, weights in (("nested", {"net": {"a": a, "b": b}}), ("float64", {"net.a": a.astype(float), "net.b": b}),
                          ("transposed in memory", {"net.a": np.asfortranarray(a), "net.b": b[::-1][::-1]}),
                          ("big-endian", {"net.a": a.astype(">f4"), "net.b": b})):
        check(f"{name}: the same file", export.export(path, weights, tree, x, y, krait=krait) <= 1e-6)
        first = path.read_bytes() if name == "nested" else first
        check(f"{name}: bit by bit", path.read_bytes() == first)
    refused("a description that is wrong", "no tensor net.b", export.export, path, {"net.a": a}, tree, x, y, krait=krait)


def check_torch(krait, folder):
    try:
        import torch
    except ImportError:
        print("SKIP a module of torch: it is not installed")
        return
    nn = torch.nn

    class Kernel(nn.Module):
        def __init__(self):
            super().__init__()
            self.log_dt = nn.Parameter(torch.rand(WIDTH) * 3 - 6)
            self.log_A_real = nn.Parameter(torch.log(0.5 * torch.ones(WIDTH, STATES)))
            self.A_imag = nn.Parameter(math.pi * torch.arange(STATES).repeat(WIDTH, 1).float())
            self.C = nn.Parameter(torch.randn(WIDTH, STATES, 2))

        def forward(self, length):
            a = -torch.exp(self.log_A_real) + 1j * self.A_imag
            z = a * torch.exp(self.log_dt)[:, None]
            c = torch.view_as_complex(self.C) * (torch.exp(z) - 1) / a
            return 2 * torch.einsum("hn,hnl->hl", c, torch.exp(z[..., None] * torch.arange(length))).real

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.D, self.kernel = nn.Parameter(torch.randn(WIDTH)), Kernel()
            self.output_linear = nn.Sequential(nn.Conv1d(WIDTH, 2 * WIDTH, 1), nn.GLU(dim=-2))

        def forward(self, u):                           # [batch, width, length]
            n = u.shape[-1]
            y = torch.fft.irfft(torch.fft.rfft(self.kernel(n), 2 * n) * torch.fft.rfft(u, 2 * n))[..., :n]
            return self.output_linear(nn.functional.gelu(y + u * self.D[:, None]))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = nn.Linear(INPUTS, WIDTH), nn.Linear(WIDTH, CLASSES)
            self.s4_layers = nn.ModuleList(Block() for _ in range(LAYERS))
            self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(LAYERS))

        def forward(self, x):
            x = self.encoder(x)
            for layer, norm in zip(self.s4_layers, self.norms):
                x = norm(x + layer(x.mT).mT)
            return self.decoder(x.mean(dim=1))

    torch.manual_seed(1)
    model, x = Model().eval(), torch.randn(2, STEPS, INPUTS)
    apart = export.s4(folder / "torch.safetensors", model.state_dict(), x, model(x), krait=krait, tolerance=2e-5)
    check(f"a module of torch: off by {apart:.1e}", apart <= 2e-5)
    half = {name: tensor.bfloat16() for name, tensor in model.state_dict().items()}
    apart = export.s4(folder / "torch.safetensors", half, x, model(x), krait=krait, tolerance=0.1)
    check(f"its weights in bfloat16: off by {apart:.1e}", 1e-5 < apart <= 0.1)


def main():
    krait = str(Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory() as name:
        for part in (check_s4, check_dss, check_flax, check_any, check_torch):
            try:
                part(krait, Path(name))
            except ValueError as error:
                check(f"{part.__name__}: {error}", False)
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
