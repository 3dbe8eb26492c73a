"""The kernels in C, an extension that is left out where it cannot be built.

Everything else stands in setup.cfg. TINYGRAD_RNN_BUILD=require makes a failed build an
error; TINYGRAD_RNN_BUILD=skip leaves the extension out. docs/install.md says more.
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
    """Build with clang-cl on Windows: MSVC has no vector extensions."""

    def build_extensions(self):
        if self.compiler.compiler_type == "msvc":
            self.compiler.initialize()
            self.compiler.cc = shutil.which("clang-cl") or "clang-cl"
            for each in self.extensions:
                each.extra_compile_args = [f"/clang:{flag}" for flag in FLAGS]
        super().build_extensions()


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
    cmdclass={"build_ext": BuildKernels},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if stable_abi else {},
)
