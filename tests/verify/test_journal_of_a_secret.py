"""A secret in what a journal keeps, in what is printed of it, in logs and in spans: the ways are those of
`test_ways_of_a_secret`, each between two paid requests, the second of which asks for what has become of the secret, in
a run that fails.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from counting_service import REPEATED, CountingService

from tests.core.test_ways_of_a_secret import FILES, FORMS, KEY, PIN, SECRET
from tests.telemetry.test_spans import collecting
from tests.verify.test_outputs_of_a_secret import OWN

PICTURE = "{step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, maxRetries: 0, instruction: 'ITEM'}"
FIRST = f"- {PICTURE.replace('ITEM', 'a boat')}\n"
SHOWN = f"- {PICTURE.replace('ITEM', 'a boat {{ flowContext.a | default(0) | dump }} REPEATED')}\n"
FAIL = "- {step: RAISE, message: not today}\n"
TRIED = f"- {{step: TRY, try: [{SHOWN[2:-1].replace('REPEATED', REPEATED)}]}}\n"
GIVEN = ("ways.json", "files.json", "records.jsonl")
DRIVER = """
import json, sys
from pathlib import Path
from flowdsl.cli import main
from flowdsl.journal.journal import Journal
for name, text in json.loads(Path("files.json").read_text()).items():
    Path(name).write_text(text)
for way, (flow, more) in json.loads(Path("ways.json").read_text()).items():
    path = way + ".flow.yaml"
    Path(path).write_text(flow)
    main(["run", path, "--out", "out", "--private-addresses", "--metadata", "full",
        "--log-json", "events.log", "--log-content", *more])
    with Journal("state") as journal:
        run = next((run for run in journal.runs.all(most=1) if run.flow.endswith(path)), None)
    if run is None:
        print("not run:", way)
        continue
    secret = [word for each in run.given["hidden"] for word in ("-i", each + "=" + sys.argv[1])]
    main(["resume", run.id, "--yes", *secret])
    main(["resume", run.id, "--yes", "--events", *secret])
    main(["runs", "release", run.id])
    main(["resume", run.id, "--json", "-q", "--yes", *secret])
    main(["runs", "show", run.id])
    main(["runs", "show", run.id, "--json"])
    main(["runs", "export", run.id])
    main(["report", run.id, "--out", way + ".html"])
    main(["graph", "--run", run.id, "--output", way + ".svg"])
Path("records.jsonl").write_text(json.dumps({"token": sys.argv[1]}) + "\\n")
for way in list(json.loads(Path("ways.json").read_text()))[::4]:
    main(["batch", way + ".flow.yaml", "--over", "records.jsonl", "--out", "batch-" + way, "--private-addresses",
        "--metadata", "full", "--cache", "project", "--log-json", "events.log", "--log-content"])
main(["runs", "list"])
main(["runs", "list", "--json"])
"""


def ways() -> dict[str, tuple[str, list[str]]]:
    """The flows, with the options of their runs."""
    found: dict[str, tuple[str, list[str]]] = {}
    for way, flow in OWN.items():
        if flow.startswith("- "):
            found[way] = (FIRST + flow + SHOWN.replace("REPEATED", "") + FAIL, [])
            found[f"{way}-failed"] = (FIRST + flow + TRIED + FAIL, [])
        elif "flow: [" in flow:
            found[way] = (flow.replace("flow: [", f"flow: [{FIRST[2:-1]}, ", 1), [])
    given = "inputs: {token: {type: string, writeOnly: true}}\nflow:\n"
    inner = FIRST + SHOWN.replace("flowContext.a", "inputs.token").replace("REPEATED", "") + FAIL
    found["input"] = (given + inner, ["-i", f"token={SECRET}"])
    known = f'- {{step: SET, a: "{KEY}"}}\n'
    found["input-known-later"] = (known + FIRST + FAIL, ["-i", f"token={SECRET}", "--kv", f"k={SECRET}"])
    return found


def test_a_journal_and_what_is_printed_of_it_show_no_secret_nor_do_logs_and_spans(tmp_path: Path) -> None:
    (tmp_path / "ways.json").write_text(json.dumps(ways()))
    (tmp_path / "files.json").write_text(json.dumps(FILES))
    with CountingService() as service, collecting() as (url, collector):
        marks = {**service.variables(), "KEY": SECRET, "PIN": PIN, "FLOWDSL_STATE": str(tmp_path / "state")}
        marks |= {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_EXPORTER_OTLP_COMPRESSION": "none"}
        ran = subprocess.run(
            [sys.executable, "-c", DRIVER, SECRET],
            cwd=tmp_path,
            env={**os.environ, **marks},
            capture_output=True,
            timeout=280,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr.decode()[-3000:]
        assert service.count > 150
    text = (ran.stdout + ran.stderr).decode("utf-8", "replace")
    made = [path for path in tmp_path.rglob("*") if path.name not in GIVEN]
    left = {str(path.relative_to(tmp_path)): path.read_bytes().decode("latin-1") for path in made if path.is_file()}
    sent = {path: body.decode("latin-1") for path, body in collector.bodies.items()}
    places = {"the output": text, "names of files": repr(made), **left, **sent}
    assert {"state/journal.sqlite", "events.log", "/v1/traces", "/v1/metrics"} <= places.keys()
    assert sum(name.endswith("/failed.jsonl") for name in left) > 20
    assert "StepFailed" in left["events.log"]
    assert sum(name.endswith(".html") for name in left) > 80 < sum(name.endswith(".svg") for name in left)
    assert {name: found for name, each in places.items() if (found := [form for form in FORMS if form in each])} == {}
    assert "Traceback" not in text
    assert len(ways()) - text.count("not run:") > 80
