"""Thousands of models, states, views, errors and callbacks leave nothing behind."""

import gc
import os
import pickle
import tracemalloc

import numpy as np
import pytest

import krait
from conftest import MODELS

MOTION = MODELS / "s5-har.safetensors"


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def assert_no_leak(work, times, most_python=20_000, most_resident=3_000_000):
    """Bytes that may be left after so many times, above what the first ones left."""
    for _ in range(times // 10):
        work()
    gc.collect()
    tracemalloc.start()
    resident_before, before = resident(), tracemalloc.get_traced_memory()[0]
    for _ in range(times):
        work()
    gc.collect()
    left = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert left < most_python, f"{left} bytes of Python's are left"
    more = resident() - resident_before
    assert more < most_resident, f"{more} bytes more are resident"


pytestmark = pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc")


def test_models():
    data = MOTION.read_bytes()

    def work():
        krait.Model(MOTION).close()
        krait.Model(data)
        with krait.Model(MOTION) as model:
            model.state()
    assert_no_leak(work, 400)


def test_states(motion):
    x = np.zeros((5, 9), np.float32)

    def work():
        with motion.state(lanes=4) as state:
            view = state.numpy()
            state.data
        view[:] = 0
        state = motion.state()
        state.run(x)
        state.copy().step(x[0])
        state.stepper(x[0], np.zeros(6, np.float32))()
        state.load(state.save())
    assert_no_leak(work, 3000)


def test_runs(motion, novels):
    x = np.zeros((5, 9), np.float32)
    state, text = motion.state(), novels.state()

    def work():
        state.run(x, dt=1.0, reset=True, progress=lambda done, total: False)
        state.run(x.tolist(), nan="hold")
        state.step(x[0])
        text.step(65)
        state.parts["layers.0.0.seq.ssm"][0]
        novels.tokenizer.decode(novels.tokenizer.encode("text"))
    assert_no_leak(work, 3000)


def test_errors(motion):
    state = motion.state()

    def work():
        for bad in (lambda: krait.Model("/nothing"), lambda: state.run([1.0]), lambda: krait.Model(b"x" * 100),
                    lambda: state.load(b"x"), lambda: krait.Model.create("{", {})):
            with pytest.raises(Exception):
                bad()
    assert_no_leak(work, 1500)


def test_texts(novels):
    def work():
        generation = novels.generate("It", tokens=3)
        next(generation)
        if len(generation.ids) % 2:
            generation.close()
    assert_no_leak(work, 600)


def test_pickles(motion):
    assert_no_leak(lambda: pickle.loads(pickle.dumps(motion.state())), 400)
