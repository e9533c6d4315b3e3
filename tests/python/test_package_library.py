"""Which library is loaded, and what works without NumPy: each in a process of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import krait
from conftest import MODELS, ROOT

PATH = str(Path(krait.__file__).resolve().parent.parent)


def python(*words, **environment):
    return subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, cwd="/",
                          env=dict(os.environ, PYTHONPATH=PATH, **environment))


def test_without_numpy(novels):
    done = python(Path(__file__).resolve().parent / "package_plain.py", MODELS, "blocked")
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
