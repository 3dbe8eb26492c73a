"""NVIDIA's checker of memory and barriers on a small case of each mode of a scan."""

import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from .commands import last_lines, python, run

SCRIPT = Path(__file__).parent.parent / "gpu.py"
TOOLS = ("memcheck", "racecheck", "synccheck", "initcheck")
FOUND = 9  # its exit status if it found an error
SUMMARY = re.compile(r"^=+ (\w+ SUMMARY: .*)$", re.MULTILINE)


def items(size):
    return {"compute-sanitizer": check_all}


def check_all(seconds):
    """Return the findings of all tools, which run side by side: nothing is timed."""
    program = shutil.which("compute-sanitizer")
    if program is None:
        return {"left_out": "there is no compute-sanitizer"}
    with ThreadPoolExecutor(len(TOOLS)) as pool:
        rows = pool.map(partial(check, program, seconds), TOOLS)
        tools = dict(zip(TOOLS, rows, strict=True))
    return {"right": all(row["right"] for row in tools.values()), "tools": tools}


def check(program, seconds, tool):
    command = [program, "--tool", tool, "--error-exitcode", FOUND]
    small = ("--part", "correctness", "--size", "tiny", "--no-pool")
    status, text = run([*command, *python(SCRIPT, *small)], seconds)
    rows = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    right = [row["name"] for row in rows if row.get("right")]
    found = {"right": status == 0 and bool(right), "cases": right}
    if status is None:
        return found | {"summary": f"it had not ended after {seconds:.0f} s"}
    found["summary"] = SUMMARY.findall(text) or last_lines(text)
    if status:
        reports = [x for x in text.splitlines() if x.startswith("=====")]
        found["printed"] = "\n".join(reports[:40])
        found["at_the_end"] = last_lines(text, 10)
    return found
