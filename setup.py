"""The kernels in C, an extension that is left out where it cannot be built.

Everything else stands in setup.cfg. TINYGRAD_RNN_BUILD=require makes a failed build an
error; TINYGRAD_RNN_BUILD=skip leaves the extension out. Where it was not built, a file
in its place, which `tg.kernels()` reads, says why. docs/install.md says more.
"""

import os
import shutil
import sysconfig
from glob import glob
from pathlib import Path
from zlib import crc32

import numpy as np
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.errors import BaseError, CCompilerError

SOURCE = "tinygrad_rnn/kernels/c/source"
# -O2 is as fast as -O3, as loops that count are unrolled by hand, and builds in three
# quarters of the time. No errno from sqrt, and products may be contracted with sums,
# also by clang.
FLAGS = ["-std=gnu11", "-O2", "-fno-math-errno", "-ffp-contract=fast"]
if "-g" not in os.environ.get("CFLAGS", ""):  # Python's own flags ask for it
    FLAGS.append("-g0")

build = os.environ.get("TINYGRAD_RNN_BUILD", "optional")
if build not in ("optional", "require", "skip"):
    raise SystemExit(f"TINYGRAD_RNN_BUILD is {build!r}, expected require or skip")
# A free-threaded Python has no stable ABI before 3.15.
stable_abi = not sysconfig.get_config_var("Py_GIL_DISABLED")


class BuildKernels(build_ext):
    """Build with clang-cl on Windows, as MSVC has no vector extensions."""

    why_not = ""

    def run(self):
        super().run()
        note_why_not(Path(self.get_ext_fullpath(extension.name)).parent, self.why_not)

    def build_extension(self, ext):
        try:
            if self.compiler.compiler_type == "msvc":
                self.compiler.initialize()
                self.compiler.cc = shutil.which("clang-cl") or "clang-cl"
                ext.extra_compile_args = [f"/clang:{flag}" for flag in FLAGS]
            super().build_extension(ext)
        except (BaseError, CCompilerError):
            unix = getattr(self.compiler, "compiler", None)
            self.why_not = explain(unix[0] if unix else "clang-cl")
            raise


class BuildWithoutKernels(build_py):
    """Say that the kernels in C were left out, where they would be."""

    def run(self):
        super().run()
        folder = "" if self.editable_mode else self.build_lib
        note_why_not(Path(folder, SOURCE).parent, SKIPPED)


SKIPPED = (
    "TINYGRAD_RNN_BUILD was skip when the package was installed; unset it, and install "
    "the package again"
)


def explain(compiler):
    """Return why a build failed, and the way out, on one line."""
    if not shutil.which(compiler):
        return (
            f"the C compiler {compiler} was not found; install one, or name another in "
            "the variable CC, and then install this package again"
        )
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        return (
            "Python.h is missing; install the system's package with Python's headers, "
            "such as python3-dev, and then this package again"
        )
    return (
        f"the build with {compiler} failed; in a clone, `TINYGRAD_RNN_BUILD=require "
        "python -m pip install .` shows its error"
    )


def note_why_not(folder, why):
    """Write why there are no kernels in C into their folder; nothing if there are."""
    note = folder / "not_built.txt"
    note.unlink(missing_ok=True)
    if why and folder.exists():
        note.write_text(f"{why}\n", encoding="utf-8")


def checksum():
    """Return that of the sources, by which kernels/choice.py knows an old build."""
    total = 0
    for file in sorted(Path(SOURCE).glob("*.[ch]")):
        total = crc32(file.read_bytes(), total)
    return total


macros = [("CHECKSUM", f"{checksum()}u")]
if stable_abi:
    macros.append(("Py_LIMITED_API", "0x030B0000"))
extension = Extension(
    "tinygrad_rnn.kernels.c._c",
    sources=[f"{SOURCE}/module.c", f"{SOURCE}/variants.c"],
    depends=glob(f"{SOURCE}/*.h"),
    include_dirs=[np.get_include()],
    define_macros=macros,
    extra_compile_args=FLAGS,
    py_limited_api=stable_abi,
    optional=build == "optional",
)
setup(
    ext_modules=[] if build == "skip" else [extension],
    cmdclass=(
        {"build_py": BuildWithoutKernels}
        if build == "skip"
        else {"build_ext": BuildKernels}
    ),
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if stable_abi else {},
)
