"""How fast a text becomes a file of ids: ``python benchmarks/encode.py``.

It writes a text of the size asked for into a temporary folder, and times encode_file by
the clock and by the CPU. The file is as fast as the disk: choose that by ``--folder``.
"""

import argparse
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))

from pydoc_data.topics import topics

import tinygrad_rnn as tg


def write_text(path: Path, size: int) -> int:
    """Write a text of about so many bytes, and return the number of its characters."""
    block = "\n".join(topics.values()) + "größer, больше, 天地玄黃 😀\n"
    repetitions = max(1, round(size / len(block.encode())))
    with path.open("w", encoding="utf-8", newline="") as file:
        for _ in range(repetitions):
            file.write(block)
    return repetitions * len(block)


def main(argv: list[str]) -> None:
    """Measure, and print a line for each way to count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mb", type=float, default=500, help="size of the text")
    parser.add_argument("--folder", type=Path, help="where to write; needs twice that")
    options = parser.parse_args(argv)
    with TemporaryDirectory(dir=options.folder) as folder:
        text, out = Path(folder, "text.txt"), Path(folder, "text.ids")
        count = write_text(text, round(options.mb * 1e6))
        begun, cpu = time.perf_counter(), time.process_time()
        vocabulary = tg.data.encode_file(text, out)
        took, cpu = time.perf_counter() - begun, time.process_time() - cpu
        size = text.stat().st_size / 1e6
        print(f"{count:,} characters, {len(vocabulary)} distinct, {size:,.0f} MB")
        millions = count / 1e6
        print(f"by the clock: {took:.1f} s, {millions / took:.1f} million characters/s")
        print(f"by the CPU:   {cpu:.1f} s, {millions / cpu:.1f} million characters/s")


if __name__ == "__main__":
    main(sys.argv[1:])
