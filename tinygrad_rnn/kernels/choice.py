"""Which kernels a CPU uses: those in C, if they have been built, or NumPy's."""

import os
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from zlib import crc32

from ..errors import OptionError
from . import numpy

VARIABLE = "TINYGRAD_RNN_KERNELS"
INSTRUCTION_SETS = ("avx512", "avx2", "base")  # the best first
OUTDATED = "built from other sources than these; install the package again"
FOLDER = Path(__file__).parent / "c"


@dataclass(frozen=True, repr=False)
class KernelsInUse:
    """Which kernels are in use on a CPU, and why not the others.

    Attributes:
        language: "C" or "NumPy".
        instruction_set: "avx512", "avx2" or "base" (SSE2, or NEON on arm64); "" for
            NumPy's.
        others: by the name that ``TINYGRAD_RNN_KERNELS`` takes, why those are not in
            use.
    """

    language: str
    instruction_set: str
    others: dict[str, str]

    @property
    def summary(self) -> str:
        """What is in use, on one line."""
        if self.language == "C":
            return f"C, {self.instruction_set}"
        return f"NumPy (C: {self.others['c']})"

    def __repr__(self) -> str:
        used = self.language + (self.instruction_set and f", {self.instruction_set}")
        rows = [f"kernels in use on a CPU: {used}"]
        rows += [f"  not {name}: {why}" for name, why in self.others.items()]
        return "\n".join(rows)


def choose(wanted: str) -> tuple[ModuleType, KernelsInUse]:
    """Return the module of kernels for a CPU, and which they are.

    Args:
        wanted: the value of ``TINYGRAD_RNN_KERNELS``.

    Raises:
        OptionError: if these kernels do not exist, were not built, or need instructions
            that the processor lacks.
    """
    if wanted not in ("", "numpy", "c", *INSTRUCTION_SETS):
        names = ", ".join(INSTRUCTION_SETS)
        raise OptionError(
            f"{VARIABLE} is {wanted!r}, expected numpy, c, or one of {names}"
        )
    if wanted == "numpy":
        why = f"{VARIABLE}=numpy"
        return numpy, KernelsInUse("NumPy", "", {"c": why})
    try:
        from . import c
        from .c import _c
    except (ImportError, AttributeError) as error:
        why = _why_not_c(error)
        if wanted:
            why += "; see docs/install.md, or leave it out"
            raise OptionError(f"{VARIABLE} is {wanted!r}, but C is {why}") from None
        return numpy, KernelsInUse("NumPy", "", {"c": why})
    if _is_outdated(_c):
        why = _why_outdated()
        if wanted:
            raise OptionError(f"{VARIABLE} is {wanted!r}, but C is {why}")
        return numpy, KernelsInUse("NumPy", "", {"c": why})
    supported = _c.instruction_sets()
    wanted_set = wanted if wanted in INSTRUCTION_SETS else ""
    if wanted_set and not supported.get(wanted_set):
        found = ", ".join(name for name in supported if supported[name])
        why = f"this processor does not have it; it has {found}"
        raise OptionError(f"{VARIABLE} is {wanted!r}, but {why}")
    used = _c.use(wanted_set)
    return c, KernelsInUse("C", used, _why_not(used, wanted, supported))


def _why_not_c(error: Exception) -> str:
    """Return why the extension cannot be imported, and the way out."""
    if isinstance(error, AttributeError):  # it lacks what is new
        return _why_outdated()
    if any(FOLDER.glob("_c.*.so")) or any(FOLDER.glob("_c*.pyd")):
        return f"built, but cannot be loaded: {error}"
    if note := _read_note():
        return f"not built: {note}"
    if (FOLDER / "source").exists():
        return "not built in this checkout; `python -m pip install -e .` builds it"
    return "not part of this wheel; docs/install.md says how to build it"


def _why_outdated() -> str:
    """Return what is said of an extension built from other sources."""
    note = _read_note()
    return (
        f"built from other sources, and not built again: {note}" if note else OUTDATED
    )


def _read_note() -> str:
    """Return why setup.py built no extension last time; "" if it did."""
    file = FOLDER / "not_built.txt"
    return file.read_text(encoding="utf-8").strip() if file.exists() else ""


def _is_outdated(module: ModuleType) -> bool:
    """Return whether an extension was built from other sources than are here now.

    So it is in a checkout that has changed since `pip install -e`; wheels have none.
    """
    files = sorted((FOLDER / "source").glob("*.[ch]"))
    if not files:
        return False
    total = 0
    for file in files:
        total = crc32(file.read_bytes(), total)
    found: int = module.checksum() if hasattr(module, "checksum") else -1
    return found not in (0, total)


def _why_not(used: str, wanted: str, supported: dict[str, bool]) -> dict[str, str]:
    """Return why kernels other than those in C for one instruction set are not used."""
    others = {}
    for name in INSTRUCTION_SETS:
        if name not in supported:
            others[name] = "not for this kind of processor"
        elif not supported[name]:
            others[name] = "this processor does not have it"
        elif name != used:
            is_best = wanted != used
            others[name] = f"{used} is faster" if is_best else f"{VARIABLE}={wanted}"
    return others | {"numpy": f"C is faster; {VARIABLE}=numpy chooses NumPy's"}


module, in_use = choose(os.environ.get(VARIABLE, ""))


def kernels() -> KernelsInUse:
    """Return which kernels are in use on a CPU, and why not the others.

    Kernels are the inner loops of recurrent layers, losses, normalization, clipping and
    Adam. Those in C are used if they have been built, with the best instruction set
    that the processor has, else those on NumPy. The environment variable
    ``TINYGRAD_RNN_KERNELS`` chooses others when the package is imported: ``numpy``;
    ``c``, which raises if they have not been built; or an instruction set, ``base``,
    ``avx2`` or ``avx512``.

    Returns:
        An object that says so when it is printed, with the attributes ``language``,
        "C" or "NumPy", ``instruction_set``, ``others``, a dict of why not, and
        ``summary``, one line.

    Example:
        >>> import tinygrad_rnn as tg
        >>> tg.kernels().language in ("C", "NumPy")
        True
    """
    return in_use
