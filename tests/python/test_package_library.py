"""Which library is loaded, and what works without NumPy: each in a process of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import krait
from conftest import MODELS, ROOT

PATH = str(Path(krait.__file__).resolve().parent.parent)

PLAIN = r"""
import array, sys
if sys.argv[2] == "blocked":
    sys.modules["numpy"] = None
import krait
assert krait._arrays.numpy is None
model = krait.Model(sys.argv[1] + "/mamba-novels.gguf")
print("".join(model.generate("It was ", tokens=20)))
state = model.state()
rows = state.run([65, 66, 67])
assert type(rows) is memoryview and rows.shape == (3, 256) and rows.format == "f"
again = model.state()
for i, token in enumerate((65, 66, 67)):
    row = again.step(token)
    assert row.shape == (256,) and row.tolist() == rows.tolist()[i]
assert krait.sample(row) == max(range(256), key=lambda i: row[i])
assert state.run(array.array("i", [1, 2]), rows="last").shape == (256,)
assert state.run([], rows="none").nbytes == 0
out = array.array("f", [0] * 256)
assert again.step(1, out=out) is out and out[0] != 0
token = array.array("i", [2])
two = model.state(lanes=2)
assert two.step([1, 2]).shape == (2, 256)
step = again.stepper(memoryview(token).cast("B").cast("i", shape=[1]), memoryview(bytearray(1024)).cast("B").cast("f", shape=[1, 256]))
step()
assert again.hash() == state.hash()
part = state.parts["layers.0.mixer.ssm"][0]
assert part.shape == (512, 16) or part.nbytes == 512 * 16 * 4
assert len(state.data) == 389120
state.parts["layers.0.mixer.ssm"][0] = part
motion = krait.Model(sys.argv[1] + "/s5-har.safetensors")
assert motion.state().run([[0.0] * 9] * 3).shape == (3, 6)
assert motion.state().step([0.0] * 9).shape == (6,)
held = motion.state().run_result([[float("nan")] + [0.0] * 8], nan="hold").held
assert held[0] == 1
try:
    state.numpy()
except ImportError:
    pass
else:
    raise AssertionError
print("plain")
"""


def python(*words, **environment):
    return subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, cwd="/",
                          env=dict(os.environ, PYTHONPATH=PATH, **environment))


def test_without_numpy(tmp_path, novels):
    (tmp_path / "plain.py").write_text(PLAIN)
    done = python(tmp_path / "plain.py", MODELS, "blocked")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "plain"
    assert done.stdout.startswith("".join(novels.generate("It was ", tokens=20)))


def test_another_library(tmp_path):
    path = tmp_path / "another.so"
    shutil.copyfile(krait._lib._name, path)
    done = python("-c", "import krait; print(krait._lib._name, krait.version())", KRAIT_LIBRARY=str(path))
    assert done.stdout.split() == [str(path), krait.version()], done.stderr


def test_no_library(tmp_path):
    done = python("-c", "import krait", KRAIT_LIBRARY=str(tmp_path / "none.so"))
    assert done.returncode != 0 and "ImportError" in done.stderr and "none.so" in done.stderr
    (tmp_path / "text.so").write_text("no library")
    done = python("-c", "import krait", KRAIT_LIBRARY=str(tmp_path / "text.so"))
    assert "ImportError" in done.stderr and "text.so" in done.stderr


def test_another_abi(tmp_path):
    (tmp_path / "abi.c").write_text("int krait_abi(void) { return 77; }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(tmp_path / "abi.so"), str(tmp_path / "abi.c")],
                   check=True)
    done = python("-c", "import krait", KRAIT_LIBRARY=str(tmp_path / "abi.so"))
    assert "ImportError" in done.stderr and "77" in done.stderr


def test_version():
    header = (ROOT / "include" / "krait.h").read_text()
    parts = [line.split()[2] for line in header.splitlines() if line.startswith("#define KRAIT_VERSION_")]
    assert krait.version() == ".".join(parts) == krait.__version__
    assert krait.numerics() >= 1 and krait.build()
