"""What all tests share."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from httpx._config import DEFAULT_TIMEOUT_CONFIG

from flowdsl_steps.image.catalogue import use_catalogue

# Time decides nothing: a machine that is busy or slow makes no test fail.
PROFILE = hypothesis.settings(database=None, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.register_profile("suite", PROFILE, derandomize=True)
hypothesis.settings.register_profile("soak", PROFILE, derandomize=False, max_examples=400)
hypothesis.settings.load_profile("suite")  # the same cases on every run; `make soak` asks for others

use_catalogue(Path(__file__).parent / "image" / "frozen_models.json")  # tests name models, and new ones come

sys.dont_write_bytecode = False  # else each session rewrites all tests, and each of hundreds of processes compiles us
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ.pop("PYTHONUNBUFFERED", None)  # what is printed waits in a buffer, as it does for users

VENDORS_VARIABLES = (
    *("OPENAI_", "AZURE_OPENAI_", "HUB_", "GOOGLE_", "GEMINI_", "AWS_", "OPENROUTER_", "LOCALAI_", "OLLAMA_"),
    *("ZHIPUAI_", "ZAI_", "CLOUDFLARE_", "DASHSCOPE_", "MISTRAL_", "HF_", "HUGGING_FACE_", "BFL_"),
)
for _name in list(os.environ):  # no test sees a key or an endpoint of the machine
    if _name.startswith(VENDORS_VARIABLES):
        del os.environ[_name]

os.environ["XDG_CACHE_HOME"] = os.devnull  # nothing is known of earlier checks
os.environ.pop("GITHUB_ACTIONS", None)  # inside them findings take another form
os.environ.pop("COLUMNS", None)  # pytest-xdist sets it, and help is as wide as it says

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a job in the background of a shell; tests press Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)

collect_ignore = (
    ["cli/test_terminal.py", "cli/test_progress.py"] if sys.platform == "win32" else []
)  # it has no pseudo-terminals

DEFAULT_TIMEOUT_CONFIG.read = 60.0  # of `httpx.get` and its kin: a process that begins may need more than five seconds

MAX_ID_PART = 40
"""How long the words are that name one parameter of a test."""
MAX_ID = 120
"""How long the words are that name all parameters of a test."""
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9 _.,:/'()=+-]")


_STATES = tempfile.mkdtemp(prefix="flowdsl-tests-")
_NUMBERS = count()
atexit.register(shutil.rmtree, _STATES, ignore_errors=True)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Each test has a journal of its own."""
    os.environ["FLOWDSL_STATE"] = f"{_STATES}/{next(_NUMBERS)}"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files instead of comparing")


def pytest_make_parametrize_id(val: Any, argname: str) -> str | None:
    """Names a parameter with plain words, so that a test's name can be typed and is the same in every process.

    Bytes are named after their argument, as pytest does with objects: they may hold a time, as those of gzip do.
    """
    if isinstance(val, bytes):
        return argname
    text = val.pattern if isinstance(val, re.Pattern) else val
    if not isinstance(text, str):
        return None  # numbers and names of functions are plain; an object is named after its argument
    words = " ".join(_NOT_PLAIN.sub(" ", text).split())
    return words[:MAX_ID_PART].rstrip() or (argname if text.strip() else "empty")


@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """Refuses to collect a test with a parameter id that is not plain words."""
    made = yield
    for item in made if isinstance(made, list) else []:
        name = item.callspec.id if hasattr(item, "callspec") else "plain"
        if _NOT_PLAIN.search(name) or not name.strip() or len(name) > MAX_ID:
            raise collector.CollectError(f"{item.name!a}: a parameter id is plain words, at most {MAX_ID} letters")
    return made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """With `CI=true` a test that is skipped has failed: what is missing must be installed."""
    return _nothing_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    """The same for a module that skips itself."""
    return _nothing_skipped((yield))


def _nothing_skipped(report: Any) -> Any:
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which fails with CI=true: {report.longrepr[-1]}"
    return report


@pytest.fixture
def noon() -> Iterator[None]:
    """It is noon here, and in the processes that are started: no day ends meanwhile, nor what may be spent in it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TZ", f"NOON{time.gmtime().tm_hour - 12:+d}")
        _zone_read()
        yield
    _zone_read()


def _zone_read() -> None:
    if hasattr(time, "tzset"):  # Windows has none
        time.tzset()


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written."""
    return bool(request.config.getoption("--update-golden"))
