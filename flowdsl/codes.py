"""The codes of diagnostics, notes and errors: the one table of what flowdsl and its steps can say.

`docs/checking.md` is made from it. A new finding begins with a row here. A step of somebody else uses codes of its
own: nothing has to be listed here to be emitted.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

Severity = Literal["error", "warning", "note"]
"""How bad a finding is; only an error keeps a flow from running."""
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
"""All of them, the gravest first."""


class Code(NamedTuple):
    """What stands behind a code: how bad it is, one sentence on it, and the version that has it first.

    `also` are the severities it has where less, or more, is known than usual.
    """

    name: str
    severity: Severity
    meaning: str
    also: tuple[Severity, ...] = ()
    since: str = "0.1.0"


FINDINGS = (
    Code("not-utf8", "error", "The file is not UTF-8 text."),
    Code("empty-file", "error", "The file holds nothing, or only comments."),
    Code("not-a-flow", "error", "The file is YAML, but neither a list of steps nor a map with `flow:`."),
    Code("empty-flow", "error", "The flow has no steps."),
    Code("yaml-syntax", "error", "The file is not YAML at this place."),
    Code("tab", "error", "A tab indents a line; YAML takes spaces only."),
    Code("indentation", "error", "The indentation of a line fits nothing above it."),
    Code("second-document", "error", "A second YAML document begins in the file."),
    Code("unquoted-template", "error", "A value that starts with a template is not quoted."),
    Code("unquoted-colon", "error", "A text with `: ` in it is not quoted."),
    Code("unquoted-sign", "error", "A text that starts with a sign of YAML is not quoted."),
    Code("quote-in-quotes", "error", "A quote inside a quoted text ends it too early."),
    Code("comment-in-text", "warning", "A ` #` inside a text without quotes begins a comment."),
    Code("complex-key", "error", "A list or map stands where a key is needed."),
    Code("duplicate-key", "error", "A map has the same key twice."),
    Code("misnested-key", "error", "A key is indented, or has a dash, so that it stands outside its step."),
    Code("unknown-tag", "error", "A YAML tag that means nothing in a flow."),
    Code("unknown-alias", "error", "A YAML alias names no anchor above it."),
    Code("alias-cycle", "error", "A YAML alias stands inside the value it names."),
    Code("alias-bomb", "error", "The aliases of the file expand to too many values."),
    Code("too-deep", "error", "Lists and maps stand too deep in each other."),
    Code("json-syntax", "error", "A file of inputs, or of another system, is not JSON."),
    Code("csv-syntax", "error", "A file of inputs is not CSV whose first line names the columns."),
    Code("unknown-step", "error", "No step has this name."),
    Code("unknown-key", "error", "The step, or the part of the file, has no such key.", also=("warning",)),
    Code("unknown-port", "error", "The step has no input or output of this type."),
    Code(
        "unknown-service",
        "warning",
        "No service entry has this name; an error where settings are at hand that have a similar one.",
        also=("error",),
    ),
    Code("unknown-flow", "error", "No flow that can be called has this name."),
    Code("undefined-block", "error", "Nothing in blocks and imports has this name.", also=("warning",)),
    Code("unknown-member", "error", "A value of a known type has no such member.", also=("warning",)),
    Code("missing-file", "error", "A file that is included or imported, or that a step reads, is not there."),
    Code(
        "outside-root", "error", "A file that is included or imported, or that a step reads, lies outside the project."
    ),
    Code("include-cycle", "error", "A file includes itself, directly or through others."),
    Code("import-cycle", "error", "A module imports itself, directly or through others."),
    Code("import-collision", "error", "Two imports have the same alias."),
    Code("not-a-module", "error", "A file that is imported is no module."),
    Code("vars-cycle", "error", "Vars are defined by each other."),
    Code("scripts-refused", "error", "A module holds JavaScript in `scripts`, which is not run."),
    Code("template-in-constant", "warning", "A constant holds a template, which is not resolved."),
    Code("outside-loop", "error", "A step that ends a loop or its iteration stands in no loop."),
    Code(
        "break-in-concurrent-loop", "error", "A step that ends a loop stands in one whose iterations run side by side."
    ),
    Code("deprecated-key", "warning", "An old name of a key; the hint has the present one."),
    Code("deprecated-alias", "note", "An old name of a step; the hint has the present one."),
    Code("missing-key", "error", "A key that must be there is not.", also=("warning",)),
    Code("missing-prompt", "error", "An image step has no prompt."),
    Code("missing-input", "error", "An input that must be given is not, or a step has nothing to work on."),
    Code("wrong-type", "error", "A value is of a type that cannot stand there.", also=("warning",)),
    Code("wrong-pattern", "error", "A text does not have the form that its key needs."),
    Code("wrong-length", "error", "A text or list is too short or too long for its key."),
    Code("out-of-range", "error", "A number is smaller or larger than its key allows."),
    Code("not-a-choice", "error", "A value is not one of those that its key allows.", also=("warning",)),
    Code("conflicting-keys", "error", "Keys stand together that exclude each other."),
    Code("conflicting-values", "error", "The values of two keys exclude each other."),
    Code(
        "duplicate-id",
        "error",
        "Two steps of a flow, or two actions of a kit, have the same id; a warning for two of one title and no id.",
        also=("warning",),
    ),
    Code("no-effect", "warning", "A key does nothing here, or not without another one.", also=("error", "note")),
    Code("template-syntax", "error", "A template cannot be read."),
    Code("unknown-filter", "error", "A template uses a filter that does not exist."),
    Code("unknown-test", "error", "A template uses a test that does not exist."),
    Code("undefined-variable", "error", "A template reads a name that nothing sets.", also=("warning",)),
    Code(
        "undefined-input",
        "error",
        "A template reads, or the caller gives, an input that is not declared.",
        also=("warning",),
    ),
    Code("lost-spelling", "warning", "A number is printed whose text in the file is another one, as of `1.10`."),
    Code("bare-name", "note", "A name of the FlowContext is written without `flowContext.`."),
    Code("single-braces", "warning", "A name stands in single braces, which is no template."),
    Code("missing-extra", "error", "The step needs a package that is not installed."),
    Code("foreign-syntax", "warning", "A text is written as another language writes it, and is only text here."),
    Code("dropped-error", "warning", "The error of a paid step is dropped: nothing catches it.", also=("note",)),
    Code("maybe-undefined", "warning", "A template reads a name that some path to this step does not set."),
    Code(
        "stale-value",
        "warning",
        "An iteration may read what an earlier one set: its own steps can fail or be left out.",
    ),
    Code("constant-condition", "warning", "A condition always has the same result."),
    Code("loop-never-runs", "warning", "A loop has nothing to go through."),
    Code("loop-runs-once", "warning", "A loop always ends after its first iteration."),
    Code("unreachable-step", "warning", "No path leads to this step."),
    Code("parallel-write-conflict", "warning", "Two things that run side by side set the same key."),
    Code("unused-import", "note", "Nothing uses this import."),
    Code("unused-block", "note", "Nothing uses this entry of `blocks`."),
    Code("lost-images", "warning", "A loop makes pictures, and only those of its last iteration are left."),
    Code("unused-variable", "note", "Nothing reads this variable."),
    Code("secret-leak", "warning", "A secret can reach a prompt or an output."),
    Code("house-rule", "error", "A step asks for what a rule of the house forbids.", ("note",)),
    Code("plain-secret", "warning", "A key of a service stands in the file in plain text."),
    Code(
        "key-for-foreign-host",
        "warning",
        "A file names a host that keys of the environment are not sent to, and no key.",
    ),
    Code(
        "shifted-file-name",
        "warning",
        "Files are named by the number of an item in a list, and a loop leaves some of its items out.",
    ),
    Code("same-file-name", "note", "A loop gives its files one name, and they get numbers."),
    Code("outside-output", "error", "A folder lies outside the output folder."),
    Code("not-a-file-name", "error", "A text cannot be the name of a file, or not as it is meant.", also=("warning",)),
    Code("invalid-header", "error", "A name or value cannot be an HTTP header, or is set by flowdsl itself."),
    Code("invalid-schema", "error", "A JSON Schema is not one, or says what no JSON Schema says.", also=("warning",)),
    Code("invalid-default", "error", "The default of an input does not fit its schema."),
    Code("unknown-model", "note", "The catalogue does not know this model.", also=("warning",)),
    Code("retired-model", "error", "The model has been shut down.", also=("warning", "note")),
    Code("retiring-model", "warning", "The model will be shut down soon.", also=("note",)),
    Code("unsupported-parameter", "error", "The model does not accept this key."),
    Code("unsupported-value", "error", "The model does not accept this value.", also=("warning",)),
    Code("dropped-parameter", "warning", "A key is not sent, because the model has only one way to do it."),
    Code("too-long", "error", "The prompt is longer than the model accepts."),
    Code("unverified-option", "note", "It is not known whether the model accepts this."),
    Code("unstable-value", "warning", "The model accepts this value, but not reliably or not for long."),
    Code("experimental-size", "note", "The vendor calls this size experimental."),
    Code("old-api-version", "warning", "The API version of the service is older than the model."),
    Code("judged-purchase", "note", "A block that is repeated can fail by a picture that is not bought again."),
    Code("fan-out", "note", "The pictures are asked for in several requests."),
    Code("seed-not-sent", "note", "`seed` is not sent to the service."),
    Code("acts-as-zero", "warning", "A negative number of retries is the same as none."),
    Code("short-timeout", "note", "The timeout is shorter than the model may need."),
    Code("personal-identifier", "note", "`user` or `safety_identifier` looks like an e-mail address."),
    Code("bloblang-syntax", "error", "A mapping or query of Bloblang is wrong, or not of the part that is supported."),
    Code("interpolated-mapping", "warning", "A text with `${! }` stands where the engine wants a mapping of Bloblang."),
    Code("picture-as-lines", "warning", "Pictures go to a file with a line end behind each."),
    Code("bare-field", "note", "A bare word of Bloblang is a field of each message."),
    Code("no-such-step", "error", "A test names a step that its flow does not have, or that cannot fail so."),
    Code("impossible-expectation", "error", "A test expects what cannot come."),
    Code("not-supported", "error", "A part of a document of another system is not supported here.", also=("note",)),
    Code("no-standard-input", "error", "A step reads standard input, and where it runs that is not the flow's."),
    Code("unused-ignore", "warning", "A comment ignores what is not found there, or what cannot be ignored."),
    Code("unknown-code", "warning", "A comment ignores a code that no finding has."),
    Code("ignore-without-code", "warning", "A comment ignores findings and names no code."),
    Code("invalid-setting", "error", "A settings file says what cannot be."),
)
"""What a check can find."""

FAILURES = (
    Code("invalid-input", "error", "An input does not fit its schema."),
    Code("file-by-value", "error", "A value names a file to read, and in this run only the flow itself may."),
    Code("invalid-option", "error", "A resolved option does not fit its key."),
    Code("service-not-configured", "error", "The service entry lacks something, such as its endpoint or key."),
    Code("unknown-provider", "error", "The service entry names a provider that does not exist."),
    Code("invalid-endpoint", "error", "The endpoint of the service is not one that can be used."),
    Code("invalid-key", "error", "A key holds what no key has, such as quotes or a line break."),
    Code("key-not-sent", "error", "A key that no file names would go to a host that only a file names."),
    Code("invalid-certificate", "error", "The certificate, or key, of the service entry cannot be used."),
    Code("transport-failed", "error", "The transport of the host application cannot be opened."),
    Code("secret-not-set", "error", "A secret that is read is not set."),
    Code("endpoint-changed", "note", "The endpoint of the service was corrected before the request."),
    Code("not-in-batch", "note", "A request cannot go through the vendor's batch, and was sent directly."),
    Code("loop-held", "note", "A step of the host held the event loop, in which nothing else went on."),
    Code("label-failed", "note", "A `monitorLabel` could not be made."),
    Code("fewer-images", "note", "A service sent fewer pictures than it was asked for."),
    Code("request-too-large", "error", "A request is larger than a file of the vendor's batch may be."),
    Code("batch-in-doubt", "error", "The vendor was asked for a batch, and nobody knows whether it is made."),
    Code("batch-refused", "error", "The vendor refused the file of a batch: nothing of it is done."),
    Code("batch-not-done", "error", "The vendor's batches ended without coming to the request."),
    Code("not-in-batch-results", "error", "A batch ended and does not say what became of the request."),
    Code(
        "images-missing",
        "error",
        "A service sent fewer pictures than the host accepts.",
    ),
    Code("plugin-fault", "note", "A plugin gave what cannot be: a fact of a response counts as unknown."),
    Code("other-format", "note", "A picture is of another format than was asked for, or holds scripts."),
    Code("no-picture", "note", "A service ended its work without a picture, and said why."),
    Code("picture-incomplete", "note", "The end of a picture's file did not come; what came is kept."),
    Code("picture-unnamed", "note", "A picture got no file with a name or no metadata, or is not in `manifest.json`."),
    Code("service-refused", "error", "The service does not accept the request; sending it again does not help."),
    Code("quota-exceeded", "error", "The account has no quota left."),
    Code("content-refused", "error", "Moderation refused the prompt or the picture."),
    Code("service-rate-limited", "error", "The service had too many requests."),
    Code("service-unavailable", "error", "There was no connection, a broken one, or a failure of the server."),
    Code("service-timeout", "error", "No response in time."),
    Code("service-failed", "error", "The service did not deliver, for another reason."),
    Code("retry", "note", "A request is sent again, or a block that failed runs again."),
    Code("paid-before", "note", "A repetition uses what was paid for before it."),
    Code("recovered", "note", "A run that was resumed uses what it had paid for."),
    Code("journal-behind", "note", "The journal could not be written: what was bought stands in it as in doubt."),
    Code("journal-unwritable", "error", "The journal cannot be written, so nothing is bought."),
    Code("journal-full", "error", "The journal cannot grow: the disk is full."),
    Code("journal-damaged", "error", "The file of the journal is damaged."),
    Code("journal-busy", "error", "Another process holds the journal for too long."),
    Code("journal-newer", "error", "A newer flowdsl has written the journal."),
    Code("journal-closed", "error", "The journal was closed while a run went on."),
    Code("run-goes-on", "error", "A run of this id goes on already, or was there before."),
    Code("request-held", "error", "A request was sent before, and nobody knows what became of it."),
    Code("picture-gone", "error", "A picture that was paid for cannot be used again: its file is gone."),
    Code("finally-failed", "note", "`finally` failed while the run was ending."),
    Code("invalid-url", "error", "A `url` is not a web address that can be requested."),
    Code("private-address", "error", "A request to an address of a private network is not sent."),
    Code("redirect-refused", "error", "A redirect is not followed."),
    Code("response-too-large", "error", "A response has more bytes than `maxBytes`."),
    Code("too-large", "error", "A value has more bytes than the limit."),
    Code("binary-response", "note", "A response that is not text was read as text."),
    Code("not-recorded", "error", "A replay asks for something that its recording does not have."),
    Code("not-json", "error", "A text is not JSON."),
    Code("schema-misfit", "error", "A JSON value does not fit its schema."),
    Code("not-base64", "error", "A text is not base64."),
    Code("file-exists", "error", "A folder has the name that a file is to get."),
    Code("output-unwritable", "error", "The output folder cannot be written to."),
    Code("empty-response", "error", "The response holds no picture."),
    Code("broken-response", "error", "The response cannot be read."),
    Code("not-an-image", "error", "The bytes are no image."),
    Code("image-not-fetched", "error", "A picture that was made could not be fetched from its address."),
    Code("image-left", "note", "A picture that is paid for is still at the address that the note says."),
    Code("image-too-large", "error", "A picture has more bytes than the limit."),
    Code("image-unwritable", "error", "A picture could not be stored."),
    Code("image-unreadable", "error", "A stored picture cannot be read."),
    Code("template-failed", "error", "A template failed while it was rendered."),
    Code("template-limit", "error", "A template wanted more than it may use."),
    Code("deadline", "error", "The run took longer than its limit."),
    Code("too-many-steps", "error", "The run has more steps than its limit."),
    Code("context-too-large", "error", "The values of the run take more memory than its limit."),
    Code("too-many-requests", "error", "The run would send more paid requests than it may."),
    Code("budget-spent", "error", "A request can cost more than the run may still spend."),
    Code("unknown-price", "error", "The run may spend a limited sum, and the price of a request is not known."),
    Code("too-many-iterations", "error", "A loop has more iterations than its limit."),
    Code("call-depth", "error", "Flows call each other too deep."),
    Code("limit-exceeded", "error", "Another limit of the run was reached."),
    Code("record-failed", "note", "A message is marked as failed, and goes on."),
    Code("records-failed", "error", "Messages were marked as failed when they came to their end."),
    Code("query-failed", "error", "A query of Bloblang failed for a message."),
    Code("no-record", "error", "A step that works on a message stands where there is none."),
    Code("no-records", "note", "The input held no message."),
    Code("input-unreadable", "error", "The input of messages cannot be read."),
    Code("step-failed", "error", "A step could not do its work."),
    Code("step-crashed", "error", "A step failed in a way it did not foresee, which is a bug in that step."),
    Code("listener-failed", "error", "The host's listener raised what asyncio would take for a cancelled run."),
    Code("plugin-failed", "error", "A plugin, such as a vendor of pictures, failed or gave what it must not."),
    Code("run-failed", "error", "The run failed, for another reason."),
)
"""What can go wrong, or be noted, only when the flow runs. Any finding of a check is possible then too, when a
template decides the value."""

CODES = {code.name: code for code in (*FINDINGS, *FAILURES)}
"""Every code by its name."""


def severity_of(code: str) -> Severity:
    """The severity of a code; that of a code which is not in the table is `error`."""
    row = CODES.get(code)
    return "error" if row is None else row.severity


PAGES = "https://flowdsl.readthedocs.io/en/stable/findings/"
"""Where the pages of `docs/findings` are published: one for each code."""


def address(code: str) -> str | None:
    """The address of the page that explains a code; None for a code of somebody else's step."""
    return f"{PAGES}{code}.html" if code in CODES else None
