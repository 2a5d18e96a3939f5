"""Counts the instructions that a fused NAdam step takes for a parameter with AVX2, by callgrind; fails above a limit.

    cmake --build build/cmake --target fused_instructions
    python bench/native/instructions.py [build/cmake/fused_instructions] [--limit 2.4]
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARAMETERS = 1 << 16


def instructions(program, steps):
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(program), str(steps)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    return int(re.search(r"refs:\s+([\d,]+)", output).group(1).replace(",", ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", nargs="?", default=ROOT / "build/cmake/fused_instructions")
    parser.add_argument("--limit", type=float, default=2.4)
    options = parser.parse_args()
    # Of two counts the difference is that of ten steps alone.
    counted = (instructions(options.program, 11) - instructions(options.program, 1)) / (10 * PARAMETERS)
    print(f"{counted:.3f} instructions a parameter, at most {options.limit}")
    sys.exit(counted > options.limit)


if __name__ == "__main__":
    main()
