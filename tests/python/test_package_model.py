"""Opening, what a model tells, errors with the library's message and status, pickles, closing."""

import copy
import ctypes
import gc
import json
import pickle
import struct
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import krait
from conftest import MODELS

TREE = {"model_type": "krait", "version": 1, "input": {"features": 2},
        "tree": {"sequence": [{"linear": {"name": "a", "width": 3}}, {"activation": {"kind": "tanh"}}]}}
WEIGHTS = {"a.weight": np.array([[1, 2], [3, 4], [5, 6]], np.float32)}


def tiny(**options):
    tree = dict(TREE, tree={"linear": {"name": "a", "width": 3}})
    return krait.Model.create(tree, WEIGHTS, **options)


def test_numbers(novels, motion, images):
    assert novels.takes_tokens and novels.vocabulary == 256 and novels.out_width == 256
    assert novels.end_token == 10 and novels.layers == 10 and novels.can_step and not novels.uses_dt
    assert novels.state_bytes == 389120 and novels.parameters == 4445952
    assert motion.in_width == 9 and motion.out_width == 6 and motion.uses_dt
    assert motion.end_token is None and motion.grid == (1, 1) and not motion.whole_sequence
    assert images.grid == (28, 28) and images.in_width == 784
    assert motion.text("classes").count(",") == 5 and motion.text("nothing") is None
    assert motion.metadata["sample_rate"] == "50"
    assert motion.description["input"] == {"features": 9}
    assert motion.kernels and motion.warnings == ()
    with pytest.raises(krait.UnsupportedError):
        motion.get(9999)


def test_bytes_and_path_are_one_model(novels):
    data = (MODELS / "mamba-novels.gguf").read_bytes()
    for form in (data, bytearray(data), memoryview(data)):
        with krait.Model(form) as other:
            assert other.id == novels.id and other.hash() == novels.hash()


def test_folder(tmp_path):
    config = dict(TREE, tree={"linear": {"name": "a", "width": 3}})
    (tmp_path / "config.json").write_text(json.dumps(config))
    header = json.dumps({"a.weight": {"dtype": "F32", "shape": [3, 2], "data_offsets": [0, 24]}}).encode()
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header
                                                 + WEIGHTS["a.weight"].tobytes())
    with krait.Model(tmp_path) as model, tiny() as made:
        assert model.id == made.id and model.hash() == made.hash()


def test_create():
    with tiny() as model:
        assert list(model.state().step([1.0, 10.0])) == [21, 43, 65]
        assert model.tensors["a.weight"].shape == (3, 2)
    half = {"a.weight": WEIGHTS["a.weight"].astype(np.float16)}
    bits = krait.Tensor((WEIGHTS["a.weight"].view(np.uint32) >> 16).astype(np.uint16), (3, 2), "BF16")
    for weights in (half, {"a.weight": bits}):
        model = krait.Model.create(json.dumps(dict(TREE, tree={"linear": {"name": "a", "width": 3}})), weights)
        assert list(model.state().step([1.0, 10.0])) == [21, 43, 65]


def test_create_refuses():
    tree = dict(TREE, tree={"linear": {"name": "a", "width": 3}})
    with pytest.raises(TypeError, match="a.weight.*float32"):
        krait.Model.create(tree, {"a.weight": np.zeros((3, 2))})
    with pytest.raises(ValueError, match="a.weight.*contiguous"):
        krait.Model.create(tree, {"a.weight": np.zeros((2, 3), np.float32).T})
    with pytest.raises(TypeError, match="buffer"):
        krait.Model.create(tree, {"a.weight": 3})
    with pytest.raises(krait.ShapeError, match="a.weight"):
        krait.Model.create(tree, {"a.weight": np.zeros((2, 3), np.float32)})
    with pytest.raises(krait.ShapeError, match="a.weight"):
        krait.Model.create(tree, {})
    bad = {"a.weight": np.full((3, 2), np.nan, np.float32)}
    krait.Model.create(tree, bad)
    with pytest.raises(krait.FormatError, match="a.weight"):
        krait.Model.create(tree, bad, check=True)


def test_errors(tmp_path):
    with pytest.raises(krait.FileError) as why:
        krait.Model(tmp_path / "none.gguf")
    assert why.value.status == -3 and "none.gguf" in str(why.value) and isinstance(why.value, OSError)
    with pytest.raises(krait.FormatError) as bad:
        krait.Model(b"no model, and long enough to be looked at")
    assert bad.value.status == -4 and isinstance(bad.value, ValueError)
    again = pickle.loads(pickle.dumps(bad.value))
    assert type(again) is krait.FormatError and again.status == -4 and again.message == bad.value.message
    with pytest.raises(krait.OutOfMemoryError):
        krait.Model(MODELS / "s5-har.safetensors", max_bytes=1000)
    with pytest.raises(krait.Error):
        krait.Model(b"")
    with pytest.raises(TypeError):
        krait.Model(3)


def test_progress():
    seen = []
    krait.Model(MODELS / "s5-har.safetensors", check=True,
                progress=lambda done, total: seen.append((done, total)))
    assert seen and seen[-1][0] == seen[-1][1]
    with pytest.raises(krait.CancelledError):
        krait.Model(MODELS / "s5-har.safetensors", check=True, progress=lambda done, total: True)

    def fail(done, total):
        raise KeyError("mine")
    with pytest.raises(KeyError, match="mine"):
        krait.Model(MODELS / "s5-har.safetensors", check=True, progress=fail)


def test_threads_that_help_to_load(novels):
    with ThreadPoolExecutor(3) as pool:
        model = krait.Model(MODELS / "mamba-novels.gguf", parallel=pool, tasks=4, prefetch=True)
    assert model.hash() == novels.hash()


def test_warnings():
    config = dict(model_type="mamba", vocab_size=8, hidden_size=8, intermediate_size=16, state_size=4,
                  conv_kernel=4, time_step_rank=2, num_hidden_layers=0, something_new=5)
    weights = {"backbone.embeddings.weight": np.zeros((8, 8), np.float32),
               "backbone.norm_f.weight": np.ones(8, np.float32)}
    try:
        model = krait.Model.create(config, weights)
    except krait.Error as why:
        assert "num_hidden_layers" in str(why) or why.status
    else:
        assert any("something_new" in text for text in model.warnings)


def test_close():
    model = tiny()
    state = model.state()
    model.close()
    model.close()
    assert model.closed and "closed" in repr(model)
    for use in (lambda: model.in_width, lambda: model.state(), lambda: model.tensors, lambda: model.hash(),
                lambda: model.__enter__(), lambda: model.tokenizer, lambda: model.text("x")):
        with pytest.raises(krait.ClosedError):
            use()
    assert list(state.step([1.0, 10.0])) == [21, 43, 65]    # states go on


def test_nothing_holds_a_model():
    model = krait.Model(MODELS / "s5-har.safetensors")
    handle = weakref.ref(model._handle)
    gone = weakref.ref(model)
    state = model.state()
    step = state.stepper(np.zeros(9, np.float32), np.zeros(6, np.float32))
    del model
    assert gone() is not None and handle() is not None      # the state names it
    del state
    step()
    assert handle() is not None
    del step
    gc.collect()
    assert gone() is None and handle() is None


def test_tensors(novels):
    tensors = novels.tensors
    assert len(tensors) > 80 and tensors["output_norm.weight"][1:] == ((256,), "F32")
    assert tensors["token_embd.weight"][1:] == ((256, 256), "Q8_0")
    assert all(tensor.data is None or tensor.data.readonly for tensor in tensors.values())


def test_views_of_weights_hold_the_model(motion):
    # No layer leaves its weights as they came so far, so the view is made of memory of the test's own.
    memory = ctypes.create_string_buffer(b"weights", 8)
    view = krait._model.view_of(ctypes.addressof(memory), 8, motion._handle)
    handle = weakref.ref(motion._handle)
    assert view.readonly and view.tobytes() == b"weights\0"
    motion.close()
    assert handle() is not None
    del view
    gc.collect()
    assert handle() is None


def test_copies_and_pickles(motion):
    assert copy.copy(motion) is motion and copy.deepcopy(motion) is motion
    again = pickle.loads(pickle.dumps(motion))
    assert again.id == motion.id and again is not motion
    with pytest.raises(TypeError, match="path"):
        pickle.dumps(tiny())


def test_pickle_of_a_file_that_changed(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes((MODELS / "s5-har.safetensors").read_bytes())
    kept = pickle.dumps(krait.Model(path, read=True))
    path.write_bytes((MODELS / "s4d-digits.safetensors").read_bytes())
    with pytest.raises(krait.ModelError, match="another model"):
        pickle.loads(kept)


def test_convert(tmp_path, motion, command):
    krait.convert(MODELS / "s5-har.safetensors", tmp_path / "ours.gguf", type="F16")
    command("convert", MODELS / "s5-har.safetensors", tmp_path / "theirs.gguf", "--type", "f16")
    assert (tmp_path / "ours.gguf").read_bytes() == (tmp_path / "theirs.gguf").read_bytes()
    with pytest.raises(krait.ArgumentError, match="type"):
        krait.convert(MODELS / "s5-har.safetensors", tmp_path / "x.gguf", type="f8")
    with pytest.raises(krait.ArgumentError, match="layout"):
        krait.convert(MODELS / "s5-har.safetensors", tmp_path / "x.gguf", layout="columns")
    with pytest.raises(krait.CancelledError):
        krait.convert(MODELS / "s5-har.safetensors", tmp_path / "x.gguf", progress=lambda *_: True)
    assert not (tmp_path / "x.gguf").exists()
