"""Cloudflare Workers AI: raw bytes, JSON and forms, by the model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_vendor import running
from image_bench import Bench
from vendor_bench import STEPS, bought, flow_of, printed, told
from workersai_fake import ACCOUNT, FORMS, KEY, LUCID, RAW, ROOT, SCHNELL, WorkersAIFake, fields_of

import flowdsl
from flowdsl.step.service import Service
from flowdsl_steps.image.options import ImageOptions
from flowdsl_steps.image.request import ImageRequest
from flowdsl_steps.image.vendors import vendor_named


@pytest.fixture
def fake() -> Iterator[WorkersAIFake]:
    with running(WorkersAIFake()) as found:
        yield found


def entry(fake: WorkersAIFake | None = None, **settings: Any) -> dict[str, Any]:
    where = {} if fake is None else {"endpoint": fake.url}
    return {"provider": "workersai", "apiKey": KEY, "accountId": ACCOUNT, "model": FORMS[1], **where, **settings}


@pytest.mark.parametrize("step", STEPS)
def test_flux_2_gets_a_form_from_every_image_step(
    step: type[ImageOptions], fake: WorkersAIFake, tmp_path: Path
) -> None:
    found = Bench(tmp_path, entry(fake)).run(step, model=None, size="1024x768", seed=7)
    assert [(image.width, image.height) for image in found["imageList"]] == [(61, 43)]
    assert fake.asked[0].path == ROOT + FORMS[1]
    assert fields_of(fake.asked[0]) == {"prompt": "a lighthouse", "width": "1024", "height": "768", "seed": "7"}
    assert found["object"]["cost"] == pytest.approx(3 * 0.000287)


def test_a_form_is_sent_even_with_a_prompt_alone(fake: WorkersAIFake, tmp_path: Path) -> None:
    bought(tmp_path, entry(fake, model=FORMS[0]))
    assert fields_of(fake.asked[0]) == {"prompt": "a lighthouse"}


@pytest.mark.parametrize("model", sorted(RAW))
def test_a_response_may_be_the_picture_itself(model: str, fake: WorkersAIFake, tmp_path: Path) -> None:
    found = bought(tmp_path, entry(fake, model=model), size="1024x1024", seed=1)
    assert [image.mime for image in found["imageList"]] == ["image/png"]
    assert fake.bodies == [{"prompt": "a lighthouse", "width": 1024, "height": 1024, "seed": 1}]


@pytest.mark.parametrize("model", [SCHNELL, LUCID])
def test_a_response_may_hold_the_picture_in_base64(model: str, fake: WorkersAIFake, tmp_path: Path) -> None:
    found = bought(tmp_path, entry(fake, model=model), n=2)
    assert len(found["imageList"]) == 2
    assert fake.bodies == [{"prompt": "a lighthouse"}] * 2


@pytest.mark.parametrize(
    ("word", "kind", "charged", "retryable", "said"),
    [
        (
            "forbidden",
            flowdsl.ContentRefused,
            False,
            False,
            "moderation of PICTURES refused the prompt: AiError: Input",
        ),
        ("crowded", flowdsl.ServiceRateLimited, False, True, "PICTURES had too many requests (429): Capacity"),
        ("penniless", flowdsl.ServiceRefused, False, False, "PICTURES has no quota left (429): You have used up"),
        ("malformed", flowdsl.ServiceRefused, False, False, "PICTURES refused the request (400): Invalid data [5004]"),
        ("broken", flowdsl.ServiceUnavailable, True, False, "PICTURES failed with status 500: Internal server error"),
        ("hidden", flowdsl.ServiceUnavailable, True, False, "PICTURES sent an unusable response: the response holds"),
    ],
)
@pytest.mark.parametrize("model", [SCHNELL, FORMS[0]])
def test_its_errors_mean_what_their_numbers_say(
    model: str,
    word: str,
    kind: type[flowdsl.ServiceError],
    charged: bool,
    retryable: bool,
    said: str,
    fake: WorkersAIFake,
    tmp_path: Path,
) -> None:
    with pytest.raises(kind) as caught:
        bought(tmp_path, entry(fake, model=model), instruction=f"something {word}")
    assert str(caught.value).startswith(said)
    assert (caught.value.charge_possible, caught.value.retryable) == (charged, retryable)


def test_a_wrong_key_is_told_and_not_shown(fake: WorkersAIFake, tmp_path: Path) -> None:
    with pytest.raises(flowdsl.ServiceRefused) as caught:
        bought(tmp_path, entry(fake, apiKey="wrong-key-0123456789"))
    assert str(caught.value) == "PICTURES does not accept the key (401): Authentication error [10000]"
    assert "wrong-key" not in f"{caught.value} {caught.value.hint}"


def test_no_output_of_a_run_holds_the_key(
    fake: WorkersAIFake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = printed(tmp_path, capsys, flow_of(entry(fake)), "run", "--json")
    assert KEY not in out + err


@pytest.mark.parametrize(
    ("endpoint", "root"),
    [
        (None, f"https://api.cloudflare.com{ROOT}"),
        ("https://api.cloudflare.com", f"https://api.cloudflare.com{ROOT}"),
        ("https://api.cloudflare.com/client/v4/", f"https://api.cloudflare.com{ROOT}"),
        (
            "https://api.cloudflare.com/client/v4/accounts/other/ai/run",
            "https://api.cloudflare.com/client/v4/accounts/other/ai/run/",
        ),
        (
            "https://gateway.ai.cloudflare.com/v1/other/mine/workers-ai",
            "https://gateway.ai.cloudflare.com/v1/other/mine/workers-ai/",
        ),
    ],
)
def test_an_endpoint_is_taken_in_every_form_that_people_paste(endpoint: str | None, root: str) -> None:
    settings = {"apiKey": KEY, "accountId": ACCOUNT, "model": SCHNELL, **({"endpoint": endpoint} if endpoint else {})}
    found = vendor_named("workersai").endpoint(Service("PICTURES", settings), ImageRequest())
    assert (found.url, found.headers) == (root + SCHNELL, {"Authorization": f"Bearer {KEY}"})


def test_an_account_must_be_named() -> None:
    service = Service("PICTURES", {"apiKey": KEY, "model": SCHNELL})
    with pytest.raises(flowdsl.ConfigError) as caught:
        vendor_named("workersai").endpoint(service, ImageRequest())
    assert str(caught.value) == "Service not configured: PICTURES has no `accountId`"
    assert (
        caught.value.hint == "add `accountId` to the service PICTURES, or set CLOUDFLARE_ACCOUNT_ID in the environment"
    )


def test_what_it_cannot_take_is_told_at_check() -> None:
    assert told(entry(), model="flux-2-dev") == [
        (
            "unsupported-value",
            "error",
            "`flux-2-dev` is no model of Workers AI, whose names begin with `@cf/`",
            'write it in full, such as `"@cf/black-forest-labs/flux-2-klein-4b"`',
        )
    ]
    assert told(entry(model=SCHNELL), size="1024x1024", quality="high") == [
        ("unsupported-parameter", "error", f"`{SCHNELL}` has no `size`", "remove it"),
        ("unsupported-parameter", "error", f"`{SCHNELL}` has no `quality`", "remove it"),
    ]
    assert told(entry(), n=2, seed=7) == [
        (
            "conflicting-values",
            "error",
            f"`n: 2` is sent as 2 requests of one image: `{FORMS[1]}` accepts no more in one, and the same `seed` "
            "draws the same in each",
            "remove `seed` or `n`",
        )
    ]
    assert told(entry(), size="2048x2048") == [
        (
            "unsupported-value",
            "error",
            f"`{FORMS[1]}` does not accept the size `2048x2048`: its longer edge is above 1920",
            "use `1920x1920`; supported: WIDTHxHEIGHT with edges of 256 to 1920",
        )
    ]
