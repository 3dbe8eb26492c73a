"""The kernels in C, an extension that is left out where it cannot be built.

Everything else stands in setup.cfg. TINYGRAD_RNN_BUILD=require makes a failed build an
error; TINYGRAD_RNN_BUILD=skip leaves the extension out.
"""

import os
import sysconfig
from glob import glob

from setuptools import Extension, setup

SOURCE = "tinygrad_rnn/kernels/c/source"
build = os.environ.get("TINYGRAD_RNN_BUILD", "optional")
if build not in ("optional", "require", "skip"):
    raise SystemExit(f"TINYGRAD_RNN_BUILD is {build!r}, expected require or skip")
# A free-threaded Python has no stable ABI before 3.15.
stable_abi = not sysconfig.get_config_var("Py_GIL_DISABLED")

extension = Extension(
    "tinygrad_rnn.kernels.c._c",
    sources=[f"{SOURCE}/module.c", f"{SOURCE}/variants.c"],
    depends=glob(f"{SOURCE}/*.h"),
    define_macros=[("Py_LIMITED_API", "0x030B0000")] if stable_abi else [],
    # No errno from sqrt, and products may be contracted with sums, also by clang.
    extra_compile_args=["-std=gnu11", "-O3", "-fno-math-errno", "-ffp-contract=fast"],
    py_limited_api=stable_abi,
    optional=build == "optional",
)
setup(
    ext_modules=[] if build == "skip" else [extension],
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if stable_abi else {},
)
