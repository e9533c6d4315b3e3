"""The linear time-invariant layers as plain loops over time in NumPy, in double, from the equations alone.

Nothing here is taken from the official code: it checks what that code computed, and is checked by it.  States
advance first and are read then: x = lambda x + b u, y = Re(c x) + d u.
"""

import math

import numpy as np

erf = np.vectorize(math.erf)


def paired(weight):
    return weight[..., 0] + 1j * weight[..., 1]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gelu(x):
    return 0.5 * x * (1 + erf(x / math.sqrt(2)))


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


ACTIVATIONS = {"gelu": gelu, "silu": lambda x: x * sigmoid(x), "tanh": np.tanh, "sigmoid": sigmoid}


def layer_norm(x, weight, bias, epsilon):
    mean = x.mean(axis=-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * weight + bias


def glu(x):
    value, gate = np.split(x, 2, axis=-1)
    return value * sigmoid(gate)


def positive(p, transform):
    """What a parameter of s4.py stands for."""
    if transform == "softplus":
        return np.where(p > 20, p, np.log1p(np.exp(np.minimum(p, 20))))
    return {"none": lambda: p, "exp": lambda: np.exp(p), "relu": lambda: np.maximum(p, 0) + 1e-4,
            "sigmoid": lambda: sigmoid(p)}[transform]()


def held(dt, a):
    """(lambda, what an input of 1 held for dt adds), accurate for small dt a and at a = 0."""
    z = dt * a
    return np.exp(z), dt * np.where(z == 0, 1, np.expm1(z) / np.where(z == 0, 1, z))


def trapezoid(dt, a):
    return (1 + dt * a / 2) / (1 - dt * a / 2), dt / (1 - dt * a / 2)


def run_diagonal(u, advance, enter, leave):
    """u [T][H], advance and enter [H][n], leave [C][H][n] -> [T][C][H], without a factor 2."""
    x = np.zeros(advance.shape, complex)
    out = []
    for row in u:
        x = advance * x + enter * row[:, None]
        out.append(np.einsum("chn,hn->ch", leave, x).real)
    return np.array(out)


def both_ways(u, forward, backward):
    """The second kernel meets what comes after the row: rows from the end, one row late."""
    later = backward(u[::-1])[::-1]
    out = forward(u)
    out[:-1] += later[1:]
    return out


# ---- S4D, S4 ------------------------------------------------------------------------------------------------

def s4_block(y, weights, options):
    """y [T][C][H] with d u added -> (that, flattened; the block's output)"""
    swap = options.get("swap_channels")
    flat = (y.transpose(0, 2, 1) if swap else y).reshape(len(y), -1)
    z = ACTIVATIONS[options.get("activation", "gelu")](flat)
    return flat, glu(z @ weights["output_linear.0.weight"].T + weights["output_linear.0.bias"])


def s4_parameters(weights, options):
    """dt [H][1 or n], A [H][n], C with the band limit [C][H][n], rate"""
    get = lambda name: weights["layer.kernel." + name]
    rate, width = options.get("rate", 1.0), options["d_model"]
    inverse = np.sinh(get("inv_dt")) if options.get("dt_fast") else get("inv_dt")
    dt = positive(inverse, options.get("dt_transform", "exp")) * rate
    a = -positive(get("A_real"), options.get("real_transform", "exp")).astype(complex)
    if options.get("is_real"):
        return dt, np.tile(a, (width // len(a), 1)), get("C").astype(complex)
    a = a - 1j * positive(get("A_imag"), options.get("imag_transform", "none"))
    a = np.tile(a, (width // len(a), 1))                # row h has set h mod n_ssm
    c = paired(get("C"))
    if options.get("bandlimit") is not None:
        c = c * (dt / rate * np.abs(a.imag) / (2 * math.pi) < options["bandlimit"] / 2)
    return dt, a, c


def s4d(options, weights, u):
    if options.get("minimal"):
        return s4d_minimal(weights, u)
    dt, a, c = s4_parameters(weights, options)
    b = weights["layer.kernel.B"][0] if options.get("is_real") else paired(weights["layer.kernel.B"])[0]
    b = np.tile(b, (len(a) // len(b), 1))
    if options["disc"] == "dss":                        # Re A < 0 always; the sum over the length divides
        x = np.expm1(dt * a * len(u)) * a
        advance, enter = np.exp(dt * a), b * np.expm1(dt * a) * x.conj() / (x * x.conj() + 1e-7)
    else:
        advance, enter = {"zoh": held, "bilinear": trapezoid}[options["disc"]](dt, a)
        enter = enter * b
    factor = 1 if options["disc"] == "dss" else 2       # conjugates count, but not for dss
    run = lambda c: lambda u: factor * run_diagonal(u, advance, enter, c)
    if options.get("bidirectional"):
        first, second = np.split(c, 2)
        y = both_ways(u, run(first), run(second))
    else:
        y = run(c)(u)
    ssm, block = s4_block(y + weights["layer.D"] * u[:, None, :], weights, options)
    return {"ssm": ssm, "block": block}


def s4d_minimal(weights, u):
    dt = np.exp(weights["kernel.log_dt"])[:, None]
    a = -np.exp(weights["kernel.log_A_real"]) + 1j * weights["kernel.A_imag"]
    advance, enter = held(dt, a)
    y = 2 * run_diagonal(u, advance, enter, paired(weights["kernel.C"])[None])[:, 0] + weights["D"] * u
    block = glu(gelu(y) @ weights["output_linear.0.weight"][..., 0].T + weights["output_linear.0.bias"])
    return {"ssm": y, "block": block}


def s4(options, weights, u):
    """Dense: A = diag(a) - P P^* over all conjugates, the trapezoid rule, C undone for its length."""
    dt, a, c = s4_parameters(weights, options)
    both = lambda v: np.concatenate([v, v.conj()], axis=-1)
    sets = lambda v: np.tile(v, (1, len(a) // v.shape[1], 1))
    p, b = sets(paired(weights["layer.kernel.P"])), sets(paired(weights["layer.kernel.B"]))[0]
    length = round(int(weights["layer.kernel.l_kernel"]) / options.get("rate", 1.0))
    kernels = []
    for h in range(len(a)):
        step = np.broadcast_to(dt[h], a[h].shape)
        scale = np.diag(both(step + 0j))
        matrix = (np.diag(both(a[h])) - both(p[:, h]).T @ both(p[:, h]).conj())
        one = np.eye(len(matrix))
        left = one - scale @ matrix / 2
        advance, enter = np.linalg.solve(left, one + scale @ matrix / 2), np.linalg.solve(left, scale @ both(b[h]))
        leave = both(c[:, h])
        if length > 0:
            leave = np.linalg.solve((one - np.linalg.matrix_power(advance, length)).T, leave.T).T
        x, kernel = enter, []
        for _ in range(len(u)):
            kernel.append((leave @ x).real)
            x = advance @ x
        kernels.append(np.array(kernel))                # [T][C]
    kernels = np.array(kernels)
    half = kernels.shape[2] // 2

    def run(k):
        return lambda u: np.array([np.einsum("hic,ih->ch", k[:, :t + 1], u[t::-1] if t < len(u) else u)
                                   for t in range(len(u))])
    y = both_ways(u, run(kernels[..., :half]), run(kernels[..., half:])) if options.get("bidirectional") \
        else run(kernels)(u)
    ssm, block = s4_block(y + weights["layer.D"] * u[:, None, :], weights, options)
    return {"ssm": ssm, "block": block}


# ---- DSS ----------------------------------------------------------------------------------------------------

def dss(options, weights, u):
    version, w = options["version"], paired(weights["kernel.W"])
    if "exp" in version:
        imaginary = np.exp(weights["kernel.Lambda_log_im"]) if "im" in version else weights["kernel.Lambda_im"]
        a = -np.exp(weights["kernel.Lambda_log_neg_re"]) + 1j * imaginary
    else:
        a = paired(weights["kernel.Lambda"])
        if "clip" in version:
            a = np.minimum(a.real, 1e-4) + 1j * a.imag
    dt = np.exp(weights["kernel.log_dt"])
    z = dt[:, None] * a if dt.ndim == 1 else dt[:, :1] * a.real + 1j * dt[:, 1:] * a.imag
    if version == "softmax":
        up = (a.real > 0) * 1.0
        q = np.expm1(z * (1 - 2 * up) * len(u)) * a
        w = w * np.expm1(z * (1 - 2 * up)) * q.conj() / (q * q.conj() + 1e-7)
        steps = np.arange(len(u))[:, None, None]
        powers = np.exp(z * (steps - up * (len(u) - 1)))
    else:
        if "no-scale" not in version:
            w = w * np.expm1(z) * a.conj() / np.maximum(np.abs(a) ** 2, 1e-7)
        powers = None

    def run(w):
        if powers is None:
            return lambda u: run_diagonal(u, np.exp(z), np.ones_like(z), w)
        k = np.einsum("chn,lhn->lch", w, powers).real
        return lambda u: np.array([np.einsum("ich,ih->ch", k[:t + 1], u[t::-1]) for t in range(len(u))])
    if options.get("bidirectional"):
        y = both_ways(u, run(w[:len(w) // 2]), run(w[len(w) // 2:]))
    else:
        y = run(w)(u)
    y = y + weights["D"] * u[:, None, :]
    ssm = y.reshape(len(u), -1)
    if options.get("hyper_act"):
        value, gate = np.split(y, 2, axis=1)
        y = ACTIVATIONS[options["hyper_act"]](gate) * value
    z = gelu(y.reshape(len(u), -1))
    return {"ssm": ssm, "block": z @ weights["output_linear.weight"].T + weights["output_linear.bias"][:, 0]}


# ---- S5, LRU ------------------------------------------------------------------------------------------------

def run_dense(u, advance, enter, state=None):
    """States after every row: x = advance x + enter u; either may have one for every row."""
    x = np.zeros(advance.shape[-1], complex) if state is None else state
    out = []
    for t, row in enumerate(u):
        x = (advance if advance.ndim == 1 else advance[t]) * x + (enter if enter.ndim == 2 else enter[t]) @ row
        out.append(x)
    return np.array(out)


def flax_norm(x, weights, name):
    if name + ".mean" in weights:
        return (x - weights[name + ".mean"]) / np.sqrt(weights[name + ".var"] + 1e-5) * weights[name + ".scale"] \
            + weights[name + ".bias"]
    return layer_norm(x, weights[name + ".scale"], weights[name + ".bias"], 1e-6)


def flax_dense(x, weights, name):
    return x @ weights[name + ".kernel"] + weights[name + ".bias"]


def s5_ssm(options, weights, u):
    a = weights["seq.Lambda_re"] + 1j * weights["seq.Lambda_im"]
    if options.get("clip_eigs"):
        a = np.minimum(a.real, -1e-4) + 1j * a.imag
    dt = options.get("step_rescale", 1.0) * np.exp(weights["seq.log_step"][:, 0])
    advance, enter = {"zoh": held, "bilinear": trapezoid}[options["discretization"]](dt, a)
    enter = enter[:, None] * paired(weights["seq.B"])
    states = run_dense(u, advance, enter)
    if options.get("bidirectional"):
        states = np.concatenate([states, run_dense(u[::-1], advance, enter)[::-1]], axis=1)
    c = paired(weights["seq.C"]) if "seq.C" in weights else \
        np.concatenate([paired(weights["seq.C1"]), paired(weights["seq.C2"])], axis=1)
    return (2 if options.get("conj_sym", True) else 1) * (states @ c.T).real + weights["seq.D"] * u


def s5(options, weights, u):
    x = flax_norm(u, weights, "norm") if options["prenorm"] else u
    ssm = x = s5_ssm(options, weights, x)
    gate = lambda z: sigmoid(flax_dense(z, weights, "out2"))
    g = gelu_tanh(x)
    x = {"full_glu": lambda: flax_dense(g, weights, "out1") * gate(g), "half_glu1": lambda: g * gate(g),
         "half_glu2": lambda: x * gate(g), "gelu": lambda: g}[options["activation"]]()
    x = u + x
    return {"ssm": ssm, "block": x if options["prenorm"] else flax_norm(x, weights, "norm")}


def lru(options, weights, u):
    x = flax_norm(u, weights, "normalization") if options["prenorm"] else u
    advance = np.exp(-np.exp(weights["seq.nu_log"]) + 1j * np.exp(weights["seq.theta_log"]))
    enter = (weights["seq.B_re"] + 1j * weights["seq.B_im"]) * np.exp(weights["seq.gamma_log"])[:, None]
    states = run_dense(x, advance, enter)
    ssm = (states @ (weights["seq.C_re"] + 1j * weights["seq.C_im"]).T).real + weights["seq.D"] * x
    g = gelu_tanh(ssm)
    x = u + flax_dense(g, weights, "out1") * sigmoid(flax_dense(g, weights, "out2"))
    return {"ssm": ssm, "block": x if options["prenorm"] else flax_norm(x, weights, "normalization")}


def s5_pytorch_ssm(options, weights, u, scale=None, state=None):
    a, c = paired(weights["s5.seq.Lambda"]), paired(weights["s5.seq.C"])
    dt = np.exp(weights["s5.seq.log_step"])
    if scale is not None:
        dt = scale[:, None] * dt
    advance, enter = {"zoh": held, "bilinear": trapezoid}[options.get("discretization", "zoh")](dt, a)
    enter = (enter[..., None] * paired(weights["s5.seq.B"])) ** options.get("degree", 1)
    if options.get("liquid"):
        x, states = np.zeros(len(a), complex), []
        for row in u:
            x = (advance + enter @ row) * x + enter @ row
            states.append(x)
        states = np.array(states)
    else:
        states = run_dense(u, advance, enter, state)
    last = states[-1]
    if options.get("bidir"):
        states = np.concatenate([states, run_dense(u[::-1], advance, enter)[::-1]], axis=1)
    return (states @ c.T).real + weights["s5.seq.D"] * u, last


def s5_pytorch(options, weights, u):
    if options.get("irregular"):
        ssm, last = s5_pytorch_ssm(options, weights, u, weights["step_scale"], paired(weights["state"]))
        return {"ssm": ssm, "last": np.stack([last.real, last.imag], axis=-1)}
    norm = lambda x, name: layer_norm(x, weights[name + ".weight"], weights[name + ".bias"], 1e-5)
    x = norm(u, "attn_norm")
    ssm, _ = s5_pytorch_ssm(options, weights, x)
    x = norm(gelu(ssm) + x, "ff_norm")
    value, gates = np.split(x @ weights["ff_enc.weight"].T, 2, axis=-1)
    return {"ssm": ssm, "block": (value * gelu(gates)) @ weights["ff_dec.weight"].T + x}


# ---- H3 -----------------------------------------------------------------------------------------------------

def h3(options, weights, u):
    linear = lambda name: u @ weights[name + ".weight"].T + weights[name + ".bias"]
    q, k, v = linear("q_proj"), linear("k_proj"), linear("v_proj")
    size, heads = options["head_dim"], options["d_model"] // options["head_dim"]

    x, shifted = np.zeros((options["d_model"], options["d_state"])), []
    b, c = weights["ssm_k_kernel.kernel.B"], weights["ssm_k_kernel.kernel.C"][0]
    for row in k:
        x = np.concatenate([np.zeros((len(x), 1)), x[:, :-1]], axis=1) + b * row[:, None]
        shifted.append((c * x).sum(axis=1))
    k = np.array(shifted) + weights["ssm_k_D"] * k

    split = lambda x: x.reshape(len(x), heads, size)                # (h d): heads slowest
    kv = np.einsum("thi,thj->tijh", split(k), split(v))
    a = -np.exp(weights["kernel.kernel.inv_A_real"]) + 1j * weights["kernel.kernel.A_imag"]
    sets = lambda v: np.tile(v, (heads // len(v), 1))
    dt = np.exp(weights["kernel.kernel.log_dt"])[:, None]
    advance, enter = {"zoh": held, "bilinear": trapezoid}[options.get("disc", "bilinear")](dt, sets(a))
    enter, leave = enter * sets(paired(weights["kernel.kernel.B"])), paired(weights["kernel.kernel.C"])[0]
    x, y = np.zeros((size, size) + advance.shape, complex), []
    for t in range(len(u)):
        x = advance * x + enter * kv[t][..., None]
        y.append(2 * (leave * x).sum(axis=-1).real + weights["D"] * kv[t])
    out = np.einsum("tijh,thi->tjh", np.array(y), split(q)).reshape(len(u), -1)     # (d h): heads fastest
    return {"ssm": out, "block": out @ weights["output_linear.weight"].T + weights["output_linear.bias"]}


LOOPS = {"s4": s4, "s4d": s4d, "dss": dss, "s5": s5, "s5_pytorch": s5_pytorch, "lru": lru, "h3": h3}
