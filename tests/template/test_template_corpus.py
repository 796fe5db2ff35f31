"""The corpus recorded from Nunjucks 3.2.4, and the deviations from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flowdsl.errors import TemplateError
from flowdsl.template import render

HERE = Path(__file__).parent
FILES = sorted((HERE / "corpus").glob("*.json"))


def load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


DEVIATIONS = {(case["file"], case["template"]): case for case in load(HERE / "deviations.json")}


def rendered(template: str, context: dict[str, Any]) -> dict[str, str]:
    try:
        return {"text": render(template, context)}
    except TemplateError as error:
        return {"error": error.message}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_recorded_template_gives_what_nunjucks_gave(path: Path) -> None:
    corpus = load(path)
    wrong = []
    for case in corpus["cases"]:
        ours = rendered(case["template"], corpus["context"])
        known = DEVIATIONS.get((path.name, case["template"]))
        if known is not None:
            expected = known["flowdsl"]
        elif "error" in case:
            # Nunjucks' words for an error are not ours
            expected = ours if "error" in ours else {"error": case["error"]}
        else:
            expected = {"text": case["text"]}
        if ours != expected:
            wrong.append((case["template"], expected, ours))
    assert wrong == []


def test_every_deviation_is_one_and_says_why() -> None:
    recorded = {
        (path.name, case["template"]): {key: case[key] for key in case if key != "template"}
        for path in FILES
        for case in load(path)["cases"]
    }
    stale = [
        key
        for key, case in DEVIATIONS.items()
        if recorded.get(key) != case["nunjucks"] or case["nunjucks"] == case["flowdsl"] or len(case["why"]) < 10
    ]
    assert stale == []


def test_the_corpus_has_its_size() -> None:
    assert sum(len(load(path)["cases"]) for path in FILES) >= 1600


OWN = load(HERE / "own_filters.json")


@pytest.mark.parametrize(("template", "text"), [(case["template"], case["text"]) for case in OWN["cases"]])
def test_filters_nunjucks_does_not_have(template: str, text: str) -> None:
    assert rendered(template, OWN["context"]) == {"text": text}
