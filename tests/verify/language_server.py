"""The YAML language server of editors, asked over its own protocol what it says of a text."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

SERVER = (
    Path(__file__).parents[2] / "scripts" / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
)


class LanguageServer:
    """A running server that checks every text against one schema."""

    def __init__(self, schema: Path) -> None:
        self._process = subprocess.Popen(
            ["node", str(SERVER), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._number = 0
        self._settings = {
            "yaml": {"validate": True, "schemas": {schema.as_uri(): "*.yaml"}, "schemaStore": {"enable": False}}
        }
        self._ask(
            "initialize", {"processId": None, "rootUri": None, "capabilities": {"workspace": {"configuration": True}}}
        )
        self._send({"method": "initialized", "params": {}})
        self._send({"method": "workspace/didChangeConfiguration", "params": {"settings": self._settings}})

    def __enter__(self) -> LanguageServer:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.communicate()

    def errors(self, text: str) -> list[tuple[int, str]]:
        """What the server marks in a text: line, from 1, and message."""
        self._number += 1
        uri = f"file:///flows/{self._number}.yaml"
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        while True:
            message = self._next()
            if message.get("method") == "textDocument/publishDiagnostics" and message["params"]["uri"] == uri:
                found = message["params"]["diagnostics"]
                return [(one["range"]["start"]["line"] + 1, one["message"]) for one in found]

    def _ask(self, method: str, params: dict[str, Any]) -> None:
        self._send({"id": 1, "method": method, "params": params})
        while self._next().get("id") != 1:
            pass

    def _next(self) -> dict[str, Any]:
        """The next message; questions of the server are answered."""
        assert self._process.stdout is not None
        length = 0
        while (line := self._process.stdout.readline().strip()) or not length:
            assert line or self._process.poll() is None, "the language server has ended"
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        message: dict[str, Any] = json.loads(self._process.stdout.read(length))
        if "method" in message and "id" in message:
            result: Any = None
            if message["method"] == "workspace/configuration":
                result = [self._settings.get(item.get("section", ""), {}) for item in message["params"]["items"]]
            self._send({"id": message["id"], "result": result})
            return self._next()
        return message

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._process.stdin.flush()
