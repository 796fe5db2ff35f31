"""The task `http.Request` of a Kestra flow: a request to a web service."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

from flowdsl.document.dialects import Node, made
from flowdsl.nearest import nearest
from flowdsl.step.problem import show
from flowdsl.syntax.fixes import renamed
from flowdsl.template import Reference, Template
from flowdsl.template.foreign import ForeignText, Native, Place, called, parsed
from flowdsl.template.nodes import DictOf, Keyword, Literal, Member, Name, Output
from flowdsl_steps.dialects.kestra_properties import CommonProperties, Steps
from flowdsl_steps.expressions.pebble import Finish
from flowdsl_steps.expressions.pebble_kinds import TEXT, WHOLE, Kind

OUTPUTS = ("uri", "code", "headers", "body")
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
_OWN = ("uri", "method", "headers", "body", "formData", "contentType", "options", "encryptBody", "allowFailed",
        "sslOptions", "params")  # fmt: skip
_OPTIONS = ("timeout", "connectTimeout", "readTimeout", "readIdleTimeout", "connectionPoolIdleTimeout", "auth",
            "basicAuthUser", "basicAuthPassword", "allowFailed", "allowedResponseCodes", "followRedirects", "ssl",
            "proxy", "defaultCharset", "logs", "logLevel", "maxContentLength")  # fmt: skip
_TIMEOUT = ("connectTimeout", "readIdleTimeout")
_MULTIPART = "multipart/form-data"
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"
_DONE = {
    "followRedirects": (True, "redirects of GET and HEAD are followed, and no others"),
    "allowFailed": (False, "a status that is no success fails the task: `allowFailure: true` lets the flow go on"),
    "encryptBody": (
        False,
        "remove it: outputs stand nowhere but in what the run prints, and secrets in them are hidden",
    ),
    "defaultCharset": ("UTF-8", "bodies are UTF-8"),
}
"""Properties of which one value is what is done here, and what is said of others."""
_REFUSED = {
    "ssl": "set the environment variable SSL_CERT_FILE to the certificates that are to be trusted",
    "sslOptions": "set the environment variable SSL_CERT_FILE to the certificates that are to be trusted",
    "proxy": "set the environment variable HTTPS_PROXY",
    "allowedResponseCodes": "a status from 200 to 299 is a success",
}
_NO_EFFECT = {
    "connectTimeout": "a connection has its own limit",
    "connectionPoolIdleTimeout": "connections are closed at the end of the run",
    "logs": "requests are told by the run itself",
    "logLevel": "requests are told by the run itself",
}
BASIC = Finish(lambda text: f"Basic {base64.b64encode(text.encode()).decode()}", lambda found: None,
               "write the header `Authorization` itself")  # fmt: skip
"""The header of a user name and a password."""


def _key(name: str) -> Member:
    return Member(Name("flowContext", 0, 0), Literal(name, 0, 0), 0)


class Response:
    """The outputs of the task: the text is the key of the response without its body, a blank, and that of the body."""

    name = "kestra response"

    def parse(self, text: ForeignText) -> Template:
        """The template of such a text."""
        told, _, body = str(text).partition(" ")
        url, status, headers = (Member(_key(told), Literal(name, 0, 0), 0) for name in ("url", "status", "headers"))
        lists = called(
            "headers", lambda found: {name: [value] for name, value in found.items()}, [headers], 0, len(text)
        )
        given = {"uri": url, "code": status, "headers": lists, "body": _key(body)}
        made = DictOf([Keyword(name, value, 0) for name, value in given.items()], 0, len(text))
        read = [Reference("flowContext", (key,), 0, len(text), True, False) for key in (told, body)]
        return parsed(text, [Output(made)], read)

    def native(self, text: ForeignText, place: Place) -> Native:
        """A map without the headers, which are lists in Kestra."""
        told, _, body = str(text).partition(" ")
        shown = f"uri: flowContext.{told}.url, code: flowContext.{told}.status, body: flowContext.{body}"
        return Native(f"{{{{ {{{shown}}} }}}}", "headers of responses are not among the outputs")

    def kind(self, text: ForeignText, of_key: Callable[[str], Kind | None]) -> Kind | None:
        """A map."""
        return Kind(frozenset(("map",)), members={"uri": TEXT, "code": WHOLE, "body": TEXT})


RESPONSE = Response()


class WebTasks(CommonProperties):
    """Lowers requests to web services."""

    def _request(self, task: Node, id: str) -> Steps:
        self._keys(task, *_OWN)
        key = self._gives(id, OUTPUTS)
        uri = self._needed(task, "uri")
        self._plain(task)
        options: dict[str, Any] = {"url": made("https://example.com", task.span) if uri is None else self._uri(uri)}
        method = task.value.get("method")
        if method is not None and method.value is not None:
            options["method"] = self._method(method)
        headers = self._headers(task)
        before = self._body(task, key, options, headers)
        timeout = self._duration(task, "timeout")
        settings = task.value.get("options")
        limits = [(timeout, task.value["timeout"])] if timeout is not None else []
        limits += self._options(settings, headers, options)
        if limits:
            options["timeoutMs"] = self._deadline(*min(limits, key=lambda each: each[0]))
        if headers:
            options["headers"] = made(headers, task.value.get("headers", task.value["type"]).span)
        told, text = f"{key}_response", f"{key}_body"
        outputs = [{"type": "object", "name": told}, {"type": "text", "name": text}]
        step = self._step("REST", task, {**options, "outputs": outputs})
        for name, meant in (("url", "uri"), ("formData", "formData"), ("timeoutMs", "timeout")):
            if name in options and meant in task.keys:
                step.keys[name] = task.keys[meant]
        given = made(ForeignText(f"{told} {text}", RESPONSE), task.value["type"].span)
        return [*before, step, self._set(task, {key: given})]

    def _uri(self, uri: Node) -> Node:
        if not isinstance(uri.value, str):
            self.findings.add("wrong-type", f"`uri` takes a text, not {show(uri.plain())}", uri)
            return made("https://example.com", uri.span)
        if uri.value.startswith("kestra:"):
            message = "`kestra://` is Kestra's own storage, which is not there"
            self.findings.add("not-supported", message, uri, hint="read the output of the task that made the file")
        elif not uri.value.startswith(("http://", "https://", "{")):
            fix = renamed(uri, f"https://{uri.value}") if re.match(r"[\w-]+(\.[\w-]+)+", uri.value) else None
            hint = f"write `https://{uri.value}`" if fix is not None else "write it in full: `https://…`"
            message = f"`uri` is {show(uri.value)}, which is no web address"
            self.findings.add("wrong-pattern", message, uri, hint=hint, fixes=[fix])
        else:
            return self.scope.text(uri)
        return made("https://example.com", uri.span)

    def _method(self, method: Node) -> Node:
        said = method.value
        if isinstance(said, str) and "{" not in said and said not in METHODS:
            near = said.upper() if said.upper() in METHODS else nearest(said.upper(), METHODS)
            hint = f"did you mean `{near}`?" if near else f"it is one of {', '.join(METHODS)}"
            fix = renamed(method, near) if near else None
            self.findings.add("not-a-choice", f"`method` is {show(said)}", method, hint=hint, fixes=[fix])
            return made("GET", method.span)
        return self.scope.text(method)

    def _plain(self, task: Node) -> None:
        """What of a request is done otherwise here, or not at all."""
        for name, node in task.value.items():
            if name == "params":
                hint = "put them behind the `uri`: `?page=1`"
                self.findings.add("unknown-key", "Request has no property `params`", task.keys[name], hint=hint)
            elif name in _OWN:
                self._told(name, node, task.keys[name])

    def _told(self, name: str, node: Node, key: Node) -> None:
        if name in _REFUSED:
            self.findings.add("not-supported", f"`{name}` is not supported here", key, hint=_REFUSED[name])
        elif name in _NO_EFFECT:
            message = f"`{name}` has no effect here: {_NO_EFFECT[name]}"
            self.findings.add("no-effect", message, key, severity="note")
        elif name in _DONE and node.value not in (_DONE[name][0], None):
            message = f"`{name}: {str(node.plain()).lower()}` is not supported here"
            self.findings.add("not-supported", message, key, hint=_DONE[name][1])

    def _headers(self, task: Node) -> dict[str, Any]:
        node = task.value.get("headers")
        if node is None or node.value is None:
            return {}
        if node.kind != "map":
            message = f"`headers` takes a map, not {show(node.plain())}"
            self.findings.add("wrong-type", message, node, hint="write `headers: {Accept: application/json}`")
            return {}
        return dict(self.scope.inside(node).value)

    def _body(self, task: Node, key: str, options: dict[str, Any], headers: dict[str, Any]) -> Steps:
        """Puts the body or the form into the options; gives the steps that make it."""
        body, form, type = (task.value.get(name) for name in ("body", "formData", "contentType"))
        named = any(name.lower() == "content-type" for name in headers)
        said = self.scope.text(type) if type is not None and isinstance(type.value, str) else None
        if form is not None and body is not None:
            message = "`body` and `formData` stand together, and a request has one of them"
            self.findings.add("conflicting-keys", message, task.keys["formData"], hint="remove one of the two")
        elif form is not None and form.kind != "map":
            hint = "write `formData: {user: Ada}`"
            self.findings.add("wrong-type", f"`formData` takes a map, not {show(form.plain())}", form, hint=hint)
        elif form is not None:
            for name, value in form.value.items():
                if value.kind == "map" and "content" in value.value:
                    message = f"the field `{name}` is a file, and files are not sent here"
                    self.findings.add("not-supported", message, form.keys[name], hint="send its text, or its address")
            if type is not None and type.value == _MULTIPART:
                options["formData"] = self.scope.inside(form)
                return []
            options["body"] = f"{{{{ flowContext.{key}_form | urlencode }}}}"
            if not named:
                headers["content-type"] = _FORM
            return [self._set(task, {f"{key}_form": self.scope.inside(form)})]
        elif body is not None and body.value is not None:
            if body.kind != "scalar":
                message = f"`body` takes a text, not {show(body.plain())}"
                hint = "write it as JSON: `body: \"{{ {'title': inputs.title} | toJson }}\"`, or in a block behind `|`"
                self.findings.add("wrong-type", message, body, hint=hint)
                return []
            text = made(str(body.value), body.span) if not isinstance(body.value, str) else body
            options["body"] = self.scope.text(text)
            if not named:
                headers["content-type"] = _JSON if said is None else said
        elif said is not None and not named:
            headers["content-type"] = said
        return []

    def _options(self, node: Node | None, headers: dict[str, Any], options: dict[str, Any]) -> list[tuple[float, Node]]:
        """Reads `options`; gives the seconds that a response may take, each with its place."""
        if node is None or node.value is None:
            return []
        if node.kind != "map":
            message = f"`options` takes a map, not {show(node.plain())}"
            self.findings.add("wrong-type", message, node, hint="write `options: {readTimeout: PT30S}`")
            return []
        for name, key in node.keys.items():
            if name not in _OPTIONS:
                self.findings.unknown_key(key, _OPTIONS, "`options`", beside=node.value)
            else:
                self._told(name, node.value[name], key)
        self._auth(node, headers)
        most = node.value.get("maxContentLength")
        if most is not None and (isinstance(most.value, bool) or not isinstance(most.value, int) or most.value < 1):
            self.findings.add("wrong-type", f"`maxContentLength` counts bytes, not {show(most.plain())}", most)
        elif most is not None:
            options["maxBytes"] = most
        timeout = node.value.get("timeout")
        inner = timeout if timeout is not None and timeout.kind == "map" else None
        for name, key in inner.keys.items() if inner is not None else ():
            if name not in _TIMEOUT:
                self.findings.unknown_key(key, _TIMEOUT, "`timeout`")
        places = [(node, "readTimeout"), (node, "readIdleTimeout")]
        places += [] if inner is None else [(inner, "readIdleTimeout")]
        found = [(self._duration(around, name), around.value.get(name)) for around, name in places]
        return [(seconds, at) for seconds, at in found if seconds is not None and at is not None]

    def _auth(self, options: Node, headers: dict[str, Any]) -> None:
        """Puts a login into the headers."""
        auth: Node | None = options.value.get("auth")
        if "basicAuthUser" in options.value or "basicAuthPassword" in options.value:
            self._login(options, "basicAuthUser", "basicAuthPassword", headers)
        if auth is None or auth.value is None:
            return
        kind = auth.value.get("type") if auth.kind == "map" else None
        if kind is not None and kind.value == "BASIC":
            self._login(auth, "username", "password", headers)
        elif kind is not None and kind.value == "BEARER":
            token = auth.value.get("token")
            if token is None or not isinstance(token.value, str):
                self.findings.add("missing-key", "`auth` needs `token`", kind, hint="add `token:`")
            elif isinstance(self.scope.text(token).value, str):
                headers["authorization"] = self.scope.text(made(f"Bearer {token.value}", token.span))
        else:
            message = "`auth` needs `type`" if kind is None else f"`type` of `auth` is {show(kind.plain())}"
            self.findings.add("not-a-choice" if kind else "missing-key", message, kind or auth,
                              hint="BASIC and BEARER are supported here")  # fmt: skip

    def _login(self, node: Node, user: str, password: str, headers: dict[str, Any]) -> None:
        parts = [node.value.get(name) for name in (user, password)]
        for name, part in zip((user, password), parts, strict=True):
            if part is None or not isinstance(part.value, str):
                at = part or next(iter(node.keys.values()))
                self.findings.add("missing-key", f"a login needs `{name}`", at, hint=f"add `{name}:`")
                return
        known, first = len(self.findings.diagnostics), parts[0]
        for part in filter(None, parts):
            self.scope.text(part)  # what is wrong in it stands at its own place
        if first is not None and len(self.findings.diagnostics) == known:
            text = ":".join(str(part.value) for part in parts if part is not None)
            headers["authorization"] = self.scope.text(made(text, first.span), BASIC)
