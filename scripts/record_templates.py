"""Record what Nunjucks 3.2.4 makes of the corpus in `tests/template/corpus`.

    npm install --no-save --prefix scripts nunjucks@3.2.4
    python scripts/record_templates.py

Each file there holds a context and cases; a case gets `text`, or `error` when Nunjucks refuses it. Cases whose result
here is another on purpose belong to `tests/template/deviations.json`: `flowdsl` is what we give, `why` the reason.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).parent
TESTS = SCRIPTS.parent / "tests" / "template"


def results(requests: list[dict[str, Any]]) -> list[dict[str, str]]:
    """What Nunjucks gives."""
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run(
        ["node", str(SCRIPTS / "record_templates.mjs")],
        input=lines,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        check=True,
    )
    return [json.loads(line) for line in done.stdout.split("\n") if line]


def written(corpus: dict[str, Any]) -> str:
    """The text of a corpus file, one case a line."""

    def line(value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)

    head = "".join(f'  "{key}": {line(corpus[key])},\n' for key in corpus if key != "cases")
    return "{\n" + head + '  "cases": [\n    ' + ",\n    ".join(map(line, corpus["cases"])) + "\n  ]\n}\n"


def main() -> int:
    """Rewrite the corpus."""
    for path in sorted((TESTS / "corpus").glob("*.json")):
        corpus = json.loads(path.read_text(encoding="utf-8"))
        requests = [{"template": case["template"], "context": corpus["context"]} for case in corpus["cases"]]
        corpus["cases"] = [
            {"template": case["template"], **result}
            for case, result in zip(corpus["cases"], results(requests), strict=True)
        ]
        path.write_text(written(corpus), encoding="utf-8")
        print(f"{path.name}: {len(requests)} cases")
    return 0


if __name__ == "__main__":
    sys.exit(main())
