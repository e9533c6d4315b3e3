"""Where the shipped models and the command are, for the tests of examples/python/krait.

They run against the krait that Python imports (an installed wheel, or PYTHONPATH=examples/python).  KRAIT_COMMAND
names the command, default lib/krait.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
MODELS = ROOT / "examples" / "models"

sys.path.insert(0, str(Path(__file__).resolve().parent))


@pytest.fixture(scope="session")
def command():
    path = Path(os.environ.get("KRAIT_COMMAND", ROOT / "lib" / "krait"))
    assert path.exists(), f"{path}: make builds it, KRAIT_COMMAND names another"

    def run(*words, **options):
        done = subprocess.run([str(path), *map(str, words)], capture_output=True, **options)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout
    return run


@pytest.fixture
def novels():
    import krait
    with krait.Model(MODELS / "mamba-novels.gguf") as model:
        yield model


@pytest.fixture
def motion():
    import krait
    with krait.Model(MODELS / "s5-har.safetensors") as model:
        yield model


@pytest.fixture
def digits():
    import krait
    with krait.Model(MODELS / "s4d-digits.safetensors") as model:
        yield model


@pytest.fixture
def images():
    import krait
    with krait.Model(MODELS / "vim-mnist.gguf") as model:
        yield model
