"""Builds the wheel, installs it into a fresh environment outside the checkout, and runs a flow there.

Run by `make check`. It finds files that a checkout has and a wheel lacks: the grammar, the catalogue, py.typed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> int:
    """Exit status 0 when the installed wheel checks and runs the example."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(work), str(ROOT)], work)
        (wheel,) = work.glob("*.whl")
        venv.create(work / "venv", with_pip=True)
        python = work / "venv" / "bin" / "python"
        pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
        run([*pip, "install", "--require-hashes", "--no-deps", "-r", str(ROOT / "lock" / "demo.txt")], work)
        run([*pip, "install", "--no-deps", str(wheel)], work)
        run([*pip, "check"], work)
        flow = work / "skyline.flow.yaml"
        flow.write_text((ROOT / "examples" / "skyline.flow.yaml").read_text())
        command = [str(work / "venv" / "bin" / "flowdsl")]
        run([*command, "validate", str(flow)], work)
        outputs = json.loads(
            run([*command, "run", str(flow), "--simulate", "--json", "--out", str(work / "out")], work)
        )
        pictures = [Path(item["path"]) for value in outputs.values() if isinstance(value, list) for item in value]
        if len(pictures) != 2 or not all(path.read_bytes().startswith(b"\x89PNG") for path in pictures):
            print(f"the installed wheel made {pictures}, and two PNG files were expected", file=sys.stderr)
            return 1
        typed = [name for name in ("flowdsl", "flowdsl_steps") if not list((work / "venv").rglob(f"{name}/py.typed"))]
        if typed:
            print(f"py.typed is missing in {', '.join(typed)}", file=sys.stderr)
            return 1
    print("the wheel works outside the checkout")
    return 0


def run(command: list[str], folder: Path) -> str:
    """The standard output of a command that must succeed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"$ {' '.join(command)}\n{done.stdout}{done.stderr}", file=sys.stderr)
        raise SystemExit(1)
    return done.stdout


if __name__ == "__main__":
    raise SystemExit(main())
