#!/usr/bin/env python3
"""A picture of a stream: what comes in, what the layers remember, what the model says, and its eigenvalues.

    python3 plot_stream.py OUT.png [RECORDING.csv ...] [--model MODEL]

Recordings are played one after another (by default someone who walks, sits, and walks upstairs) through the shipped
classifier of motion, which begins anew every --episode rows, as it was trained.  The memories are read from the
state after every step by their names, and the eigenvalues are measured the same way: two states that differ in one
layer's memory by known numbers are stepped with the same row, and what is left of the difference is the factor by
which each number of that memory goes on.  Works for any model over rows of numbers whose layers remember complex
numbers one by one (s5, lru), or real ones.  Needs NumPy and matplotlib.
"""

import argparse
from pathlib import Path

import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402

import krait  # noqa: E402

EXAMPLES = Path(__file__).resolve().parent.parent
DEFAULT = [EXAMPLES / "motion" / f"{name}.csv" for name in ("walking", "sitting", "walking-upstairs")]
GREY = "#666666"


def numbers(values):
    """A part's memory as one row of complex numbers: pairs in the last axis are (re, im)."""
    if values.shape[-1:] == (2,):
        return (values[..., 0] + 1j * values[..., 1]).ravel()
    return values.ravel().astype(complex)


def memories(state):
    return [part for name, part in state.parts.items() if name.endswith(".ssm")]


def eigenvalues(model, row):
    """By layer: the factor with which every remembered number goes on over one row."""
    result = []
    for i in range(len(memories(model.state()))):
        plain, moved = model.state(), model.state()
        part = memories(moved)[i]
        ones = np.ones(part.shape, np.float32)
        if part.shape[-1:] == (2,):
            ones[..., 1] = 0
        part[0] = ones
        plain.step(row)
        moved.step(row)
        result.append(numbers(part[0].astype(np.float64) - memories(plain)[i][0].astype(np.float64)))
    return result


def play(model, recordings, episode):
    """Probabilities [steps, classes] and magnitudes of what is remembered [steps, layers, numbers]."""
    state = model.state()
    parts = memories(state)
    rows, remembered = [], []
    for t, row in enumerate(np.concatenate(recordings)):
        if episode and t % episode == 0:
            state.reset()
        out = state.step(row).astype(np.float64)
        rows.append(out)
        remembered.append([np.abs(numbers(part[0])) for part in parts])
    e = np.exp(np.array(rows) - np.max(rows, 1, keepdims=True))
    return np.array(rows), e / e.sum(1, keepdims=True), np.array(remembered)


def mark(axis, borders, names=None):
    for at, until, name in borders:
        if at > 0:
            axis.axvline(at, color="white" if names is None else GREY, lw=1.6, ls=(0, (4, 3)))
        if names:
            axis.text((at + until) / 2, 1.04, name, transform=axis.get_xaxis_transform(), ha="center",
                      fontsize=11, fontweight="bold")


def legend(side, axis, **options):
    """In a column of its own, so that all panels have one width."""
    side.axis("off")
    side.legend(*axis.get_legend_handles_labels(), loc="center left", frameon=False, fontsize=9, handlelength=1,
                borderaxespad=0, **options)


def plot_input(axis, t, x, borders):
    axis.plot(t, x[:, -3:], lw=0.9, label=["x", "y", "z"])
    axis.set_ylabel("acceleration, g" if x.shape[1] == 9 else "input")
    mark(axis, borders, names=True)


def plot_memory(figure, axis, side, t, remembered, factors, borders):
    """One band a layer, the slowest number on top; decibels of each number's own greatest."""
    bands = []
    for layer, factor in enumerate(factors):
        h = remembered[:, layer][:, np.argsort(np.abs(factor))]
        bands.append(20 * np.log10(h / h.max(0) + 1e-6).T)
    image = np.concatenate(bands)
    shown = axis.imshow(image, aspect="auto", origin="lower", extent=(t[0], t[-1], 0, len(image)), vmin=-40,
                        vmax=0, cmap="magma", interpolation="nearest")
    edges = np.cumsum([0] + [len(band) for band in bands])
    for edge in edges[1:-1]:
        axis.axhline(edge, color="white", lw=1)
    axis.set_yticks((edges[:-1] + edges[1:]) / 2, [f"layer {i}" for i in range(len(bands))])
    axis.tick_params(axis="y", length=0)
    axis.set_title("magnitude of every number remembered, in each layer the slowest on top", fontsize=9,
                   color=GREY, loc="left")
    mark(axis, borders)
    side.axis("off")
    bar = figure.colorbar(shown, cax=side.inset_axes((0, 0.1, 0.1, 0.8)))
    bar.set_label("dB of its greatest", fontsize=8)
    bar.ax.tick_params(labelsize=8)


def plot_logits(axis, t, rows, classes, borders):
    for i, name in enumerate(classes):
        axis.plot(t, rows[:, i], lw=1.3, label=name, color=f"C{i}")
    axis.set_ylabel("output (log p)" if rows.max() <= 1e-3 else "logits")
    axis.set_ylim(max(rows.min(), -12), max(rows.max() + 0.6, 0.6))
    mark(axis, borders, names=False)


def plot_probabilities(axis, t, p, classes, borders):
    axis.stackplot(t, p.T, labels=classes, colors=[f"C{i}" for i in range(len(classes))], alpha=0.85, lw=0)
    axis.set_ylim(0, 1)
    axis.set_ylabel("probability")
    axis.set_xlabel("time, s")
    mark(axis, borders)


def plot_plane(axis, factors):
    turn = np.linspace(0, 2 * np.pi, 400)
    axis.plot(np.cos(turn), np.sin(turn), color=GREY, lw=0.8)
    axis.axhline(0, color="#dddddd", lw=0.8, zorder=0)
    axis.axvline(0, color="#dddddd", lw=0.8, zorder=0)
    for i, factor in enumerate(factors):
        axis.scatter(factor.real, factor.imag, s=16, alpha=0.75, lw=0, label=f"layer {i}", color=f"C{i}")
    axis.set_aspect("equal")
    axis.set_xlim(-1.1, 1.1)
    axis.set_ylim(-1.1, 1.1)
    axis.set_title("eigenvalues of one step", fontsize=11)
    axis.set_xlabel("real")
    axis.set_ylabel("imaginary")
    axis.legend(fontsize=8, frameon=False, loc="center", handletextpad=0.1, bbox_to_anchor=(0.33, 0.5))


def plot_times(axis, factors, rate):
    """The same numbers as what they mean: how long they last and how fast they turn."""
    for i, factor in enumerate(factors):
        size = np.clip(np.abs(factor), 1e-6, 1 - 1e-7)
        axis.scatter(np.abs(np.angle(factor)) * rate / (2 * np.pi), np.log(0.5) / np.log(size) / rate, s=16, alpha=0.75,
                     lw=0, color=f"C{i}")
    axis.set_yscale("log")
    axis.set_xlim(-0.02 * rate, rate / 2 * 1.03)
    axis.set_title("what they remember", fontsize=11)
    axis.set_xlabel("frequency, Hz")
    axis.set_ylabel("half-life, s")
    axis.grid(color="#eeeeee", which="both", lw=0.6)
    axis.set_axisbelow(True)


def draw(path, model, recordings, names, episode):
    rate = float(model.text("sample_rate") or 1)
    classes = (model.text("classes") or ",".join(map(str, range(model.out_width)))).split(",")
    ends = np.cumsum([len(recording) for recording in recordings]) / rate
    borders = list(zip([0.0, *ends[:-1]], ends, names))
    rows, p, remembered = play(model, recordings, episode)
    factors = eigenvalues(model, recordings[0][0])
    x = np.concatenate(recordings)
    t = (1 + np.arange(len(x))) / rate

    figure = plt.figure(figsize=(15, 9.5), layout="constrained")
    grid = figure.add_gridspec(4, 3, width_ratios=(3, 0.48, 1.2), height_ratios=(1, 2.6, 1.1, 1.1))
    left = [figure.add_subplot(grid[0, 0])]
    left += [figure.add_subplot(grid[i, 0], sharex=left[0]) for i in (1, 2, 3)]
    sides = [figure.add_subplot(grid[i, 1]) for i in (0, 1, 3)]
    plot_input(left[0], t, x, borders)
    legend(sides[0], left[0])
    plot_memory(figure, left[1], sides[1], t, remembered, factors, borders)
    plot_logits(left[2], t, rows, classes, borders)
    plot_probabilities(left[3], t, p, classes, borders)
    legend(sides[2], left[3], reverse=True)
    for axis in left[:3]:
        axis.tick_params(labelbottom=False)
    left[0].set_xlim(0, ends[-1])
    plot_plane(figure.add_subplot(grid[0:2, 2]), factors)
    plot_times(figure.add_subplot(grid[2:, 2]), factors, rate)
    for axis in figure.axes:
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    says = [classes[int(p[int(end * rate) - 1].argmax())] for end in ends]
    print(f"{path}: {len(x)} steps, {len(factors)} layers of {len(factors[0])} numbers; "
          + ", ".join(f"{name} -> {said}" for name, said in zip(names, says)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("png", type=Path)
    parser.add_argument("recordings", nargs="*", type=Path, default=DEFAULT)
    parser.add_argument("--episode", type=int, default=128, help="rows between resets; 0: none (128)")
    parser.add_argument("--model", type=Path, default=EXAMPLES / "models" / "s5-har.safetensors")
    words = parser.parse_args()
    recordings = [np.loadtxt(path, delimiter=",", dtype=np.float32, ndmin=2) for path in words.recordings]
    with krait.Model(words.model) as model:
        if model.takes_tokens or not model.can_step or not memories(model.state()):
            raise SystemExit(f"{words.model}: a model over rows of numbers is wanted, with layers that remember")
        draw(words.png, model, recordings, [path.stem for path in words.recordings],
             words.episode)


if __name__ == "__main__":
    main()
