"""`flowdsl provenance`: where a picture comes from, what of that is proved, and what does not fit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from flowdsl.cli.arguments import Parser, flag
from flowdsl.cli.flow_files import flow_source
from flowdsl.cli.journaled import state_of
from flowdsl.display.visible import visible_line
from flowdsl.errors import UsageError
from flowdsl.image.manifest import NAME
from flowdsl.image.shelf import ORIGINALS

if TYPE_CHECKING:
    from flowdsl.journal.runs import KeptRun, Request

EXAMPLES = (
    "flowdsl provenance pictures/coast-1.png",
    "flowdsl provenance pictures/coast-1.png coast.flow.yaml",
)
_ABOUT = """\
Looks at the bytes of the file, at the manifest of its folder, and at the journal of the project. What two of them say \
alike is proved as far as nobody has changed both; what only the file says of itself anybody can write."""
_TOLD = {
    "Iptc4xmpExt:AISystemUsed": "model",
    "flowdsl:flow": "flow",
    "flowdsl:step": "step",
    "flowdsl:requestId": "request",
    "xmp:CreateDate": "made",
    "Iptc4xmpExt:AIPromptInformation": "prompt",
}
_LONG = 100


class Finding(NamedTuple):
    """One thing that is known: `proved`, `claimed`, or it `differs`."""

    kind: str
    text: str


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 where something does not fit, or nothing is known of the picture."""
    options = parser().parse(arguments)
    path = Path(options.image)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    found = list(_findings(path, content, options.flow))
    if options.json:
        print(json.dumps([finding._asdict() for finding in found], indent=2, ensure_ascii=False))
    else:
        for finding in found:
            print(f"{finding.kind:8}  {visible_line(finding.text)}")
        if not found:
            print(f"nothing is known of {visible_line(str(path))}: no manifest lists it, and it says nothing of itself")
    return 1 if not any(finding.kind == "proved" for finding in found) or _differs(found) else 0


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("provenance", f"{COMMANDS['provenance']} {_ABOUT}", EXAMPLES)
    parser.add_argument("image", metavar="IMAGE", help="the file of a picture")
    parser.add_argument("flow", nargs="?", metavar="FLOW", help="the flow that it is said to come from")
    flag(parser, "--json", help="print it as JSON")
    return parser


def _differs(found: Sequence[Finding]) -> bool:
    return any(finding.kind == "differs" for finding in found)


def _findings(path: Path, content: bytes, flow: str | None) -> Iterator[Finding]:
    from flowdsl.image.told import told

    digest = hashlib.sha256(content).hexdigest()
    line = _line(path, digest)
    said = told(content)
    if line is not None:
        yield from _of_bytes(path, digest, line)
        yield from _of_line(line)
    for name, label in _TOLD.items():
        if name in said:
            yield from _of_claim(label, said[name], line)
    if line is not None:
        yield from _of_journal(line, digest, flow)
    elif flow is not None:
        yield Finding("differs", "no manifest lists the picture, so nothing ties it to the flow")


def _line(path: Path, digest: str) -> dict[str, Any] | None:
    """The line of the manifest for a picture: by its bytes, else by its name."""
    folder = path.absolute().parent
    folder = folder.parent if folder.name == ORIGINALS else folder
    try:
        images = json.loads((folder / NAME).read_text(encoding="utf-8"))["images"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    lines: list[dict[str, Any]] = [line for line in images if isinstance(line, dict)]
    by_name = [line for line in lines if line.get("file") == path.name]
    by_bytes = [line for line in lines if digest in (line.get("sha256"), line.get("file_sha256"))]
    both = [line for line in by_name if line in by_bytes]
    return next(iter((*both, *by_bytes, *by_name)), None)


def _of_bytes(path: Path, digest: str, line: dict[str, Any]) -> Iterator[Finding]:
    if digest == line.get("sha256"):
        yield Finding("proved", "its bytes are those that the service sent, as the manifest has them")
    elif digest == line.get("file_sha256"):
        yield Finding("proved", "its bytes are those that the run wrote, with metadata, as the manifest has them")
    else:
        yield Finding("differs", "its bytes are not those of the manifest: the file was changed after the run")
    folder = path.absolute().parent
    folder = folder.parent if folder.name == ORIGINALS else folder
    original = folder / str(line.get("original"))
    try:
        kept = hashlib.sha256(original.read_bytes()).hexdigest()
    except OSError:
        yield Finding("claimed", "the bytes as the service sent them are not kept any more")
        return
    if kept != line.get("sha256"):
        yield Finding("differs", f"the bytes that were kept as the service sent them have changed: {original}")


def _of_line(line: dict[str, Any]) -> Iterator[Finding]:
    parts = [f"{name} {line[name]}" for name in ("model", "service", "size", "quality", "made", "run") if name in line]
    if parts:
        yield Finding("claimed", f"the manifest says: {', '.join(parts)}")
    if prompt := line.get("prompt"):
        yield Finding("claimed", f"the manifest has the prompt: {_short(prompt)}")


def _of_claim(label: str, value: str, line: dict[str, Any] | None) -> Iterator[Finding]:
    known = None if line is None else line.get({"request": "request_id"}.get(label, label))
    if known is None or label in ("step", "made"):
        yield Finding("claimed", f"the file says of itself: {label} {_short(value)}")
    elif str(known) == value:
        yield Finding("proved", f"the file and the manifest name the same {label}: {_short(value)}")
    else:
        yield Finding("differs", f"the file says {label} {_short(value)}, and the manifest {_short(str(known))}")


def _of_journal(line: dict[str, Any], digest: str, flow: str | None) -> Iterator[Finding]:
    from flowdsl.journal.journal import Journal

    with Journal(state_of("<provenance>")) as journal:
        try:
            run = journal.runs.find(str(line.get("run")))
        except UsageError:
            yield Finding("claimed", "the journal of this project does not have its run")
            if flow is not None:
                yield Finding("differs", "without its run nothing ties it to the flow")
            return
        yield from _of_run(run, journal.runs.requests(run.id), line)
    if flow is not None:
        from flowdsl.journal.steps import text_digest

        same = text_digest(flow_source(flow).text) == run.flow_sha256
        yield (
            Finding("proved", f"{flow} is the flow of that run, byte for byte")
            if same
            else Finding("differs", f"{flow} is not the flow of that run: another file, or changed since")
        )


def _of_run(run: KeptRun, requests: Sequence[Request], line: dict[str, Any]) -> Iterator[Finding]:
    made = [request for request in requests if line.get("sha256") in request.pictures]
    if not made:
        yield Finding("differs", f"the run {run.id} has no request that made it")
        return
    request = made[0]
    asked = request.request if isinstance(request.request, dict) else {}
    kind = "a simulator" if run.simulated else str(request.service)
    cost = "" if request.cost_usd is None else f" for ${request.cost_usd:.4f}"
    yield Finding("proved", f"the journal has the request that bought it{cost}: {kind}, {request.model}, run {run.id}")
    for name, known in (("model", request.model), ("prompt", asked.get("prompt"))):
        if line.get(name) is not None and known is not None and line[name] != known:
            yield Finding("differs", f"the manifest has {name} {_short(line[name])}, and the journal {_short(known)}")


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"
