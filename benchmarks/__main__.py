"""Runs every benchmark after the other; each prints its own table of ratios, and none asserts anything.

python -m benchmarks [NAME …]        without names: all, some twenty minutes on two quiet cores
"""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
HELD_BY_OTHERS = {"__main__", "http_servers", "readout_by_hand", "readout_log"}


def names() -> list[str]:
    """The benchmarks of this folder."""
    return sorted(file.stem for file in FOLDER.glob("*.py") if file.stem not in HELD_BY_OTHERS)


def main(chosen: list[str]) -> int:
    """The number of benchmarks that could not run."""
    unknown = sorted(set(chosen) - set(names()))
    if unknown:
        print(f"no benchmark named {', '.join(unknown)}; there are {', '.join(names())}", file=sys.stderr)
        return len(unknown)
    failed = 0
    for name in chosen or names():
        print(f"\n== python -m benchmarks.{name}", flush=True)
        failed += (
            subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=FOLDER.parent, check=False).returncode != 0
        )
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
