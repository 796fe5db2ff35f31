"""What validation costs: one file, a thousand files, both anew and once more, beside other checkers, and files that
grow."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import NamedTuple

from benchmarks.linters import Linter, installed
from benchmarks.table import Row, duration, show

COLD_RUNS = 21
LINTER_RUNS = 3
FILES = 1_000
STEPS = 20
SIZES = (500, 1_000, 2_000, 4_000)
PLACES = ("Lisbon", "Kyoto", "Bergen", "Valparaíso", "Tbilisi", "Ouro Preto", "Galle")
STYLES = ("watercolour", "linocut", "gouache", "35 mm film", "isometric line art")


class Cost(NamedTuple):
    """What a whole process took, in seconds."""

    elapsed: float
    cpu: float


class Commands(NamedTuple):
    """The command lines that are compared; files are added at their end."""

    nothing: list[str]
    flowdsl: list[str]
    peer: list[str] | None
    linters: list[Linter]


def main() -> None:
    """Measures all of it and prints a table of each."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        commands = _commands(folder)
        cold(folder, commands)
        many(folder, commands)
        beside(folder, commands)
    linear()


def cold(folder: Path, commands: Commands) -> None:
    """Whole processes that validate one small file, taking turns so that a busy moment hits all of them."""
    file = folder / "one.flow.yaml"
    file.write_text(flow_text(2, 0), encoding="utf-8")
    lines = {
        "python -c pass": commands.nothing,
        "flowdsl validate --no-cache": [*commands.flowdsl, "--no-cache", str(file)],
        "flowdsl validate, once more": [*commands.flowdsl, str(file)],
    }
    if commands.peer:
        lines["check-jsonschema"] = [*commands.peer, str(file)]
    times: dict[str, list[float]] = {name: [] for name in lines}
    for turn in range(COLD_RUNS + 1):
        for name, line in lines.items():
            cost = _run(line)
            if turn:  # the first compiles the modules
                times[name].append(cost.elapsed)
    targets = {"flowdsl validate --no-cache": "at most 4 x", "flowdsl validate, once more": "at most 3 x"}
    rows = []
    for name, found in times.items():
        ratio = f"{min(found) / min(times['python -c pass']):.1f} x python -c pass"
        if name in targets and commands.peer:
            ratio += f", {min(found) / min(times['check-jsonschema']):.2f} x check-jsonschema"
        rows.append(Row(name, (duration(min(found)), duration(median(found))), ratio, targets.get(name, "")))
    show(f"One file, {COLD_RUNS} processes each", ("least", "median"), rows)


def many(folder: Path, commands: Commands) -> None:
    """One command of each that validates all files, ours anew and once more; the time that passes is compared."""
    flows = folder / "flows"
    files = _written(flows, ".flow.yaml", FILES, lambda serial: flow_text(STEPS, serial))
    lines = {"flowdsl validate --no-cache": ["--no-cache"], "flowdsl validate, once more": []}
    costs = {
        name: min(_run([*commands.flowdsl, *options, str(flows)]) for _ in range(5)) for name, options in lines.items()
    }
    if commands.peer:
        costs["check-jsonschema"] = _run([*commands.peer, *map(str, files)])
    targets = dict(zip(lines, ("at least 25", "at least 100"), strict=True))
    rows = []
    for name, cost in costs.items():
        ratio = f"{costs['check-jsonschema'].elapsed / cost.elapsed:.1f} x as fast" if commands.peer else ""
        figures = (duration(cost.elapsed), duration(cost.cpu), duration(cost.elapsed / FILES))
        rows.append(Row(name, figures, ratio, targets.get(name, "")))
    show(f"{FILES:,} files of {STEPS} steps", ("elapsed", "CPU", "elapsed a file"), rows)


def beside(folder: Path, commands: Commands) -> None:
    """Whole processes of other checkers for one file and for several, each beside ours for as many files as long."""
    flows = _written(folder / "beside", ".flow.yaml", FILES, lambda serial: flow_text(STEPS, serial))
    command = [*commands.flowdsl, "--no-cache"]
    rows = []
    for linter in commands.linters:
        files = flows[: linter.files]
        if linter.text is not None:
            files = _written(folder / linter.name, ".yaml", linter.files, linter.text)
        figures: list[str] = []
        ratios = []
        for number in (1, len(files)):
            turns = [
                (_run([*command, *map(str, flows[:number])]).elapsed, _run(linter.line(files[:number])).elapsed)
                for _ in range(LINTER_RUNS)
            ]
            ours, theirs = map(min, zip(*turns, strict=True))
            ratios.append(theirs / ours)
            figures += (duration(theirs / number), duration(ours / number))
        ratio = f"{ratios[0]:.1f} x flowdsl for one, {ratios[1]:.1f} x for {len(files):,}"
        rows.append(Row(linter.name, (figures[0], figures[1], f"{len(files):,}", figures[2], figures[3]), ratio))
    if rows:
        columns = ("one file", "flowdsl", "files", "elapsed a file", "flowdsl")
        show(f"Other checkers on files as long as {STEPS} steps, beside flowdsl validate --no-cache", columns, rows)


def _written(folder: Path, suffix: str, number: int, text_of: Callable[[int], str]) -> list[Path]:
    """Files in a new folder, each with the text for its number."""
    folder.mkdir()
    files = [folder / f"{serial:04}{suffix}" for serial in range(number)]
    for serial, file in enumerate(files):
        file.write_text(text_of(serial), encoding="utf-8")
    return files


def linear() -> None:
    """The time a step takes in files of different length; each measurement has texts that no cache has seen."""
    import flowdsl

    environment = flowdsl.Environment()
    serial = count(FILES)

    def check(steps: int) -> float:
        text = flow_text(steps, next(serial))
        began = process_time()
        found = environment.check(text)
        elapsed = process_time() - began
        assert not any(finding.severity == "error" for finding in found)
        return elapsed

    check(SIZES[0])
    turns = [[check(steps) / steps for steps in SIZES] for _ in range(9)]
    costs = dict(zip(SIZES, map(min, zip(*turns, strict=True)), strict=True))
    first = costs[SIZES[0]]
    rows = [
        Row(f"{steps:,} steps", (duration(cost * steps), duration(cost)), f"{cost / first:.2f} a step", "about 1")
        for steps, cost in costs.items()
    ]
    show("Checking longer files, CPU time", ("file", "per step"), rows)


def flow_text(steps: int, serial: int) -> str:
    """A flow without mistakes: subjects that vary with `serial`, prompts made of them, and pictures of the prompts."""
    return "".join(_step(index, serial) for index in range(steps))


def _step(index: int, serial: int) -> str:
    number = serial + index // 4
    match index % 4:
        case 0:
            return f"- step: SET\n  place: {PLACES[number % len(PLACES)]}\n  weather: clear, {number % 35} degrees\n"
        case 1:
            style = STYLES[number % len(STYLES)]
            return (
                f"- step: SET\n  title: {style} number {serial}-{index}\n"
                f'  text: "{{{{ flowContext.place }}}} on a day that is {{{{ flowContext.weather }}}}, {style}"\n'
            )
        case 2:
            return (
                "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n"
                f'  instruction: "A postcard of {{{{ flowContext.place | upper }}}}, sheet {serial}-{index}"\n'
                f"  n: {1 + number % 4}\n  size: 1024x1024\n  outputKey: postcards_{index}\n"
            )
        case _:
            return (
                "- step: AZURE_OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n"
                '  monitorLabel: "Drawing {{ flowContext.title }}"\n'
                "  output_format: jpeg\n  output_compression: 80\n  quality: high\n  timeoutMs: 180000\n"
            )


def _commands(folder: Path) -> Commands:
    """The console scripts beside this interpreter, and the schema of the installed steps for the peers."""
    from flowdsl.environment import Environment
    from flowdsl.reference.schema import schema_files

    registry = Environment().registry
    schema = folder / "flow.schema.json"
    specs = [spec for name in registry if (spec := registry.spec(name)) is not None]
    schema.write_text(schema_files(specs, {})["flow.schema.json"], encoding="utf-8")
    scripts = Path(sys.executable).parent
    peer = scripts / "check-jsonschema"
    return Commands(
        [sys.executable, "-c", "pass"],
        [str(scripts / "flowdsl"), "validate"],
        [str(peer), "--schemafile", str(schema)] if peer.exists() else None,
        list(installed(schema)),
    )


def _run(command: Sequence[str]) -> Cost:
    """Runs a whole process.

    Raises:
        SystemExit: it found mistakes, or failed.
    """
    began, before = perf_counter(), os.times()
    done = subprocess.run(command, capture_output=True, text=True, env=_environ(), check=False)
    elapsed, after = perf_counter() - began, os.times()
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:3])} ended with {done.returncode}: {(done.stdout + done.stderr)[:2000]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(elapsed, cpu)


def _environ() -> dict[str, str]:
    """The environment without the setting that keeps Python from storing compiled modules."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


if __name__ == "__main__":
    main()
