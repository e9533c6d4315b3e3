"""The same bits as the command, for every shape, option and cut; clear refusals."""

import array
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import krait
from conftest import MODELS, ROOT

WALKING = np.loadtxt(ROOT / "examples" / "motion" / "walking.csv", delimiter=",", dtype=np.float32)[:60]
TOKENS = np.frombuffer(b"It was the best of times, it was the worst of times", np.uint8).astype(np.int32)


def same(a, b):
    assert a.dtype == b.dtype == np.float32 and a.shape == b.shape
    assert a.tobytes() == b.tobytes()


@pytest.fixture
def run_command(command, tmp_path):
    def run(model, x, *options, **files):
        np.save(tmp_path / "x.npy", x)
        words = []
        for name, value in files.items():
            np.save(tmp_path / f"{name}.npy", value)
            words += [f"--{name}", tmp_path / f"{name}.npy"]
        command("run", MODELS / model, "--input", tmp_path / "x.npy", "--output", tmp_path / "y.npy",
                *options, *words)
        return np.load(tmp_path / "y.npy")
    return run


@pytest.mark.parametrize("mode", ["recurrent", "scan", "convolution"])
def test_motion_as_the_command(motion, run_command, mode):
    same(motion.state().run(WALKING, mode=mode), run_command("s5-har.safetensors", WALKING, "--mode", mode))


def test_tokens_as_the_command(novels, run_command):
    wanted = run_command("mamba-novels.gguf", TOKENS)
    same(novels.state().run(TOKENS), wanted)
    same(novels.state(chunk=7).run(TOKENS.astype(np.int64)), wanted)
    same(novels.state().run(TOKENS.tolist()), wanted)
    same(novels.state().run(array.array("i", TOKENS)), wanted)
    state = novels.state()
    same(np.stack([state.step(token) for token in TOKENS.tolist()]), wanted)
    state = novels.state()
    same(np.stack([state.step(token) for token in TOKENS]), wanted)       # NumPy's scalars


def test_images_as_the_command(images, run_command):
    x = np.random.default_rng(1).random((1, 784), np.float32)
    wanted = run_command("vim-mnist.gguf", x)
    same(images.state().run(x), wanted)
    same(images.state().run(x.reshape(1, 28, 28)), wanted)
    same(images.state().run(x.reshape(1, 28, 28, 1)), wanted)
    same(images.state().step(x.reshape(28, 28)), wanted[0])
    same(images.state().step(x[0]), wanted[0])


def test_lanes_as_the_command(motion, run_command):
    x = np.stack([WALKING[:40], WALKING[20:]])
    wanted = run_command("s5-har.safetensors", x)
    same(motion.state(lanes=2).run(x), wanted)
    state = motion.state(lanes=2)
    same(np.stack([state.step(x[:, i].copy()) for i in range(40)], 1), wanted)
    for lane in range(2):
        same(motion.state().run(x[lane]), wanted[lane])


def test_dt_as_the_command(motion, run_command):
    dt = np.linspace(0.5, 2, len(WALKING), dtype=np.float32)
    wanted = run_command("s5-har.safetensors", WALKING, dt=dt)
    same(motion.state().run(WALKING, dt=dt), wanted)
    same(motion.state().run(WALKING[None], dt=dt[None]), wanted[None])
    same(motion.state().run(WALKING, dt=0.5), motion.state().run(WALKING, dt=np.full(60, 0.5, np.float32)))
    assert motion.state().run(WALKING, dt=1).tobytes() == motion.state().run(WALKING).tobytes()
    assert motion.state().run(WALKING, dt=2).tobytes() != motion.state().run(WALKING).tobytes()


def test_cuts(motion):
    whole = motion.state().run(WALKING)
    state = motion.state(chunk=3)
    same(np.concatenate([state.run(WALKING[:17]), state.run(WALKING[17:])]), whole)
    state = motion.state()
    same(np.stack([state.step(row) for row in WALKING]), whole)
    out = np.zeros(6, np.float32)
    state = motion.state()
    for row, wanted in zip(WALKING, whole):
        assert state.step(row, out=out) is out
        same(out, wanted)
    row = np.zeros(9, np.float32)
    step = motion.state().stepper(row, out)
    for given, wanted in zip(WALKING, whole):
        row[:] = given
        step()
        same(out, wanted)


def test_stepper_of_tokens(novels):
    token, out = np.zeros(1, np.int32), np.zeros((1, 256), np.float32)
    step = novels.state(lanes=1).stepper(token, out)
    rows = []
    for token[0] in TOKENS:
        step()
        rows.append(out[0].copy())
    same(np.stack(rows), novels.state().run(TOKENS))


def test_stepper_refuses(motion, novels):
    row, out = np.zeros(9, np.float32), np.zeros(6, np.float32)
    state = motion.state()
    for x, y, what in ((np.zeros(8, np.float32), out, "shape"), (row, np.zeros(7, np.float32), "shape"),
                       (row.astype(np.float64), out, "float32"), (row, out.astype(np.float64), "float32"),
                       (np.zeros(18, np.float32)[::2], out, "contiguous"), ([0.0] * 9, out, "written"),
                       (row, np.zeros(12, np.float32)[::2], "contiguous")):
        with pytest.raises((TypeError, ValueError), match=what):
            state.stepper(x, y)
    with pytest.raises((TypeError, ValueError)):
        novels.state().stepper(np.zeros((), np.int64), np.zeros(256, np.float32))
    step = state.stepper(row, out)
    with pytest.raises(ValueError):
        row.resize(100)                 # C would read what is gone
    step()
    state.close()
    with pytest.raises(krait.ClosedError):
        step()
    bad = novels.state().stepper(token := np.zeros(1, np.int32), np.zeros((1, 256), np.float32))
    token[0] = 256
    with pytest.raises(krait.ArgumentError):
        bad()


def test_rows_and_out(motion):
    whole = motion.state().run(WALKING)
    same(motion.state().run(WALKING, rows="last"), whole[-1])
    same(motion.state().run(WALKING[None], rows="last"), whole[-1:])
    state = motion.state()
    assert state.run(WALKING[:30], rows="none").shape == (0, 6)
    same(state.run(WALKING[30:]), whole[30:])
    out = np.zeros((60, 6), np.float32)
    assert motion.state().run(WALKING, out=out) is out
    same(out, whole)
    assert motion.state().run(WALKING[:0]).shape == (0, 6)


def test_reset(motion):
    whole = motion.state().run(WALKING)
    state = motion.state()
    state.run(WALKING)
    same(state.run(WALKING, reset=True), whole)
    marks = np.zeros(60, bool)
    marks[[0, 30]] = True
    halves = np.concatenate([motion.state().run(WALKING[:30]), motion.state().run(WALKING[30:])])
    same(state.run(WALKING, reset=marks), halves)
    same(state.run(WALKING, reset=marks.astype(np.uint8)), halves)
    same(state.run(WALKING, reset=marks.tolist()), halves)


def test_lengths(motion):
    state = motion.state(lanes=3)
    x = np.stack([WALKING] * 3)
    result = state.run_result(x, lengths=[10, 0, 60])
    assert result.counts == (10, 0, 60) and result.steps == 60 and result.mode == "recurrent"
    whole = motion.state().run(WALKING)
    same(result.rows[0, :10], whole[:10])
    same(result.rows[2], whole)
    assert not result.rows[0, 10:].any() and not result.rows[1].any()
    assert state.hash(1) == motion.state().hash(0)


def test_nan(motion):
    x = WALKING.copy()
    x[5, 3] = np.nan
    with pytest.raises(krait.ArgumentError):
        motion.state().run(x, nan="refuse")
    result = motion.state().run_result(x, nan="hold")
    assert result.held.dtype == bool and result.held.tolist() == [i == 5 for i in range(60)]
    assert np.isnan(motion.state().run(x)).any()


def test_embeddings_for_tokens(novels):
    x = np.full((3, 256), 0.25, np.float32)
    mixed = novels.state().run([65, -1, 66], features=x)
    assert novels.state().run([65, -1, 66], features=x + 1)[1].tobytes() != mixed[1].tobytes()
    same(mixed[:1], novels.state().run([65]))
    with pytest.raises(krait.ArgumentError):
        novels.state().run([65, -1, 66])
    with pytest.raises(krait.ArgumentError, match="features"):
        novels.state().run([65, -1, 66], features=x[:2])


def test_parallel(novels):
    tokens = np.tile(TOKENS, 4)
    with ThreadPoolExecutor(3) as pool:
        state = novels.state(tasks=4)
        same(state.run(tokens, parallel=pool), novels.state().run(tokens))
    same(novels.state(tasks=4).run(tokens, parallel=pool), novels.state().run(tokens))   # shut down: alone


def test_progress(novels):
    tokens = np.tile(TOKENS, 4)
    seen = []
    state = novels.state(chunk=16)
    same(state.run(tokens, progress=lambda *now: seen.append(now)), novels.state().run(tokens))
    assert len(seen) > 3 and seen[-1][1] == len(tokens)
    state.reset()
    with pytest.raises(krait.CancelledError) as why:
        state.run(tokens, progress=lambda done, total: done >= 32)
    done = why.value.result.steps
    assert 32 <= done < len(tokens)
    whole = novels.state().run(tokens)
    same(why.value.result.rows[:done], whole[:done])
    same(state.run(tokens[done:]), whole[done:])

    def fail(done, total):
        raise KeyError("mine")
    with pytest.raises(KeyError, match="mine"):
        state.run(tokens, progress=fail)
    state.reset()
    same(state.run(tokens), whole)


def test_slots_and_orders():
    tree = {"model_type": "krait", "version": 1, "input": {"features": 2}, "tree": {"sequence": [
        {"linear": {"name": "a", "width": 3}}, {"put": {"as": "hidden"}},
        {"permute": {"input": "turn", "of": {"linear": {"width": 1, "weights": {"weight": "b.weight"}}}}}]}}
    weights = {"a.weight": np.arange(6, dtype=np.float32).reshape(3, 2), "b.weight": np.ones((1, 3), np.float32)}
    model = krait.Model.create(tree, weights)
    kinds = {slot.name: slot for slot in model.slots}
    assert kinds["turn"].kind == "order" and kinds["hidden"] == krait.SlotInfo("hidden", 3, "rows")
    x = np.arange(8, dtype=np.float32).reshape(4, 2)
    result = model.state(max_steps=4).run_result(x, orders={"turn": [3, 1, 0, 2]}, keep=["hidden"])
    same(result.kept["hidden"], x @ weights["a.weight"].T)
    with pytest.raises(krait.ArgumentError, match="turn"):
        model.state(max_steps=4).run(x)
    with pytest.raises(krait.ArgumentError):
        model.state(max_steps=4).run_result(x, orders={"turn": [3, 1, 0, 2]}, keep=["nothing"])
    with pytest.raises(krait.CannotStepError):
        model.state(max_steps=4).step([1.0, 2.0])


def test_read_only_arrays(motion):
    frozen = WALKING.copy()
    frozen.flags.writeable = False
    same(motion.state().run(frozen), motion.state().run(WALKING))
    same(motion.state().run(memoryview(WALKING)), motion.state().run(WALKING))
    same(motion.state().run(WALKING.tolist()), motion.state().run(WALKING))


@pytest.mark.parametrize("x, what", [
    (np.zeros((5, 9)), "features: float32 is wanted, not float64"),
    (np.zeros((5, 9), np.float16), "float32 is wanted, not float16"),
    (np.zeros((5, 9), np.int32), "float32 is wanted, not format 'i'"),
    (np.zeros((5, 9), ">f4"), "float32 is wanted"),
    (np.zeros((5, 9), complex), "float32 is wanted"),
    (np.zeros((5, 8), np.float32), r"shape \(1, steps, 9\) or \(steps, 9\) is wanted, not \(5, 8\)"),
    (np.zeros(9, np.float32), r"shape .* is wanted, not \(9,\)"),
    (np.zeros((2, 5, 9), np.float32), r"is wanted, not \(2, 5, 9\)"),
    (np.zeros((5, 18), np.float32)[:, ::2], "C-contiguous"),
    (np.zeros((9, 5), np.float32).T, "C-contiguous"),
    ([[0.0] * 9, [0.0] * 8], "different lengths"),
    ([["a"] * 9], "'a' is no number"),
    (None, "no number"),
])
def test_refused_arrays(motion, x, what):
    state = motion.state()
    before = state.hash()
    with pytest.raises((TypeError, ValueError), match=what):
        state.run(x)
    assert state.hash() == before
    if isinstance(x, np.ndarray) and x.ndim == 2:
        with pytest.raises((TypeError, ValueError)):
            state.step(x[0] if "shape" in what or "float32" in what else x)


@pytest.mark.parametrize("options, what", [
    (dict(mode="fastest"), "mode: 'fastest' is none of recurrent"),
    (dict(rows="some"), "rows"), (dict(nan="ignore"), "nan"),
    (dict(dt=np.zeros(59, np.float32)), "dt: shape"), (dict(dt=np.ones(60)), "dt: float32"),
    (dict(dt=-1.0), ""), (dict(dt=float("nan")), ""),
    (dict(reset=np.zeros(5, bool)), "reset: shape"), (dict(lengths=[1, 2]), "lengths"),
    (dict(lengths=[61]), ""), (dict(lengths=[-1]), "lengths"),
    (dict(out=np.zeros((60, 5), np.float32)), "out: shape"), (dict(out=np.zeros((60, 6))), "out.*float32"),
    (dict(out=np.zeros((60, 12), np.float32)[:, ::2]), "contiguous"),
    (dict(features=WALKING), "features"),
    (dict(orders={"none": [1]}), ""),
])
def test_refused_options(motion, options, what):
    state = motion.state()
    before = state.hash()
    with pytest.raises((TypeError, ValueError), match=what or None):
        state.run(WALKING, **options)
    assert state.hash() == before


def test_refused_tokens(novels):
    state = novels.state()
    for bad in ([256], [-1], [2**31], [-2**31 - 1], [1.5, 2], ["a"]):
        with pytest.raises((TypeError, ValueError)):
            state.run(bad)
    for bad in (256, -1, 2**31, "a", None):
        with pytest.raises((TypeError, ValueError)):
            state.step(bad)
    assert state.hash() == novels.state().hash()


def test_step_out(motion, novels):
    state = motion.state()
    row = WALKING[0]
    for out in (np.zeros(5, np.float32), np.zeros(6), np.zeros((1, 6), np.float32), [0.0] * 6, b"x" * 24):
        with pytest.raises((TypeError, ValueError), match="out"):
            state.step(row, out=out)
    other = array.array("f", [0] * 6)
    state.reset()
    state.step(row, out=other)
    assert other.tobytes() == motion.state().step(row).tobytes()


def test_state_options(motion):
    for options in (dict(lanes=0), dict(lanes=-1), dict(chunk=-1), dict(tasks=2**32), dict(lanes=2**40)):
        with pytest.raises(krait.ArgumentError):
            motion.state(**options)
