"""`flowdsl provenance`: where a picture comes from, what of that is proved, and what does not fit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from flowdsl.cli.absent_files import check_not_several_absent
from flowdsl.cli.arguments import Parser, file_to_read, flag
from flowdsl.cli.flow_files import flow_source
from flowdsl.cli.journaled import state_of
from flowdsl.display.visible import visible_line
from flowdsl.errors import UsageError
from flowdsl.image.shelf import ORIGINALS
from flowdsl.nearest import nearest

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
_HEAD = 32 * 1024


class Finding(NamedTuple):
    """One thing that is known: `proved`, `claimed`, or it `differs`."""

    kind: str
    text: str


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 where something does not fit, or nothing is known of the picture."""
    options = parser().parse(arguments)
    check_not_several_absent(options)
    path = Path(options.image)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}{_meant(path)}") from error
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
    parser.add_argument("image", type=file_to_read, metavar="IMAGE", help="the file of a picture")
    parser.add_argument("flow", nargs="?", metavar="FLOW", help="the flow that it is said to come from")
    flag(parser, "--json", help="print it as JSON")
    return parser


def _meant(path: Path) -> str:
    """Which picture is likely meant by a path that is none."""
    from flowdsl.cli.ready_flow import IMAGES

    if path.is_dir():
        return ": name a picture in it"
    there = path.parent / IMAGES / path.name
    with suppress(OSError):
        near = nearest(path.name, [each.name for each in path.parent.iterdir() if each.is_file()])
        there = there if there.is_file() or near is None else path.with_name(near)
    return f"; did you mean `{there}`?" if there.is_file() else ""


def _differs(found: Sequence[Finding]) -> bool:
    return any(finding.kind == "differs" for finding in found)


def _findings(path: Path, content: bytes, flow: str | None) -> Iterator[Finding]:
    from flowdsl.image.told import told

    picture = _look(path, content)
    line, said = picture.line, told(content)
    if line is not None:
        yield from _of_bytes(picture, line, bool(said))
        yield from _of_line(line)
    for name, label in _TOLD.items():
        if name in said:
            yield from _of_claim(label, said[name], line)
    yield from _of_journal(picture, said.get("flowdsl:requestId"), flow)


class _Picture(NamedTuple):
    """A file: the SHA-256 of its bytes, those of what it was before its metadata were put in, its line in a manifest,
    and what of it is that of the line: `file`, `original`, `without` (its bytes without metadata), `pixels`, or
    nothing (empty)."""

    path: Path
    digest: str
    befores: tuple[str, ...]
    line: dict[str, Any] | None
    same: str


def _look(path: Path, content: bytes) -> _Picture:
    from flowdsl.image.formats import media_type
    from flowdsl.image.metadata import without_packet

    mime = media_type(content[:_HEAD])
    if mime is None:
        raise UsageError(f"{path} is no picture")
    digest = _sha256(content)
    befores = tuple(_sha256(each) for each in without_packet(mime, content))
    line = _line(path, (digest, *befores))
    if line is None:
        return _Picture(path, digest, befores, None, "")
    original = line.get("sha256")
    same = {original: "original", line.get("file_sha256"): "file"}.get(digest, "without" if original in befores else "")
    if not same and (kept := _kept(path, line)) is not None and _sha256(kept) == original:
        same = "pixels" if _same_pixels(content, kept) else ""
    return _Picture(path, digest, befores, line, same)


def _line(path: Path, digests: Sequence[str]) -> dict[str, Any] | None:
    """The line of the manifest for a picture: by its bytes, else by its name."""
    from flowdsl.image.listed import listed

    try:
        lines = list(listed(_folder(path)))
    except (OSError, ValueError):
        return None
    by_name = [line for line in lines if line.get("file") == path.name]
    by_bytes = [line for line in lines if line.get("sha256") in digests or line.get("file_sha256") in digests]
    both = [line for line in by_name if line in by_bytes]
    return next(iter((*both, *by_bytes, *by_name)), None)


def _folder(path: Path) -> Path:
    folder = path.absolute().parent
    return folder.parent if folder.name == ORIGINALS else folder


def _kept(path: Path, line: dict[str, Any]) -> bytes | None:
    """The bytes as the service sent them, where they are kept."""
    try:
        return (_folder(path) / str(line.get("original"))).read_bytes()
    except OSError:
        return None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _same_pixels(one: bytes, other: bytes) -> bool | None:
    """Whether two files show the same; None where Pillow is not there, or cannot say."""
    from flowdsl.report.pillow import is_there, quietly, read

    def compared() -> bool:
        import io

        from PIL import Image

        first, second = (Image.open(io.BytesIO(each)).convert("RGBA") for each in (one, other))
        return first.size == second.size and first.tobytes() == second.tobytes()

    with quietly():
        return read(compared) if is_there() else None


def _of_bytes(picture: _Picture, line: dict[str, Any], has_metadata: bool) -> Iterator[Finding]:
    gone = "" if has_metadata or picture.same == "original" else ", and its metadata are gone"
    if picture.same == "original":
        yield Finding("proved", "its bytes are those that the service sent, as the manifest has them")
    elif picture.same == "file":
        yield Finding("proved", "its bytes are those that the run wrote, with metadata, as the manifest has them")
    elif picture.same == "without":
        yield Finding("proved", "without its metadata its bytes are those that the service sent")
        yield Finding("differs", "its metadata are not those that the run wrote: they were changed after it")
    elif picture.same == "pixels":
        yield Finding("proved", "its pixels are those that the service sent")
        yield Finding("differs", f"the file was written anew after the run{gone}")
    else:
        yield Finding("differs", f"its bytes are not those of the manifest: the file was changed after the run{gone}")
    kept = _kept(picture.path, line)
    if kept is None:
        yield Finding("claimed", "the bytes as the service sent them are not kept any more")
    elif _sha256(kept) != line.get("sha256"):
        original = _folder(picture.path) / str(line.get("original"))
        yield Finding("differs", f"the bytes that were kept as the service sent them have changed: {original}")


def _of_line(line: dict[str, Any]) -> Iterator[Finding]:
    parts = [f"{name} {line[name]}" for name in ("model", "service", "size", "quality", "made", "run") if name in line]
    if parts:
        simulated = ", simulated" if line.get("simulated") is True else ""
        yield Finding("claimed", f"the manifest says: {', '.join(parts)}{simulated}")
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


def _of_journal(picture: _Picture, claimed: str | None, flow: str | None) -> Iterator[Finding]:
    """What the journal has of the picture: of the run that its line names, else by its bytes."""
    from flowdsl.journal.journal import Journal
    from flowdsl.journal.steps import text_digest

    line, digest = picture.line, None if flow is None else text_digest(flow_source(flow).text)
    with Journal(state_of(str(picture.path))) as journal:
        run = None
        try:
            run = journal.runs.find(str(line.get("run"))) if line is not None else None
        except UsageError:
            yield Finding("claimed", "the journal of this project does not have its run")
        if run is None:  # several may have brought the same bytes: the one that fits best
            brought = list(journal.runs.of_picture((picture.digest, *picture.befores)))
            brought.sort(key=lambda each: (each[1].request_id != claimed, each[0].flow_sha256 != digest))
            run = brought[0][0] if brought else None
        if run is not None:
            yield from _of_run(run, journal.runs.requests(run.id), picture, claimed)
    if flow is None:
        return
    if run is None:
        why = (
            "no manifest lists the picture, and the journal does not have it"
            if line is None
            else "its run is not known"
        )
        yield Finding("differs", f"{why}: nothing ties it to the flow")
    elif digest == run.flow_sha256:
        yield Finding("proved", f"{flow} is the flow of that run, byte for byte")
    else:
        yield Finding("differs", f"{flow} is not the flow of that run: another file, or changed since")


def _of_run(run: KeptRun, requests: Sequence[Request], picture: _Picture, claimed: str | None) -> Iterator[Finding]:
    line = picture.line or {}
    known = {line.get("sha256")} if line else {picture.digest, *picture.befores}
    request = next((each for each in requests if known & set(each.pictures)), None)
    if request is None:
        gone = (
            ": `flowdsl runs gc` may have removed what it kept" if not any(each.pictures for each in requests) else ""
        )
        yield Finding("claimed" if gone else "differs", f"the run {run.id} has no request that made it{gone}")
        return
    usd = "" if request.cost_usd is None else f"${request.cost_usd:.4f}"
    several = f", with {len(request.pictures) - 1} more" if len(request.pictures) > 1 else ""
    bought = f"the request that bought it{several}{usd and f' for {usd}'}: {request.service}"
    if run.simulated:  # nothing was paid, and no service asked
        bought = f"the request that made it{several}, simulated{usd and f', would cost {usd}'}: a simulator"
    bought = f"{bought}, {request.model}, run {run.id}"
    if line and not picture.same:
        yield Finding("claimed", f"the journal has {bought}; but the file is not what came then")
    else:
        yield Finding("proved", f"the journal has {bought}")
    asked = request.request if isinstance(request.request, dict) else {}
    facts = {"model": request.model, "prompt": asked.get("prompt"), "request_id": request.request_id}
    for name, fact in facts.items():
        if line.get(name) is not None and fact is not None and line[name] != fact:
            word = {"request_id": "the request id"}.get(name, name)
            yield Finding("differs", f"the manifest has {word} {_short(line[name])}, and the journal {_short(fact)}")
    if not line and claimed is not None and request.request_id is not None:
        same = claimed == request.request_id
        said = f"the file and the journal name the same request: {claimed}"
        other = f"the file says request {claimed}, and the journal {request.request_id}"
        yield Finding("proved", said) if same else Finding("differs", other)


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _LONG else f"{text[: _LONG - 1]}…"
