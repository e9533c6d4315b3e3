"""Copies, saved forms, pickles, views in place, parts, and who outlives whom."""

import copy
import gc
import os
import pickle
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest

import krait
from conftest import MODELS, ROOT

X = np.random.default_rng(5).standard_normal((40, 9)).astype(np.float32)


def test_copy(motion):
    state = motion.state()
    state.run(X[:20])
    for fork in (copy.copy(state), copy.deepcopy(state), state.copy()):
        assert fork.hash() == state.hash() and fork is not state and fork.model is motion
        wanted = fork.run(X[20:]).tobytes()
        assert fork.hash() != state.hash()
        other = copy.copy(state)
        assert other.run(X[20:]).tobytes() == wanted
    motion.close()
    assert copy.copy(state).run(X[20:]).tobytes() == wanted     # also when the model was closed


def test_copy_from(motion):
    one, three = motion.state(), motion.state(lanes=3, chunk=2)
    one.run(X)
    three.copy_from(one, 0, 2)
    assert three.hash(2) == one.hash(0) and three.hash(0) == motion.state().hash(0)
    three.copy_from(three, 2, 0)
    assert three.hash(0) == one.hash(0)
    with pytest.raises(krait.Error):
        three.copy_from(one)
    for lane in (-1, 3, 2**31):
        with pytest.raises(krait.ArgumentError):
            three.copy_from(one, 0, lane)
    three.reset(2)
    assert three.hash(2) == motion.state().hash(0) and three.hash(0) == one.hash(0)
    three.reset()
    assert three.hash() == motion.state(lanes=3).hash()


def test_save_and_load(motion, digits):
    state = motion.state(lanes=2)
    state.run(np.stack([X, X[::-1].copy()]))
    saved, lane = state.save(), state.save(1)
    other = motion.state(lanes=2, chunk=5)
    other.load(saved)
    assert other.hash() == state.hash()
    single = motion.state()
    single.load(lane, 0)
    assert single.hash(0) == state.hash(1)
    before = other.hash()
    damaged = bytearray(saved)
    damaged[-9] ^= 1
    with pytest.raises(krait.FormatError):
        other.load(bytes(damaged))
    with pytest.raises(krait.Error):
        other.load(b"")
    with pytest.raises(krait.ModelError) as why:
        other.load(digits.state(lanes=2).save())
    assert why.value.status == -7
    assert other.hash() == before


def test_pickle(motion):
    state = motion.state(lanes=2, chunk=7)
    state.run(np.stack([X, X]))
    again = pickle.loads(pickle.dumps(state))
    assert again.hash() == state.hash() and again.lanes == 2
    step = np.stack([X[0], X[1]])
    assert again.step(step).tobytes() == state.step(step).tobytes()
    pair = pickle.loads(pickle.dumps([state, state.copy()]))
    assert pair[0].model is pair[1].model
    motion.close()
    assert pickle.loads(pickle.dumps(state)).hash() == state.hash()
    with pytest.raises(TypeError, match="path"):
        pickle.dumps(krait.Model((MODELS / "mamba-novels.gguf").read_bytes()).state())


def test_pickle_to_another_process(motion, tmp_path):
    state = motion.state()
    state.run(X[:20])
    (tmp_path / "state").write_bytes(pickle.dumps(state))
    np.save(tmp_path / "x.npy", X[20:])
    code = ("import pickle, sys, numpy; s = pickle.load(open('state', 'rb')); "
            "sys.stdout.buffer.write(s.run(numpy.load('x.npy')).tobytes())")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=True,
                          env=dict(os.environ, PYTHONPATH=str(Path(krait.__file__).resolve().parent.parent)))
    assert done.stdout == state.run(X[20:]).tobytes()


def test_view(motion):
    state = motion.state(lanes=2)
    view = state.numpy()
    assert view.dtype == np.uint8 and view.size == len(state.data) == 2 * motion.state_bytes
    fresh = view.copy()
    state.run(np.stack([X, X]))
    assert (view != fresh).any()                    # in place: it sees what runs
    after, wanted = view.copy(), state.hash()
    state.run(np.stack([X, X]))
    view[:] = after                                 # a snapshot taken back
    assert state.hash() == wanted
    state.data[:] = fresh.tobytes()
    assert state.hash() == motion.state(lanes=2).hash()
    state.close()
    view[:] = 7                                     # the memory is the view's now
    assert (view == 7).all()


def test_views_hold_memory(motion):
    state = motion.state()
    view = state.numpy()
    block = weakref.ref(state._block)
    del state
    gc.collect()
    assert block() is not None
    del view
    gc.collect()
    assert block() is None


def test_parts(motion):
    state = motion.state(lanes=2)
    state.run(np.stack([X, X[::-1].copy()]))
    assert list(state.parts)[0] == "layers.0.0.seq.ssm" and len(state.parts) == 6
    part = state.parts["layers.0.0.seq.ssm"]
    assert part.shape == (32, 2) and len(part) == 2
    first, second = part[0], part.read(1)
    assert first.shape == (32, 2) and first.dtype == np.float32 and (first != second).any()
    out = np.zeros((32, 2), np.float32)
    assert part.read(1, out=out) is out and (out == second).all()
    part[0] = second
    assert (part[0] == second).all() and (part[1] == second).all()
    fresh, other = motion.state(), motion.state()
    fresh.run(X)
    for name, values in fresh.parts.items():
        other.parts[name][0] = values[0]
    assert other.hash() == fresh.hash()
    for lane in (-1, 2):
        with pytest.raises(IndexError):
            part[lane]
    with pytest.raises(krait.ArgumentError, match="shape"):
        part[0] = second[:31]
    with pytest.raises(TypeError, match="float32"):
        part[0] = second.astype(np.float64)
    with pytest.raises(KeyError):
        state.parts["nothing"]
    state.close()
    with pytest.raises(krait.ClosedError):
        part[0]


def test_close(motion):
    state = motion.state()
    with state as same:
        assert same is state
    assert state.closed and "closed" in repr(state)
    state.close()
    for use in (lambda: state.step(X[0]), lambda: state.run(X), lambda: state.data, lambda: state.save(),
                lambda: state.hash(), lambda: state.reset(), lambda: copy.copy(state), lambda: state.parts,
                lambda: state.load(b""), lambda: state.__enter__(), lambda: pickle.dumps(state),
                lambda: motion.state().copy_from(state), lambda: state.bind(motion),
                lambda: state.stepper(X[0], np.zeros(6, np.float32))):
        with pytest.raises(krait.ClosedError):
            use()


def test_a_state_outlives_its_model():
    model = krait.Model(MODELS / "s5-har.safetensors")
    wanted = model.state().run(X).tobytes()
    state = model.state()
    first = state.run(X[:10]).tobytes()
    model.close()
    del model
    gc.collect()
    second = state.run(X[10:]).tobytes()
    assert first + second == wanted


def test_bind(motion, digits):
    state = motion.state()
    whole = motion.state().run(X).tobytes()
    first = state.run(X[:10]).tobytes()
    other = krait.Model(MODELS / "s5-har.safetensors", plain=True)
    state.bind(other)
    assert state.model is other and first + state.run(X[10:]).tobytes() == whole
    with pytest.raises(krait.ModelError):
        state.bind(digits)
    assert state.model is other


def test_motion_of_the_readme():
    """A recording, named rightly step by step."""
    model = krait.Model(MODELS / "s5-har.safetensors")
    classes = model.text("classes").split(",")
    for path in sorted((ROOT / "examples" / "motion").glob("*.csv")):
        truth = path.read_text().splitlines()[0][2:]
        rows = np.loadtxt(path, delimiter=",", dtype=np.float32)[:128]
        state = model.state()
        for row in rows:
            out = state.step(row)
        assert classes[int(out.argmax())] == truth
