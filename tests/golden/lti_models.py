"""The tiny random models of the linear time-invariant layers whose outputs are recorded, and how files hold them.

Weights and inputs come from the generator that README.md and generator.h define: the name of a tensor and an
integer seed give numbers in [-1, 1), and `spread` says what becomes of them.  Files hold both, rounded to float32,
so that a reader needs neither this file nor an initialisation.
"""

import json
from pathlib import Path

import numpy as np

from make_mamba import random_bits, read_safetensors, write_safetensors

HERE = Path(__file__).resolve().parent
FOLDERS = ("s4", "s4d", "dss", "s5", "s5_pytorch", "lru", "h3")

# Largest |loop - official| over the largest |official|.  Powers of lambda by exp(l log lambda), as the official
# code takes them, lose what a phase of some hundreds loses.
TOLERANCE = 1e-10
# What exp(z) - 1, written so, loses in double where z is 1e-11.
LITERAL = {"s4d/tiny": 1e-7, "s4d/minimal_tiny": 1e-6}


def unit(name, seed, shape):
    """Numbers in [-1, 1), exact in float32."""
    bits = (random_bits(name, seed, int(np.prod(shape))) >> np.uint64(40)).astype(np.int64) - 8388608
    return (bits * 2.0 ** -23).reshape(shape)


def spread(name, seed, shape, low, high):
    """Uniform in [low, high), rounded to float32."""
    return (low + (high - low) * (unit(name, seed, shape) + 1) / 2).astype(np.float32)


def between(low, high):
    return lambda name, seed, shape: spread(name, seed, shape, low, high)


def log_between(low, high):
    return lambda name, seed, shape: spread(name, seed, shape, np.log(low), np.log(high))


def constant(*values):
    """These values, again and again along the last axis."""
    return lambda name, seed, shape: np.resize(np.array(values, np.float32), shape)


def inputs(name, seed, rows, width):
    """White noise and a step, so that slow states are seen as well."""
    x = unit("input", seed, (rows, width))
    x[rows // 3:] += 0.5
    return x.astype(np.float32)


# -------------------------------------------------------------------------------------------------------------
# The models.  `rows`, `seed` and `rules` (tensor name: what becomes of its numbers) are ours; the rest are the
# arguments of the official layer.  Where a rule is missing the numbers are spread over [-1, 1), a matrix's
# over [-1, 1) / sqrt(inputs), and a DPLR layer's A, B and P are the official initialisation, each number times
# 1 + 0.2 unit.
# -------------------------------------------------------------------------------------------------------------

S4D = {
    "zoh": dict(rows=96, seed=101, d_model=6, d_state=16, disc="zoh"),
    "bilinear": dict(rows=96, seed=102, d_model=6, d_state=16, disc="bilinear"),
    # Two sets of A and B among six rows, two outputs a row, a step of its own for every state.
    "tied": dict(rows=64, seed=103, d_model=6, d_state=8, disc="zoh", n_ssm=2, channels=2, dt_tie=False),
    "bilinear_tied": dict(rows=64, seed=104, d_model=6, d_state=8, disc="bilinear", n_ssm=3, channels=2,
                          dt_tie=False, bidirectional=True),
    "swapped": dict(rows=64, seed=105, d_model=4, d_state=8, disc="zoh", n_ssm=1, channels=3, swap_channels=True,
                    activation="silu"),
    "bidirectional": dict(rows=65, seed=106, d_model=5, d_state=12, disc="zoh", bidirectional=True, n_ssm=1),
    "bandlimit": dict(rows=64, seed=107, d_model=6, d_state=32, disc="zoh", bandlimit=0.5,
                      rules={"inv_dt": log_between(0.02, 0.2), "A_imag": between(0, 50)}),
    "rate": dict(rows=64, seed=108, d_model=4, d_state=16, disc="zoh", rate=2.0, bandlimit=0.5,
                 rules={"inv_dt": log_between(0.02, 0.1), "A_imag": between(0, 50)}),
    "rate_bilinear": dict(rows=64, seed=109, d_model=4, d_state=16, disc="bilinear", rate=0.5),
    "softplus": dict(rows=64, seed=110, d_model=4, d_state=8, disc="zoh", dt_transform="softplus",
                     real_transform="softplus", imag_transform="exp",
                     rules={"inv_dt": between(-4, -1), "A_imag": between(0, 3)}),
    "relu": dict(rows=64, seed=111, d_model=4, d_state=8, disc="zoh", dt_transform="relu", real_transform="relu",
                 imag_transform="softplus",
                 rules={"inv_dt": between(-0.02, 0.1), "A_real": between(-0.5, 1), "A_imag": between(-3, 9)}),
    "sigmoid": dict(rows=64, seed=112, d_model=4, d_state=8, disc="bilinear", dt_transform="sigmoid",
                    real_transform="sigmoid", imag_transform="relu",
                    rules={"inv_dt": between(-5, -1), "A_real": between(-3, 3), "A_imag": between(-1, 20)}),
    "plain": dict(rows=64, seed=113, d_model=4, d_state=8, disc="zoh", dt_transform="none", real_transform="none",
                  imag_transform="none", rules={"inv_dt": between(0.001, 0.1), "A_real": between(0.1, 2)}),
    "fast": dict(rows=64, seed=114, d_model=4, d_state=8, disc="zoh", dt_fast=True,
                 rules={"inv_dt": between(-2.6, -1.6)}),
    "real": dict(rows=64, seed=115, d_model=4, d_state=8, disc="zoh", is_real=True),
    # |lambda| from 0.998 to 0.9999 with phases of every size; and steps as small as 1e-7, where no D u may
    # hide what the states give.
    "circle": dict(rows=256, seed=116, d_model=4, d_state=16, disc="zoh",
                   rules={"inv_dt": log_between(0.02, 0.1), "A_real": log_between(0.005, 0.02)}),
    "circle_bilinear": dict(rows=256, seed=117, d_model=4, d_state=16, disc="bilinear",
                            rules={"inv_dt": log_between(0.02, 0.1), "A_real": log_between(0.005, 0.02)}),
    "tiny": dict(rows=128, seed=118, d_model=4, d_state=8, disc="zoh",
                 rules={"D": constant(0), "inv_dt": log_between(1e-7, 1e-5), "A_real": log_between(1e-4, 1),
                        "A_imag": constant(0, 1e-6, 1, 30)}),
    "dss": dict(rows=64, seed=119, d_model=4, d_state=8, disc="dss"),
    # s4d.py
    "minimal": dict(rows=96, seed=121, d_model=6, d_state=16, minimal=True),
    "minimal_circle": dict(rows=192, seed=122, d_model=4, d_state=16, minimal=True,
                           rules={"log_dt": log_between(0.02, 0.1), "log_A_real": log_between(0.005, 0.02)}),
    "minimal_tiny": dict(rows=128, seed=123, d_model=4, d_state=8, minimal=True,
                         rules={"D": constant(0), "log_dt": log_between(1e-7, 1e-5), "log_A_real": log_between(1e-4, 1),
                                "A_imag": constant(0, 1e-6, 1, 30)}),
}

# `length` is what C is stored for (l_kernel): 0 is a plain C.  `rows` is at most that.
S4 = {
    "legs": dict(rows=96, seed=201, d_model=4, d_state=16, length=96),
    "legs_plain": dict(rows=64, seed=202, d_model=4, d_state=8, length=0),
    "legs_64": dict(rows=128, seed=203, d_model=2, d_state=64, length=256),
    "tied": dict(rows=64, seed=204, d_model=6, d_state=8, length=64, n_ssm=2, channels=2, dt_tie=True),
    "legt": dict(rows=64, seed=205, d_model=4, d_state=12, length=100, init="legt", rank=2),
    "fourier": dict(rows=64, seed=206, d_model=4, d_state=12, length=64, init="fourier", rank=1),
    "rank3": dict(rows=64, seed=207, d_model=4, d_state=8, length=65, rank=3),
    "bidirectional": dict(rows=63, seed=208, d_model=4, d_state=8, length=64, bidirectional=True),
    "odd": dict(rows=51, seed=209, d_model=3, d_state=10, length=51, activation="tanh", real_transform="softplus",
                dt_transform="softplus", rules={"inv_dt": between(-4, -1)}),
    "rate": dict(rows=32, seed=210, d_model=4, d_state=8, length=64, rate=2.0),
    "untied_steps": dict(rows=64, seed=211, d_model=4, d_state=8, length=64, dt_tie=False),
    "circle": dict(rows=256, seed=212, d_model=2, d_state=16, length=16000,
                   rules={"inv_dt": log_between(2e-4, 4e-4)}),
    "tiny": dict(rows=128, seed=213, d_model=3, d_state=8, length=1024,
                 rules={"D": constant(0), "inv_dt": log_between(1e-6, 1e-5)}),
}

DSS = {
    "exp": dict(rows=64, seed=301, d_model=6, d_state=8, version="exp"),
    "exp_one_step": dict(rows=64, seed=302, d_model=4, d_state=8, version="exp", sep_dt_re_im=False, channels=2),
    "exp_re_im": dict(rows=64, seed=303, d_model=4, d_state=8, version="exp-re-im", bidirectional=True),
    "no_scale": dict(rows=64, seed=304, d_model=4, d_state=8, version="exp-no-scale"),
    "clip": dict(rows=64, seed=305, d_model=4, d_state=8, version="clip",
                 rules={"kernel.Lambda": between(-1, 1)}),
    "clip_no_scale": dict(rows=64, seed=306, d_model=4, d_state=8, version="clip-no-scale", channels=2,
                          bidirectional=True, rules={"kernel.Lambda": between(-1, 1)}),
    # Half of Re Lambda above zero: the form that depends on the length.
    "softmax": dict(rows=48, seed=307, d_model=4, d_state=8, version="softmax",
                    rules={"kernel.Lambda": between(-1, 1), "kernel.log_dt": log_between(0.02, 0.2)}),
    "hyper": dict(rows=48, seed=308, d_model=4, d_state=6, version="exp", hyper_act="sigmoid"),
    "circle": dict(rows=192, seed=309, d_model=4, d_state=8, version="exp",
                   rules={"kernel.log_dt": log_between(0.02, 0.1), "kernel.Lambda_log_neg_re": log_between(0.005, 0.02),
                          "kernel.Lambda_im": between(0, 40)}),
    "tiny": dict(rows=96, seed=310, d_model=4, d_state=8, version="exp",
                 rules={"D": constant(0), "kernel.log_dt": log_between(1e-7, 1e-5),
                        "kernel.Lambda_im": constant(0, 1e-6, 1, 30)}),
}

S5 = {
    "zoh": dict(rows=64, seed=401, H=6, P=8, discretization="zoh", activation="half_glu1", prenorm=True,
                batchnorm=True),
    "bilinear": dict(rows=64, seed=402, H=6, P=8, discretization="bilinear", activation="full_glu",
                     prenorm=True, batchnorm=False),
    "full": dict(rows=64, seed=403, H=4, P=6, discretization="zoh", conj_sym=False, activation="half_glu2",
                 prenorm=False, batchnorm=False),
    "clipped": dict(rows=64, seed=404, H=4, P=6, discretization="bilinear", clip_eigs=True, activation="gelu",
                    prenorm=False, batchnorm=True, rules={"Lambda_re": between(-1, 0.5)}),
    "rescaled": dict(rows=64, seed=405, H=5, P=7, discretization="zoh", step_rescale=2.0, activation="half_glu1",
                     prenorm=True, batchnorm=False),
    "bidirectional": dict(rows=65, seed=406, H=4, P=6, discretization="zoh", bidirectional=True,
                          activation="half_glu1", prenorm=True, batchnorm=True),
    "bidirectional_one_c": dict(rows=65, seed=407, H=4, P=6, discretization="bilinear", bidirectional=True,
                                C_init="complex_normal", conj_sym=False, activation="gelu", prenorm=True,
                                batchnorm=False),
    "circle": dict(rows=256, seed=408, H=4, P=8, discretization="zoh", activation="gelu", prenorm=True,
                   batchnorm=False, rules={"log_step": log_between(0.02, 0.1), "Lambda_re": between(-0.02, -0.005)}),
    "tiny": dict(rows=96, seed=409, H=4, P=8, discretization="zoh", activation="gelu", prenorm=True, batchnorm=False,
                 rules={"D": constant(0), "log_step": log_between(1e-7, 1e-5), "Lambda_im": constant(1e-6, 1, 30)}),
}

S5_PYTORCH = {
    "block": dict(rows=64, seed=501, dim=6, state_dim=8),
    "bidirectional": dict(rows=65, seed=502, dim=4, state_dim=6, bidir=True),
    "bilinear": dict(rows=64, seed=503, dim=4, state_dim=6, discretization="bilinear"),
    "liquid": dict(rows=64, seed=504, dim=4, state_dim=6, liquid=True, rules={"seq.B": between(-0.3, 0.3)}),
    "liquid_bidirectional": dict(rows=65, seed=505, dim=4, state_dim=6, liquid=True, bidir=True,
                                 rules={"seq.B": between(-0.3, 0.3)}),
    "degree": dict(rows=64, seed=506, dim=6, state_dim=6, degree=2, rules={"seq.log_step": log_between(0.1, 1)}),
    # A state put in before the first row, and a step for every row.
    "irregular": dict(rows=64, seed=507, dim=4, state_dim=6, irregular=True),
    "circle": dict(rows=256, seed=508, dim=4, state_dim=8,
                   rules={"seq.log_step": log_between(0.02, 0.1), "Lambda.re": between(-0.02, -0.005)}),
    "tiny": dict(rows=96, seed=509, dim=4, state_dim=8,
                 rules={"D": constant(0), "seq.log_step": log_between(1e-7, 1e-5), "Lambda.im": constant(1e-6, 1, 30)}),
}

LRU = {
    "layer": dict(rows=64, seed=601, d_model=6, d_hidden=8, norm="layer", prenorm=False),
    "batch": dict(rows=64, seed=602, d_model=5, d_hidden=7, norm="batch", prenorm=True),
    "post": dict(rows=64, seed=603, d_model=4, d_hidden=16, norm="batch", prenorm=False),
    # 1 - |lambda| from 1e-4 to 2e-3
    "circle": dict(rows=256, seed=604, d_model=4, d_hidden=8, norm="layer", prenorm=True,
                   rules={"nu_log": log_between(1e-4, 2e-3)}),
    # Phases next to nothing and close to lambda = 1.
    "tiny": dict(rows=128, seed=605, d_model=4, d_hidden=8, norm="layer", prenorm=True,
                 rules={"nu_log": log_between(1e-4, 1e-2), "theta_log": log_between(1e-6, 1e-3)}),
}

H3 = {
    "heads_of_1": dict(rows=64, seed=701, d_model=6, d_state=8, head_dim=1),
    "heads_of_2": dict(rows=64, seed=702, d_model=8, d_state=8, head_dim=2),
    "heads_of_4": dict(rows=64, seed=703, d_model=8, d_state=16, head_dim=4, n_ssm=1),
    "zoh": dict(rows=20, seed=704, d_model=6, d_state=32, head_dim=1, n_ssm=2, disc="zoh"),   # shorter than the shift
    "circle": dict(rows=256, seed=705, d_model=4, d_state=8, head_dim=1,
                   rules={"kernel.kernel.log_dt": log_between(0.02, 0.1),
                          "kernel.kernel.inv_A_real": log_between(0.005, 0.02)}),
    "tiny": dict(rows=96, seed=706, d_model=4, d_state=8, head_dim=2,
                 rules={"D": constant(0), "kernel.kernel.log_dt": log_between(1e-7, 1e-5)}),
}

MODELS = dict(zip(FOLDERS, (S4, S4D, DSS, S5, S5_PYTORCH, LRU, H3)))


def path_of(folder, name):
    return HERE / folder / f"{name}.safetensors"


def options_of(folder, name):
    return {key: value for key, value in MODELS[folder][name].items() if key != "rules"}


def store(folder, name, weights, x, outputs, metadata):
    """Weights under their official names, `input` (float32) and the outputs (float64)."""
    path_of(folder, name).parent.mkdir(exist_ok=True)
    write_safetensors(
        path_of(folder, name), {**weights, "input": x, **outputs},
        {"layer": folder, "options": json.dumps(options_of(folder, name)), "weights": ",".join(sorted(weights)),
         **metadata})


def load(folder, name):
    """(options, weights in double, input in double, outputs)"""
    tensors, metadata = read_safetensors(path_of(folder, name))
    names = metadata["weights"].split(",")
    weights = {key: tensors[key].astype(np.float64) for key in names}
    outputs = {key: tensors[key] for key in tensors if key not in names and key != "input"}
    return json.loads(metadata["options"]), weights, tensors["input"].astype(np.float64), outputs
