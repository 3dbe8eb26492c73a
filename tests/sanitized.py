"""The kernels in C under AddressSanitizer and UndefinedBehaviorSanitizer.

    python tests/sanitized.py [--examples N]

builds the extension with both into a copy of the package, and runs the tests of the
kernels and N examples of the fuzz there. It fails without GCC and its sanitizers.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from planted import build_extension, compiler, copy_package

SANITIZERS = "address,undefined"
FLAGS = (f"-fsanitize={SANITIZERS}", "-fno-sanitize-recover=all", "-g1", "-O0")


def find_library():
    """Return the path of AddressSanitizer's library, which has to be loaded first."""
    command = [*compiler(), "-print-file-name=libasan.so"]
    path = subprocess.run(command, check=True, text=True, capture_output=True).stdout
    if not Path(path.strip()).is_absolute():
        raise SystemExit(f"{command[0]} has no AddressSanitizer")
    return path.strip()


def main():
    parser = argparse.ArgumentParser(description="Test the kernels under sanitizers.")
    parser.add_argument("--examples", type=int, default=1000, help="of the fuzz")
    parser.add_argument("--jobs", default="auto", help="how many tests at a time")
    args = parser.parse_args()
    environment = os.environ | {
        "LD_PRELOAD": find_library(),
        # Python does not free everything. A test asks for more memory than there is.
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "CI": "true",  # the same examples in each run
    }
    pytest = ["-m", "pytest", "-q", "-n", args.jobs]
    commands = [
        [*pytest, "tests/kernels/c"],
        # Large layers take long, and other tests run the same code.
        [*pytest, "tests/kernels/numpy", "-k", "(base or avx) and not threads"],
        ["tests/kernels/fuzz.py", "--examples", str(args.examples)],
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = copy_package(Path(name).resolve())
        build_extension(folder, *FLAGS)
        environment["PYTHONPATH"] = str(folder)
        for command in commands:
            command = [sys.executable, *command]
            subprocess.run(command, cwd=folder, env=environment, check=True)


if __name__ == "__main__":
    main()
