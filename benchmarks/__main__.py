"""`python -m benchmarks [NAME ...]`: runs those of `NAMES`, or all of them."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from importlib import import_module

NAMES = ("steps", "validate", "dataflow", "templates", "images", "first_byte", "journal", "batch", "report", "gateway")


def main() -> None:
    """Runs the benchmarks that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="How fast flowdsl is beside its peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}; all when none is given")
    chosen = parser.parse_args().names or list(NAMES)
    if unknown := [name for name in chosen if name not in NAMES]:
        parser.error(f"there is no benchmark `{unknown[0]}`: choose from {', '.join(NAMES)}")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else every child process would compile its imports again
    machine = f"{platform.machine()}, {os.cpu_count()} CPUs"
    print(f"Python {platform.python_version()} on {machine}; ratios count, times orient", flush=True)
    if len(chosen) == 1:
        import_module(f"benchmarks.{chosen[0]}").main()
        return
    for name in chosen:  # each in a process of its own: a large parent would count into the peak memory of its children
        subprocess.run([sys.executable, "-c", f"import benchmarks.{name} as b; b.main()"], check=True)


if __name__ == "__main__":
    main()
