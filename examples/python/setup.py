"""A wheel that carries the library, for every Python 3 of one platform.

The library is compiled of one file, the amalgamation.  In a checkout `make amalgamation` makes it; the sdist
carries it in vendor/.  CC and CFLAGS as usual.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist
from setuptools.dist import Distribution

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
VENDOR = HERE / "vendor"
FILES = ("krait.c", "krait.h")


def in_checkout():
    return (ROOT / "include" / "krait.h").exists() and (ROOT / "Makefile").exists()


def vendor():
    """The amalgamation in vendor/, fresh in a checkout."""
    if in_checkout():
        environment = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
        subprocess.run(["make", "-C", str(ROOT), "amalgamation"], check=True, env=environment)
        VENDOR.mkdir(exist_ok=True)
        for name in FILES:
            shutil.copyfile(ROOT / ".build" / "amalgamation" / name, VENDOR / name)
        shutil.copyfile(ROOT / "LICENSE", HERE / "LICENSE")
    missing = [name for name in FILES if not (VENDOR / name).exists()]
    if missing:
        raise SystemExit(f"{VENDOR} has no {', '.join(missing)}: build in a checkout or from the sdist")


def version():
    header = ROOT / "include" / "krait.h" if in_checkout() else VENDOR / "krait.h"
    text = header.read_text(encoding="utf-8")
    return ".".join(re.search(rf"^#define KRAIT_VERSION_{part} +(\d+)", text, re.M).group(1)
                    for part in ("MAJOR", "MINOR", "PATCH"))


def library_name():
    if sys.platform == "win32":
        return "krait.dll"
    return "libkrait.dylib" if sys.platform == "darwin" else "libkrait.so"


def compile_library(target):
    vendor()
    compiler = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    flags = os.environ.get("CFLAGS") or "-O2"
    # -ffp-contract=off: each multiply-add that is fused stands in the text, and no other may be.
    command = [*shlex.split(compiler), *shlex.split(flags), "-std=c11", "-ffp-contract=off", "-shared",
               "-DKRAIT_SHARED", "-DKRAIT_BUILD", "-I", str(VENDOR), "-o", str(target),
               str(VENDOR / "krait.c")]
    if sys.platform != "win32":
        command += ["-fPIC", "-fvisibility=hidden", "-lm"]
    print(" ".join(command), flush=True)
    subprocess.run(command, check=True)


class Build(build_py):
    def run(self):
        super().run()
        if self.editable_mode:          # lib/ of the checkout is used, or KRAIT_LIBRARY
            return
        target = Path(self.build_lib) / "krait" / library_name()
        target.parent.mkdir(parents=True, exist_ok=True)
        compile_library(target)

    def get_outputs(self, include_bytecode=True):
        extra = [] if self.editable_mode else [os.path.join(self.build_lib, "krait", library_name())]
        return super().get_outputs(include_bytecode) + extra


class Source(sdist):
    def run(self):
        vendor()
        super().run()

    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        (Path(base_dir) / "vendor").mkdir(exist_ok=True)
        for name in FILES:
            shutil.copyfile(VENDOR / name, Path(base_dir) / "vendor" / name)


class Wheel(bdist_wheel):
    def finalize_options(self):
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self):
        return "py3", "none", super().get_tag()[2]


class Platform(Distribution):
    def has_ext_modules(self):
        return True


if in_checkout():
    shutil.copyfile(ROOT / "LICENSE", HERE / "LICENSE")
setup(version=version(), distclass=Platform,
      cmdclass={"build_py": Build, "sdist": Source, "bdist_wheel": Wheel})
