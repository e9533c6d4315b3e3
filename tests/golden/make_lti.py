#!/usr/bin/env python3
"""Record outputs of the official code of S4, S4D, DSS, S5, LRU and H3, run in double.

    make_lti.py PEERS                    record all models of lti_models.py; needs torch, jax, flax (README.md)
    make_lti.py PEERS --only s5          those of one folder, or s5/zoh: one
    make_lti.py --verify [--only s5]     compare the stored files with the loops of lti_loops.py: NumPy alone

PEERS holds the official repositories under the names and at the commits of REPOSITORIES.  They are called, not
copied.  What they fix to float32 is lifted from outside: the default type, `Tensor.float`, their cast to complex.
"""

import argparse
import importlib
import importlib.util
import platform
import sys
import types
from pathlib import Path

import numpy as np

from lti_loops import LOOPS
from lti_models import LITERAL, MODELS, TOLERANCE, between, inputs, load, log_between, options_of, path_of, store, unit

REPOSITORIES = {
    "s4": ("state-spaces/s4", "e757cef57d89e448c413de7325ed5601aceaac13"),
    "s4d": ("state-spaces/s4", "e757cef57d89e448c413de7325ed5601aceaac13"),
    "dss": ("ag1988/dss", "777084e777c27caba2e87eceecb3f49d1b761cd8"),
    "s5": ("lindermanlab/S5", "3c18fdb6b06414da35e77b94b9cd855f6a95ef17"),
    "s5_pytorch": ("i404788/s5-pytorch", "c74be7270fe2ec9dc13efcffcfd7f5355d884030"),
    "lru": ("NicolasZucchet/minimal-LRU", "bbd71b1104c399ec0d13819527d791949e66f599"),
    "h3": ("HazyResearch/H3", "5c4d06b5795405170387c80998b58d76179a8a1a"),
}

# What becomes of a tensor's numbers where a model says nothing else, by the end of its name.
RULES = (
    ("inv_dt", log_between(0.005, 0.1)), ("log_dt", log_between(0.005, 0.1)), ("log_step", log_between(0.005, 0.1)),
    ("A_real", log_between(0.1, 2)), ("A_imag", between(0, 40)),
    ("Lambda_log_neg_re", log_between(0.1, 2)), ("Lambda_log_im", log_between(0.5, 40)),
    ("Lambda_im", between(-40, 40)), ("Lambda_re", between(-2, -0.1)), ("Lambda.re", between(-2, -0.1)),
    ("Lambda.im", between(-40, 40)),
    ("nu_log", log_between(0.02, 0.5)), ("theta_log", log_between(0.01, 3.1)), ("gamma_log", log_between(0.05, 1)),
    ("norm.weight", between(0.75, 1.25)), (".scale", between(0.75, 1.25)), (".var", between(0.5, 2)),
    (".D", between(0.5, 1.5)), ("step_scale", between(0.25, 2)),
)


def values_of(name, shape, model):
    """The numbers of a tensor, float32."""
    rules = [*model.get("rules", {}).items(), *RULES]
    rule = next((rule for end, rule in rules if name.endswith(end)), None)
    if rule is None:
        inputs_ = shape[-1] if len(shape) == 2 and shape[-1] > 1 else 1
        rule = between(-inputs_ ** -0.5, inputs_ ** -0.5)
    return rule(name, model["seed"], shape)


SINGLE = None                   # torch's own Tensor.float


def stub(name, **members):
    module = types.ModuleType(name)
    module.__dict__.update(members)
    sys.modules[name] = module


def load_module(folder, path, name):
    """One file of a repository; its siblings are found where it looks for them."""
    for key in [key for key in sys.modules if key == "src" or key.startswith("src.") or key.split(".")[0] == "s5"]:
        del sys.modules[key]
    sys.path.insert(0, str(folder))
    try:
        if path is None:
            return importlib.import_module(name)
        spec = importlib.util.spec_from_file_location(name, folder / path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.pop(0)


# ---- torch --------------------------------------------------------------------------------------------------

def start_torch():
    global SINGLE
    import torch
    SINGLE = SINGLE or torch.Tensor.float
    torch.set_num_threads(1)
    torch.manual_seed(0)                                # numbers drawn before they are overwritten
    torch.set_default_dtype(torch.float64)
    torch.Tensor.float = lambda self: (self.real if self.is_complex() else self).double()
    stub("pytorch_lightning")
    stub("pytorch_lightning.utilities", rank_zero_only=lambda function: function)
    return torch


def fill(module, model, keep=()):
    """Every parameter from the generator (those of `keep` stay near what they are); float32 ones that were set."""
    import torch
    stored = {}
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if value.dtype == torch.int64:
                stored[name] = value.numpy().astype(np.int32)
                continue
            complex_ = value.is_complex()
            shape = tuple(value.shape) + ((2,) if complex_ else ())
            if name.endswith(keep) and not any(name.endswith(end) for end in model.get("rules", {})):
                numbers = value.numpy() * (1 + 0.2 * unit(name, model["seed"], shape))
            elif complex_ and name.endswith("Lambda"):
                numbers = np.stack([values_of(name + part, shape[:-1], model) for part in (".re", ".im")], axis=-1)
            else:
                numbers = values_of(name, shape, model)
            stored[name] = np.ascontiguousarray(numbers, np.float32).reshape(shape)
            exact = torch.from_numpy(stored[name].astype(np.float64))
            value_ = torch.view_as_complex(exact) if complex_ else exact
            owner = module.get_submodule(name.rpartition(".")[0])
            getattr(owner, name.rpartition(".")[2]).data = value_
    return stored


def s4_module(peers):
    return load_module(peers / "s4", "models/s4/s4.py", "official_s4")


def run_s4_block(torch, block, u, options):
    """The block's output and, once more with nothing behind the convolution, what came out of that."""
    x = torch.from_numpy(u.astype(np.float64))[None]
    keep, rate = block.layer.activation, options.get("rate", 1.0)
    with torch.no_grad():
        out = block(x, rate=rate)[0][0].numpy()
        block.layer.activation = torch.nn.Identity()
        ssm = block.layer(x, rate=rate)[0][0].numpy()
        block.layer.activation = keep
    return {"ssm": ssm, "block": out}


OURS = ("rows", "seed", "rules", "rate", "length", "minimal")


def arguments_of(model):
    return {key: value for key, value in model.items() if key not in OURS}


def run_s4d(peers, model, u):
    torch = start_torch()
    if model.get("minimal"):
        stub("src"), stub("src.models"), stub("src.models.nn", DropoutNd=torch.nn.Dropout)
        spec = importlib.util.spec_from_file_location("official_s4d", peers / "s4/models/s4/s4d.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        layer = module.S4D(transposed=False, **arguments_of(model))
        stored = fill(layer, model)
        x = torch.from_numpy(u.astype(np.float64))[None]
        with torch.no_grad():
            out = layer(x)[0][0].numpy()
            layer.activation, layer.output_linear = torch.nn.Identity(), torch.nn.Identity()
            return stored, {"ssm": layer(x)[0][0].numpy(), "block": out}
    block = s4_module(peers).S4Block(transposed=False, mode="diag", init="diag-lin", **arguments_of(model))
    return fill(block, model), run_s4_block(torch, block.double(), u, model)


def run_s4(peers, model, u):
    """C is what the official code makes of a plain one for `length`, rounded; then it runs on that."""
    torch = start_torch()
    arguments = {"init": "legs", **arguments_of(model)}
    length = model["length"]
    torch.set_default_dtype(torch.float32)              # its initialisation is written for that
    torch.Tensor.float = SINGLE
    block = s4_module(peers).S4Block(transposed=False, mode="dplr", l_max=length or None, **arguments).double()
    torch = start_torch()
    keep = ("kernel.A_real", "kernel.A_imag", "kernel.B", "kernel.P") if model.get("real_transform") is None \
        else ("kernel.A_imag", "kernel.B", "kernel.P")
    stored, kernel = fill(block, model, keep), block.layer.kernel
    if length:
        kernel._setup_C(length)
        stored["layer.kernel.C"] = kernel.C.detach().numpy().astype(np.float32)
        kernel.C.data = torch.from_numpy(stored["layer.kernel.C"].astype(np.float64))
    outputs = run_s4_block(torch, block, u, model) if length else run_s4_steps(torch, block, u)
    stored["layer.kernel.l_kernel"] = np.array(length, np.int32)
    return stored, outputs


def run_s4_steps(torch, block, u):
    """A plain C: its convolution would first rewrite it, its steps do not."""
    x = torch.from_numpy(u.astype(np.float64))[:, None]
    with torch.no_grad():
        block.setup_step()
        outs = []
        for activation in (block.layer.activation, torch.nn.Identity()):
            linear, block.layer.activation = block.output_linear, activation
            if outs:
                block.output_linear = torch.nn.Identity()
            state, out = block.default_state(1), []
            for row in x:
                y, state = block.step(row, state)
                out.append(y[0].numpy())
            outs.append(np.array(out))
    return {"ssm": outs[1], "block": outs[0]}


def run_dss(peers, model, u):
    torch = start_torch()
    layer = load_module(peers / "dss", "src/models/sequence/ss/standalone/dss.py", "official_dss") \
        .DSS(transposed=True, **arguments_of(model))
    stored = fill(layer, model)
    x = torch.from_numpy(u.astype(np.float64)).T[None]
    with torch.no_grad():
        out = layer(x)[0][0].T.numpy()
        layer.activation, layer.output_linear, layer.hyper = torch.nn.Identity(), torch.nn.Identity(), False
        return stored, {"ssm": layer(x)[0][0].T.numpy(), "block": out}


def run_s5_pytorch(peers, model, u):
    torch = start_torch()
    official = load_module(peers / "s5-pytorch", None, "s5.s5_model")
    official.as_complex = torch.view_as_complex                 # theirs makes complex64 of everything
    arguments = {"bidir": False, "bcInit": "dense", **arguments_of(model)}
    irregular, discretization = arguments.pop("irregular", False), arguments.pop("discretization", "zoh")
    block = official.S5Block(**arguments).double()
    block.s5.seq.discretize = {"zoh": official.discretize_zoh, "bilinear": official.discretize_bilinear}[discretization]
    stored = fill(block, model)
    x = torch.from_numpy(u.astype(np.float64))[None]
    with torch.no_grad():
        if irregular:
            stored = {name: value for name, value in stored.items() if name.startswith("s5.")}
            stored["step_scale"] = values_of("step_scale", (len(u),), model)
            stored["state"] = values_of("state", (model["state_dim"], 2), model)
            scale = torch.from_numpy(stored["step_scale"].astype(np.float64))[None]
            state = torch.view_as_complex(torch.from_numpy(stored["state"].astype(np.float64)))[None]
            # Its rule takes one step for all rows; here every row has its own.
            rule = block.s5.seq.discretize
            block.s5.seq.discretize = lambda a, b, steps: tuple(
                torch.stack(parts) for parts in zip(*(rule(a, b, step) for step in steps)))
            out, last = block.s5(x, step_scale=scale, state=state, return_state=True)
            return stored, {"ssm": out[0].numpy(), "last": torch.view_as_real(last[0]).numpy()}
        ssm = block.s5(block.attn_norm(x))[0].numpy()
        return stored, {"ssm": ssm, "block": block(x)[0].numpy()}


def run_h3(peers, model, u):
    torch = start_torch()
    layer = load_module(peers / "H3", None, "src.models.ssm.h3").H3(**arguments_of(model)).double()
    stored = fill(layer, model)
    x = torch.from_numpy(u.astype(np.float64))[None]
    with torch.no_grad():
        out, layer.output_linear = layer(x)[0].numpy(), torch.nn.Linear(1, 1)
        layer.output_linear.forward = lambda y: y
        return stored, {"ssm": layer(x)[0].numpy(), "block": out}


# ---- jax ----------------------------------------------------------------------------------------------------

def start_jax():
    import jax
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platforms", "cpu")
    jax.numpy.DeviceArray = jax.Array                           # a name that newer versions have dropped
    return jax


def fill_flax(jax, module, x, model):
    """(stored, variables): every leaf of the tree under its path, joined by dots."""
    run = jax.vmap(lambda variables, x: module.apply(variables, x), in_axes=(None, 0), axis_name="batch")
    shapes = jax.eval_shape(jax.vmap(lambda x: module.init(jax.random.PRNGKey(0), x), axis_name="batch"), x)
    stored = {}

    def leaf(path, value):
        name = ".".join(key.key for key in path[1:])
        stored[name] = values_of(name, value.shape[1:], model)
        return stored[name].astype(np.float64)
    return stored, jax.tree_util.tree_map_with_path(leaf, shapes), run


def run_flax(jax, module, ssm, u, model):
    x = jax.numpy.asarray(u.astype(np.float64))[None]
    stored, variables, run = fill_flax(jax, module, x, model)
    out = np.asarray(run(variables, x)[0])
    inner = x[0]
    if model["prenorm"]:
        name = "norm" if "norm" in variables["params"] else "normalization"
        from flax import linen
        parts = {group: tree[name] for group, tree in variables.items() if name in tree}
        inner = (linen.BatchNorm(use_running_average=True) if "batch_stats" in parts else linen.LayerNorm()) \
            .apply(parts, inner)
    y = np.asarray(ssm.apply({"params": variables["params"]["seq"]}, inner))
    assert out.dtype == y.dtype == np.float64
    return stored, {"ssm": y, "block": out}


def run_s5(peers, model, u):
    jax = start_jax()
    ssm = load_module(peers / "S5", None, "s5.ssm")
    layers = load_module(peers / "S5", None, "s5.layers")
    states, width = model["P"], model["H"]
    whole = 2 * states if model.get("conj_sym", True) else states
    zeros = lambda *shape: jax.numpy.zeros(shape)
    make = ssm.init_S5SSM(
        H=width, P=states, Lambda_re_init=zeros(states), Lambda_im_init=zeros(states),
        V=zeros(whole, states) + 0j, Vinv=zeros(states, whole) + 0j, C_init=model.get("C_init", "lecun_normal"),
        discretization=model["discretization"], dt_min=0.001, dt_max=0.1, conj_sym=model.get("conj_sym", True),
        clip_eigs=model.get("clip_eigs", False), bidirectional=model.get("bidirectional", False))
    rescale = model.get("step_rescale", 1.0)
    layer = layers.SequenceLayer(ssm=make, dropout=0.0, d_model=width, activation=model["activation"], training=False,
                                 prenorm=model["prenorm"], batchnorm=model["batchnorm"], step_rescale=rescale)
    return run_flax(jax, layer, make(step_rescale=rescale), u, model)


def run_lru(peers, model, u):
    from functools import partial
    jax = start_jax()
    official = load_module(peers / "minimal-LRU", None, "lru.model")
    make = partial(official.LRU, d_hidden=model["d_hidden"], d_model=model["d_model"])
    layer = official.SequenceLayer(lru=make, d_model=model["d_model"], norm=model["norm"], prenorm=model["prenorm"],
                                   training=False)
    return run_flax(jax, layer, make(), u, model)


RUNS = {"s4": run_s4, "s4d": run_s4d, "dss": run_dss, "s5": run_s5, "s5_pytorch": run_s5_pytorch, "lru": run_lru,
        "h3": run_h3}


# ---- all of it ----------------------------------------------------------------------------------------------

def versions(names):
    from importlib.metadata import version
    return ", ".join([f"python {platform.python_version()}"] + [f"{name} {version(name)}" for name in names])


def width_of(model):
    return model.get("d_model") or model.get("H") or model.get("dim")


def record(peers, folder, name):
    model = MODELS[folder][name]
    u = inputs("input", model["seed"], model["rows"], width_of(model))
    stored, outputs = RUNS[folder](peers, model, u)
    for key, value in outputs.items():
        assert value.dtype == np.float64 and np.isfinite(value).all() and np.abs(value).max() > 1e-9, (name, key)
    repository, commit = REPOSITORIES[folder]
    packages = ("jax", "flax", "numpy") if folder in ("s5", "lru") else ("torch", "numpy")
    store(folder, name, stored, u, {key: np.ascontiguousarray(value) for key, value in outputs.items()},
          {"seed": str(model["seed"]), "repository": repository, "commit": commit, "versions": versions(packages)})


def verify(folder, name):
    """Largest |loop - official| over the largest |official|, of every output; 1 if it is too much."""
    options, weights, u, outputs = load(folder, name)
    assert options == options_of(folder, name), "lti_models.py says something else"
    found = LOOPS[folder](options, weights, u)
    apart = {key: np.abs(found[key] - want).max() / np.abs(want).max() for key, want in outputs.items()}
    bad = max(apart.values()) > LITERAL.get(f"{folder}/{name}", TOLERANCE)
    print(f"{folder + '/' + name:28}", *(f"{key} {value:.1e} of {np.abs(outputs[key]).max():8.3g} "
                                         for key, value in apart.items()),
          f"{path_of(folder, name).stat().st_size:6} bytes", "TOO FAR" if bad else "", flush=True)
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", nargs="?", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--verify", action="store_true")
    arguments = parser.parse_args()
    if arguments.peers is None and not arguments.verify:
        parser.error("name the folder of the repositories, or --verify")
    only_folder, _, only_name = arguments.only.partition("/")
    bad = 0
    for folder, models in MODELS.items():
        for name in models:
            if only_folder in ("", folder) and only_name in ("", name):
                if not arguments.verify:
                    record(arguments.peers, folder, name)
                bad += verify(folder, name)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
