"""What docs/providers.md says of each vendor: seen while its fake is asked, or read from the code. Nothing is told."""

from __future__ import annotations

import json
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from fake_vendor import Asked, Fake, Reply, running
from image_bench import Bench
from image_pictures import drawn
from PIL import Image as Pillow
from vendor_cases import CASES, Case

from flowdsl import Environment, Limits, Storage
from flowdsl.errors import ConfigError, ContentRefused, ServiceError
from flowdsl.services import KEYS
from flowdsl.step.service import Service
from flowdsl_steps.image.catalogue import SHIPPED, EditLimits, catalogue, use_catalogue
from flowdsl_steps.image.offering import Offering
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.resolve import resolve_model
from flowdsl_steps.image.vendor import Vendor
from flowdsl_steps.image.vendors import vendor_named

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "providers.md"
FROZEN = ROOT / "tests" / "image" / "frozen_models.json"
COLUMNS = {
    "sent": ("vendor", "works", "request", "key", "picture comes", "made later", "package"),
    "told": ("draws nothing", "usage", "price before", "price after", "edits"),
    "settings": ("models", "settings", "variables"),
}
"""Table → its columns beside the provider."""
_MOST_NAMED = 3


@cache
def cells(name: str) -> Mapping[str, str]:
    """Column → what its cell says of a provider."""
    vendor, case = vendor_named(name), CASES[name]
    with running(case.fake()) as fake, tempfile.TemporaryDirectory() as folder:
        entry = {"provider": name, "endpoint": fake.url, **case.entry, **case.more(fake)}
        bench = Bench(Path(folder), entry)
        found = bench.run(model=None)
        first = next(asked for asked in fake.asked if asked.path != "/token")
        is_linked = any(
            asked.method == "GET" and reply.headers.get("Content-Type", "").startswith("image/")
            for asked, reply in zip(fake.asked, fake.replies, strict=True)
        )
        moderation = _refusals(bench, case.refused)
        about = found["object"]
        service = Service("S", entry)
        request = ImageRequest(prompt="a", model=str(case.entry["model"]))
        most = vendor.most(request, vendor.endpoint(service, request))
        needs_key = _needs_key(vendor, case.entry)
        edits = _edits(vendor, case, fake, Path(folder))
    return {
        "vendor": vendor.title if name != "hub" else "a HUB",
        "works": "yes" if len(found["imageList"]) == 1 else "no",
        "request": _request(first, case.entry),
        "key": _key(first, case.secrets) + ("" if needs_key else ", where it has one"),
        "picture comes": "as an address" if is_linked else "as bytes",
        "made later": "asked for until it is there" if type(vendor).next is not Vendor.next else "no",
        "package": _package(name),
        "draws nothing": moderation,
        "usage": _listed(about.get("usage") or ()),
        "price before": "unknown" if most is None else "free" if most == 0 else "known",
        "price after": _price_after(about.get("cost"), fake.replies),
        "edits": edits,
        "models": _models(vendor),
        "settings": _listed(key.name for key in vendor.settings),
        "variables": _listed(variable for names in vendor.environment.values() for variable in names),
    }


def _refusals(bench: Bench, prompts: Iterable[str]) -> str:
    """The vendor's code for each way in which it draws nothing, with what it refuses and whether that may be paid."""
    found = []
    for prompt in prompts:
        try:
            bench.run(model=None, instruction=prompt, maxRetries=0)
        except ServiceError as error:
            what = "prompt" if "refused the prompt" in error.message else "picture"
            what = what if isinstance(error, ContentRefused) else "no picture"
            paid = "may be charged" if error.charge_possible else "not charged"
            found.append(f"`{error.vendor_code}` ({what}, {paid})")
    return ", ".join(found) or "has none"


def _request(asked: Asked, entry: Mapping[str, Any]) -> str:
    """Method and path, with the name of a setting in place of its value."""
    path = unquote(asked.path)
    for name, value in {**entry, "project": "pictures-123"}.items():
        for end in ("/", ":generate", ""):
            whole = f"/{value}{end}"
            if whole in path and (end or path.endswith(whole)):
                path = path.replace(whole, f"/{{{name}}}{end}", 1)
                break
    return f"`{asked.method} {path}`"


def _key(asked: Asked, secrets: Iterable[str]) -> str:
    given = asked.headers.get("authorization", "")
    if given.startswith("AWS4-HMAC-SHA256"):
        return "signature (SigV4)"
    if given:
        return f"`Authorization: {given.partition(' ')[0]}`"
    return next(
        (f"`{name}`" for name, value in asked.headers.items() if any(each in value for each in secrets)), "none"
    )


def _needs_key(vendor: Vendor, entry: Mapping[str, Any]) -> bool:
    """Whether the vendor's own address is not asked without a key; one without a key to give needs none either way."""
    settings = {name: value for name, value in entry.items() if name not in KEYS}
    if not any(name in KEYS for name in entry):
        return True
    try:
        vendor.endpoint(Service("S", {**settings, "endpoint": "https://a.example"}), ImageRequest())
        vendor.endpoint(Service("S", settings), ImageRequest())
    except ConfigError as error:
        return error.message.endswith("`apiKey`")
    return False


def _package(name: str) -> str:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    return f"`flowdsl[{name}]`" if name in extras else "none"


def _price_after(cost: float | None, replies: Iterable[Reply]) -> str:
    if cost is None:
        return "unknown"
    if cost == 0:
        return "free"
    told = any("cost" in (each.body.get("usage") or {}) for each in replies if isinstance(each.body, dict))
    return "told by the response" if told else "by the catalogue"


def _edits(vendor: Vendor, case: Case, fake: Fake, folder: Path) -> str:
    """How many pictures are edited at once, and whether with a mask, where the fake takes an edit."""
    if case.editor is None:
        request = ImageRequest(prompt="a", model=str(case.entry["model"]), unknown=frozenset({"images"}))
        problems = vendor.supports(request, resolve_model(vendor, None, request.model))
        return "no" if any(problem.key == "images" for problem in problems) else "not shown"
    entry = {"provider": vendor.name, "endpoint": fake.url, **case.entry, **case.more(fake), **case.editor}
    limits, made = limits_of_edits(vendor, str(entry["model"])), edited(folder, entry)
    many = "one picture" if limits.images == 1 else f"up to {limits.images} pictures"
    mask = "" if limits.mask_below_bytes is None else " and a mask"
    which = f"with `{entry['model']}`" if "model" in case.editor else "yes"
    return f"{which}: {many}{mask}" if made == 1 else "no"


def limits_of_edits(vendor: Vendor, model: str) -> EditLimits:
    """What a model takes to edit."""
    known = vendor.model(model) if isinstance(vendor, Offering) else catalogue().find(model)
    assert known is not None
    assert known.edits is not None
    return known.edits


def edited(folder: Path, entry: Mapping[str, Any]) -> int:
    """How many pictures come of an edit."""
    picture, step = drawn("PNG", (64, 64)), {"step": "OPENAI_IMAGE_EDIT", "service": "IT", "images": ["in.png"]}
    (folder / "in.png").write_bytes(picture)
    limits = limits_of_edits(vendor_named(str(entry["provider"])), str(entry["model"]))
    if limits.needs_mask:
        Pillow.new("RGBA", (64, 64)).save(folder / "mask.png")
        step["mask"] = "mask.png"
    file = folder / "edit.flow.yaml"
    steps = [{**step, "instruction": "Snow"}]
    file.write_text(json.dumps({"services": {"IT": dict(entry)}, "flow": steps}), encoding="utf-8")
    (folder / "flowdsl.toml").write_text("", encoding="utf-8")
    here = Environment(storage=Storage(images=folder / "images"), limits=Limits(private_addresses=True))
    return len(here.run(file).images)


def _models(vendor: Vendor) -> str:
    """Those that are alive on the day of the facts, the newest first."""
    use_catalogue(SHIPPED)
    try:
        known = vendor.models()
        known = vendor.models(date.fromisoformat(known[0].as_of)) if known else ()
    finally:
        use_catalogue(FROZEN)
    alive = [f"`{model.name}`" for model in known if model.state in ("alive", "dying")]
    some = ", ".join(alive[:_MOST_NAMED])
    more = f" and {len(alive) - _MOST_NAMED} more" if len(alive) > _MOST_NAMED else ""
    is_open = vendor.is_gateway or (isinstance(vendor, Offering) and not vendor.offer.complete)
    return f"{some}{more}{', and any other name' if alive else 'any name'}" if is_open else f"{some}{more}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def table(kind: str) -> list[str]:
    """The lines of a table."""
    columns = COLUMNS[kind]
    lines = [f"| provider | {' | '.join(columns)} |", "|---|" + "---|" * len(columns)]
    return lines + [f"| `{name}` | {' | '.join(cells(name)[column] for column in columns)} |" for name in sorted(CASES)]


def written(kind: str) -> tuple[str, str, str]:
    """The page before a table, the table as it stands there, and what is behind it."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(f"<!-- generated: {kind} -->\n")
    found, _, after = rest.partition("<!-- end -->")
    return before, found, after
