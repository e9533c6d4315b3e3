#!/usr/bin/env python3
"""What Python costs on top of C: nanoseconds of one step through examples/python/krait and of krait_step() in a C loop.

    make && PYTHONPATH=examples/python python3 tests/bench/overhead.py [--quick]

A model of one linear layer, 8 numbers to 8; the loop below is compiled with cc and calls the same library.  The
machine may be busy, so short turns of all ways alternate, and of each the least processor time counts.  Needs NumPy.
"""

import ctypes
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import krait
from krait import _step

WIDTH = 8
TREE = {"model_type": "krait", "version": 1, "input": {"features": WIDTH},
        "tree": {"linear": {"name": "a", "width": WIDTH}}}
LOOP = """
#include <stddef.h>

typedef int (*step_fn)(const void *model, void *state, const float *features, float *out);

int steps(step_fn step, const void *model, void *state, const float *features, float *out, size_t count)
{
    int status = 0;

    while (count-- > 0 && status == 0)
        status = step(model, state, features, out);
    return status;
}
"""


def compile_loop(folder):
    source, library = Path(folder) / "loop.c", Path(folder) / "loop.so"
    source.write_text(LOOP)
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return ctypes.CDLL(str(library)).steps


def c_loop(steps, state, x, out, count):
    """krait_step() count times, called by C."""
    function = ctypes.cast(krait._lib.krait_step, ctypes.c_void_p)
    arguments = [function, ctypes.c_void_p(state._handle.value), ctypes.c_void_p(state._at),
                 ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(out.ctypes.data), ctypes.c_size_t(count)]
    return lambda: steps(*arguments)


def repeat(call, count):
    """The same from a loop of Python's."""
    def run():
        for _ in range(count):
            call()
    return run


def ways(model, steps, count):
    x = np.random.default_rng(1).random(WIDTH, np.float32)
    out = np.zeros(WIDTH, np.float32)
    state = model.state()
    bare = _step.bound(_step.step_features, state._handle, state._block, state._at, x.ctypes.data,
                       out.ctypes.data, x, out)
    return {
        "an empty function": repeat(lambda: None, count),
        "krait_step() in a C loop": c_loop(steps, state, x, out, count),
        "a bound foreign call": repeat(bare, count),
        "step = state.stepper(x, out); step()": repeat(state.stepper(x, out), count),
        "state.step(x, out=out)": repeat(lambda: state.step(x, out=out), count),
        "state.step(x)": repeat(lambda: state.step(x), count),
        "state.run(x[None])": repeat(lambda: state.run(x[None]), count // 20),
    }


def main():
    quick = "--quick" in sys.argv[1:]
    count, turns = 500, 40 if quick else 1000
    best = {}
    with tempfile.TemporaryDirectory() as folder:
        calls = ways(krait.Model.create(TREE, {"a.weight": np.ones((WIDTH, WIDTH), np.float32)}),
                     compile_loop(folder), count)
        for _ in range(turns):
            for name, call in calls.items():
                began = time.thread_time()
                call()
                took = (time.thread_time() - began) / (count // 20 if "run" in name else count)
                best[name] = min(took, best.get(name, took))
    c = best["krait_step() in a C loop"]
    print(f"Python {sys.version.split()[0]}, NumPy {np.__version__}, krait {krait.version()}; {krait.build()}")
    print(f"least of {turns} turns of {count} steps, {WIDTH} numbers to {WIDTH}, nanoseconds; more than C's loop")
    for name, took in best.items():
        more = f"{(took - c) * 1e9:+9.0f}" if "state" in name or "foreign" in name else ""
        print(f"  {name:40s} {took * 1e9:8.0f} {more}")


if __name__ == "__main__":
    main()
