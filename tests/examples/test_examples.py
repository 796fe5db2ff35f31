"""Every example checks without a finding and runs: pictures from the simulator, web services from a loopback server."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from io import BytesIO
from itertools import takewhile
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from loopback_web import Web
from PIL import Image as Picture
from studio import EXAMPLES, Studio, png

import flowdsl
from flowdsl_steps.image.simulator import Fault, Simulator

FILES = [path for path in sorted(EXAMPLES.rglob("*.yaml")) if path.parent.name not in ("systems", "tests")]
WITHOUT_COMMAND = ("azure.flow.yaml", "two-takes.flow.yaml", "house.module.yaml", "palette.module.yaml")
"""Examples whose header is one line on what they are."""
ACTIONS = ("Event poster", "Menu picture", "Icon")


def bodies(simulator: Simulator) -> list[dict[str, Any]]:
    """What a simulator was sent, in order."""
    return [request.json for request in simulator.requests if isinstance(request.json, dict)]


def prompts(simulator: Simulator) -> list[str]:
    """The prompts that a simulator was asked for, in order."""
    return [body["prompt"] for body in bodies(simulator)]


def sizes(pictures: Iterable[flowdsl.Image]) -> list[str]:
    """The sizes of pictures, as their files have them."""
    return ["{}x{}".format(*Picture.open(BytesIO(picture.read())).size) for picture in pictures]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_an_example_checks_without_any_finding(path: Path) -> None:
    found = flowdsl.check(path, environment=flowdsl.Environment(as_of=date(2026, 11, 21)))
    assert [str(finding) for finding in found] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_an_example_says_what_it_is_for_and_how_to_try_it(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    header = list(takewhile(lambda line: line.startswith("# "), lines))
    assert header
    if path.name not in WITHOUT_COMMAND:
        assert f"flowdsl run examples/{path.name}" in "\n".join(header)


@pytest.mark.parametrize("name", ["azure", "postcard", "skyline", "two-takes"])
def test_a_short_example_makes_its_pictures(studio: Studio, name: str) -> None:
    result = studio.run(f"{name}.flow.yaml")
    pictures = {"azure": 1, "postcard": 1, "skyline": 2, "two-takes": 2}
    assert len(result.images) == pictures[name]
    assert result.cost_usd is not None


def test_the_newsletter_has_a_picture_for_each_of_its_articles(studio: Studio, web: Web) -> None:
    titles = ["Rain: a love story", "Why bridges hum", "The last ferry"]
    web.responses["/feed.json"] = {"items": [{"title": title, "summary": "Short."} for title in titles]}
    result = studio.run("newsletter.flow.yaml", {"feed": f"{web.url}/feed.json", "count": 2})
    assert [entry["title"] for entry in result.outputs["pictures"]] == titles[:2]
    assert sizes(result.images) == ["1536x1024", "1536x1024"]
    assert sorted(prompts(studio.openai)) == [
        f'Editorial illustration without any text for the article "{title}". Short.' for title in titles[:2]
    ]
    assert studio.saved() == ["newsletter/1 Rain_ a love story.png", "newsletter/2 Why bridges hum.png"]


def test_an_invalid_feed_is_reported_before_anything_is_painted(studio: Studio, web: Web) -> None:
    web.responses["/feed.json"] = {"articles": []}
    with pytest.raises(flowdsl.StepError, match="does not fit its schema") as caught:
        studio.run("newsletter.flow.yaml", {"feed": f"{web.url}/feed.json"})
    assert caught.value.step == "PARSE_JSON"
    assert prompts(studio.openai) == []


def test_everybody_on_the_list_has_an_avatar_with_their_name(studio: Studio) -> None:
    people = [{"name": name, "likes": "tea"} for name in ("Mo", "Ida", "Zoe", "Ben", "Eve")]
    result = studio.run("avatars.flow.yaml", {"people": people})
    assert sizes(result.outputs["avatars"]) == ["1024x1024"] * 5
    assert studio.saved() == [f"avatars/{name}.png" for name in ("ben", "eve", "ida", "mo", "zoe")]


def test_product_shots_come_in_four_sizes(studio: Studio) -> None:
    result = studio.run("product-shots.flow.yaml", {"product": "a clay jug"})
    shots = [result.outputs[name] for name in ("square", "wide", "tall", "banner")]
    assert sizes(shots) == ["1024x1024", "1536x1024", "1024x1536", "2048x1152"]
    assert studio.azure.requests == ()


def test_a_picture_is_made_edited_and_edited_into_four_sizes(studio: Studio) -> None:
    result = studio.run("four-sizes.flow.yaml")
    assert sizes(result.context["sizes"]) == ["1024x1024", "1536x1024", "1024x1536", "1792x1024"]
    edits = [body["files"] for body in bodies(studio.openai) if "files" in body]
    (season,), *others = edits
    assert season["sha256"] == result.context["original"][0].sha256
    assert {file["sha256"] for (file,) in others} == {result.context["edited"][0].sha256}


def test_product_shots_that_openai_has_no_quota_for_come_from_azure(studio: Studio) -> None:
    studio.openai.faults.add(Fault("quota", times=4))
    result = studio.run("product-shots.flow.yaml")
    shots = [result.outputs[name] for name in ("square", "wide", "tall", "banner")]
    assert sizes(shots) == ["1024x1024", "1536x1024", "1024x1536", "2048x1152"]
    assert len(studio.openai.requests) == 4
    assert sorted(body["size"] for body in bodies(studio.azure)) == [
        "1024x1024",
        "1024x1536",
        "1536x1024",
        "2048x1152",
    ]


def test_one_size_that_is_refused_falls_back_alone(studio: Studio) -> None:
    studio.openai.faults.add(Fault("quota"))
    result = studio.run("product-shots.flow.yaml")
    assert len(result.images) == 4
    assert (len(studio.openai.requests), len(studio.azure.requests)) == (4, 1)


def test_each_panel_of_the_comic_knows_the_one_before(studio: Studio) -> None:
    result = studio.run("comic.flow.yaml", {"hero": "a fox", "scenes": ["wakes up", "falls in love"]})
    assert sizes(result.outputs["panels"]) == ["1024x1024", "1024x1024"]
    assert [prompt.splitlines()[-1] for prompt in prompts(studio.openai)] == [
        "Before: nothing yet. Now the hero wakes up.",
        "Before: wakes up. Now the hero falls in love.",
    ]
    assert studio.saved() == ["comic/panel-1.png", "comic/panel-2.png"]


WRITTEN = "A bloody duel of two knights at dawn, one of them wounded"
REWORDED = "A tired tired of two knights at dawn, one of them tired"
HARMLESS = "Two knights shaking hands at dawn, oil painting"


@pytest.mark.parametrize(
    ("refused", "outcome", "asked"),
    [
        (0, "as written", [WRITTEN]),
        (1, "reworded", [WRITTEN, REWORDED]),
        (2, "harmless", [WRITTEN, REWORDED, HARMLESS]),
    ],
)
def test_a_refused_prompt_is_reworded_and_then_replaced(
    studio: Studio, refused: int, outcome: str, asked: list[str]
) -> None:
    if refused:
        studio.openai.faults.add(Fault("moderation", times=refused))
    result = studio.run("gentle-prompt.flow.yaml")
    assert (result.outputs["outcome"], result.outputs["prompt"]) == (outcome, asked[-1])
    assert prompts(studio.openai) == asked
    assert len(result.images) == 1


def test_only_refused_prompts_are_reworded(studio: Studio) -> None:
    studio.openai.faults.add(Fault("auth"))
    with pytest.raises(flowdsl.ServiceError) as caught:
        studio.run("gentle-prompt.flow.yaml")
    assert caught.value.status == 401
    assert prompts(studio.openai) == [WRITTEN]


def test_the_works_of_a_museum_are_saved_and_get_company(studio: Studio, web: Web) -> None:
    works = [{"id": 1, "title": "Boats at Rest", "image_id": "a"}, {"id": 2, "title": "Harbor", "image_id": "b"}]
    web.responses["/v1/artworks/search"] = {"data": works, "config": {"iiif_url": f"{web.url}/iiif"}}
    web.responses["/iiif/a/full/843,/0/default.jpg"] = png("navy")
    web.responses["/iiif/b/full/843,/0/default.jpg"] = png("teal")
    result = studio.run("museum.flow.yaml", {"api": f"{web.url}/v1", "subject": "boats & harbours"})
    assert [picture.read() for picture in result.outputs["works"]] == [png("navy"), png("teal")]
    assert studio.saved() == ["museum/Boats at Rest.png", "museum/Harbor.png"]
    assert prompts(studio.openai) == ["A painting of boats & harbours that could hang between Boats at Rest and Harbor"]
    assert parse_qs(web.asked[0].partition("?")[2]) == {
        "q": ["boats & harbours"],
        "fields": ["id,title,image_id"],
        "limit": ["3"],
    }


def test_the_banner_is_painted_once_the_release_is_out(studio: Studio, web: Web) -> None:
    released = {"name": "2.0 Aurora", "html_url": "https://example.com/2.0"}
    web.responses["/repos/me/tool/releases/tags/2.0"] = [None, None, released]
    inputs = {"api": web.url, "repository": "me/tool", "tag": "2.0", "pause_ms": 1}
    result = studio.run("release-banner.flow.yaml", inputs)
    assert result.outputs["release"] == "https://example.com/2.0"
    assert sizes([result.outputs["banner"]]) == ["2048x1024"]
    assert len(web.asked) == 3
    assert [name for name, _ in studio.emitted] == ["SHOW_PROGRESS", "SHOW_PROGRESS", "SHOW_NOTIFICATION"]
    assert studio.emitted[-1][1] == {
        "message": "https://example.com/2.0 is out, and its banner is ready",
        "notificationType": "success",
    }


@pytest.mark.long
def test_a_server_that_fails_is_no_release_that_is_not_out(studio: Studio) -> None:
    with pytest.raises(flowdsl.ServiceError) as caught:
        studio.run("release-banner.flow.yaml", {"api": "http://127.0.0.1:9", "pause_ms": 1})
    assert caught.value.status is None


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_of_the_studio_paints_in_the_style_of_the_house(studio: Studio, action: str) -> None:
    result = studio.run("studio.ai-kit.yaml", action=action)
    look = "Look: screen print on grainy paper, in terracotta, cream, dark green only."
    assert prompts(studio.openai) == [result.outputs["prompt"]]
    assert result.outputs["prompt"].endswith(look)
    assert sizes(result.images) == ["1024x1536" if action == "Event poster" else "1024x1024"]


def test_the_studio_says_that_there_is_no_icon(studio: Studio) -> None:
    studio.openai.faults.add(Fault("quota"))
    with pytest.raises(flowdsl.ServiceRefused):
        studio.run("studio.ai-kit.yaml", action="icon")
    (emitted,) = studio.emitted
    assert emitted[0] == "SHOW_NOTIFICATION"
    assert emitted[1]["message"].startswith("No icon: ")
