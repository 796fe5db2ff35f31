"""Words of other tools and languages, and what each is here: data for the hints of the checker, read after a mistake.

GitHub Actions, Kestra, n8n, Redpanda Connect, ComfyUI, Stable Diffusion, Jinja and Python. A text that begins with `=`
names what is called so here, and becomes a fix, after ` + ` with a key that it needs; one that begins with `-` says why
the key goes, and its fix removes it; one that begins with `*` says what the item of a loop is called; one that begins
with `^` is the hint for a key whose own keys stand beside it here; any other text is the hint.
"""

from __future__ import annotations

_IMAGE_STEPS = ("OPENAI_IMAGE_GENERATION", "AZURE_OPENAI_IMAGE_GENERATION", "HUB_IMAGE_GENERATION")
_LOOPS = ("FOR", "WHILE")
_SAVE = "an image step stores its pictures by itself: add a step SAVE_IMAGES with `filename:` behind it"
_SAMPLING = "-the service decides how the picture is drawn: remove it, or choose a `quality`"
_MONITOR = "=monitorLabel"
_ORDER = "-steps run in the order of the file, so that nothing depends on another by name: remove it"
_NEGATIVE = "say in `instruction` what is not to be seen, for example `…, without people`"
_PICTURES = (
    "this step starts from a prompt alone: OPENAI_IMAGE_EDIT and AZURE_OPENAI_IMAGE_EDIT take pictures to edit, with "
    "`images`, `mask` and `input_fidelity`"
)
_LOOP_NAMES = (
    "a loop gives its item the name that `var` says, read as `flowContext.NAME`, and its number, from 0, is "
    "`flowContext.NAME_index`"
)
_ELSE_IF = "write `else:`, and below it `- step: IF` with this condition and its own `then:`"
_ASPECT = "write `size:` as WIDTHxHEIGHT, for example `1536x1024` for a wide picture"

DOCUMENTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("a workflow of GitHub Actions", ("jobs", "on")),
    ("a workflow of GitHub Actions", ("jobs", "true")),
    ("a flow of Kestra", ("namespace", "tasks")),
    ("a workflow of n8n", ("nodes", "connections")),
    ("a workflow of ComfyUI", ("nodes", "links")),
    ("a configuration of Redpanda Connect", ("pipeline", "output")),
    ("a configuration of Redpanda Connect", ("pipeline", "input")),
    ("a configuration of Redpanda Connect", ("input", "output")),
    ("a Docker Compose file", ("services", "version")),
    ("a workflow of Argo", ("apiVersion", "kind", "spec")),
)
"""What a file is, and the keys of its root that say so."""
DOCUMENT_ITEMS = {"class_type": "a workflow of ComfyUI"}
"""What a file is whose root is a map of maps, each with this key."""

ROOT: dict[str, str] = {
    "name": "=title",
    "label": "=title",
    "steps": "=flow",
    "tasks": "=flow",
    "jobs": "=flow",
    "params": "=inputs",
    "parameters": "=inputs",
    "errors": "=onError",
    "on_error": "=onError",
    "catch": "=onError",
    "secrets": "-secrets are not declared: remove it, and read one with `{{ secret('NAME') }}`",
    "env": "constants stand under `blocks:` with `vars:`, and are read as `{{ local.vars.NAME }}`",
    "vars": "constants stand under `blocks:` with `vars:`, and are read as `{{ local.vars.NAME }}`",
    "variables": "constants stand under `blocks:` with `vars:`, and are read as `{{ local.vars.NAME }}`",
    "on": "-a flow is run by who calls it, and has no triggers: remove it",
    "triggers": "-a flow is run by who calls it, and has no triggers: remove it",
    "schedule": "-a flow is run by who calls it, and has no triggers: remove it",
    "namespace": "-a flow has no namespace: remove it",
    "version": "-a flow has no version: remove it",
    "model": "each image step names its own `model:`",
}
"""Keys of a flow, beside `flow:`."""

STEPS: dict[str, str] = {
    "FOREACH": "=FOR + var: item",
    "FOR_EACH": "=FOR + var: item",
    "EACH": "=FOR + var: item",
    "LOOP": "=FOR + var: item",
    "MAP": "=FOR + var: item",
    "REPEAT": "=WHILE",
    "UNTIL": "=WHILE",
    "CASE": "=SWITCH",
    "CATCH": "=TRY",
    "RETRY": "=TRY",
    "ASSIGN": "=SET",
    "VAR": "=SET",
    "LET": "=SET",
    "HTTP": "=REST",
    "HTTP_REQUEST": "=REST",
    "FETCH": "=REST",
    "REQUEST": "=REST",
    "LOG": "=DEBUG",
    "PRINT": "=DEBUG",
    "ECHO": "=DEBUG",
    "WAIT": "=SLEEP",
    "THROW": "=RAISE",
    "FAIL": "=RAISE",
    "ERROR": "=RAISE",
    "JSON_PARSE": "=PARSE_JSON",
    "SAVE": "=SAVE_IMAGES",
    "SAVE_IMAGE": "=SAVE_IMAGES",
    "SAVEIMAGE": "=SAVE_IMAGES",
    "WRITE_FILE": "=DOWNLOAD",
    "OPENAI_IMAGE": "=OPENAI_IMAGE_GENERATION",
    "DALLE": "=OPENAI_IMAGE_GENERATION",
    "DALL_E": "=OPENAI_IMAGE_GENERATION",
    "TEXT_TO_IMAGE": "=OPENAI_IMAGE_GENERATION",
    "TXT2IMG": "=OPENAI_IMAGE_GENERATION",
    "KSAMPLER": "=OPENAI_IMAGE_GENERATION",
    "GENERATE_IMAGE": "=OPENAI_IMAGE_GENERATION",
    "SPAWN": "=PARALLEL",
    "CALL": "=CALL_FLOW",
    "SUBFLOW": "=CALL_FLOW",
    "RETURN": "=END_IF",
    "STOP": "=END",
}
"""Steps, in capitals."""
STEP_PARTS: tuple[tuple[str, str], ...] = (
    ("COMPLETION", "a step that asks a language model is not here: send its request with REST"),
    ("CHAT", "a step that asks a language model is not here: send its request with REST"),
    ("LLM", "a step that asks a language model is not here: send its request with REST"),
    ("EMBEDDING", "a step that asks a language model is not here: send its request with REST"),
    ("SPEECH", "a step for sound is not here: send its request with REST"),
    ("TRANSCRI", "a step for sound is not here: send its request with REST"),
    ("JAVASCRIPT", "code is not run here: templates compute, for example `{{ flowContext.items | length }}`"),
    ("SCRIPT", "code is not run here: templates compute, for example `{{ flowContext.items | length }}`"),
    ("PYTHON", "code is not run here: templates compute, for example `{{ flowContext.items | length }}`"),
)
"""Parts of the names of steps that the platforms these flows come from have, and what would be the step here."""

SHORT = {
    "TRY.retry": "=max + number",
    "END.notification": "=message",
    "END_IF.notification": "=message",
}
"""Keys of steps that hold a map, with the one key of it that a value alone is meant for."""
KEYS: tuple[tuple[tuple[str, ...], dict[str, str]], ...] = (
    (("FOR",), {"in": "=items", "list": "=items", "item": "=var", "as": "=var", "each": "=var"}),
    (("FOR",), {"values": "=items", "foreach": "=items", "of": "=items", "parallel": "=concurrency"}),
    (("WHILE", "IF"), {"if": "=condition", "while": "=condition", "when": "=condition", "expression": "=condition"}),
    (
        ("IF",),
        {"do": "=then", "steps": "=then", "else if": _ELSE_IF, "elseif": _ELSE_IF, "elif": _ELSE_IF},
    ),
    (("SWITCH",), {"value": "=condition", "on": "=condition", "expression": "=condition"}),
    (("SWITCH",), dict.fromkeys(("default", "else"), "write `default:` as one of its `cases:`")),
    (("TRY",), {"do": "=try", "steps": "=try", "except": "=catch", "onError": "=catch", "on_error": "=catch"}),
    (("TRY",), {"fallback": "=catch", "otherwise": "=catch", "rescue": "=catch"}),
    (_LOOPS, {"steps": "=do", "body": "=do", "tasks": "=do", "then": "=do"}),
    (("PARALLEL",), {"tasks": "=steps", "do": "=steps", "branches": "=steps"}),
    (("REST",), {"uri": "=url", "data": "=body", "json": "=body", "payload": "=body", "query": "=parameters"}),
    (("REST",), {"params": "=parameters", "verb": "=method"}),
    (("SAVE_IMAGES", "DOWNLOAD"), {"file": "=filename", "filename_prefix": "=filename", "folder": "=directory"}),
    (
        ("SAVE_IMAGES", "DOWNLOAD"),
        {"dir": "=directory", "images": "=in", "from": "=in", "input": "=in", "name": "=filename"},
    ),
    (
        ("SAVE_IMAGES", "DOWNLOAD"),
        dict.fromkeys(("path", "output", "out", "output_dir", "to", "target", "destination"), "=directory"),
    ),
    (
        _IMAGE_STEPS,
        {
            "positive_prompt": "=instruction",
            "text": "=instruction",
            "negative_prompt": f"-{_NEGATIVE}",
            "negativePrompt": f"-{_NEGATIVE}",
            "negative": f"-{_NEGATIVE}",
            **dict.fromkeys(("steps", "num_inference_steps", "cfg", "cfg_scale", "guidance_scale"), _SAMPLING),
            **dict.fromkeys(("sampler", "sampler_name", "scheduler", "denoise", "clip_skip"), _SAMPLING),
            **dict.fromkeys(("lora", "loras", "vae", "ckpt_name", "checkpoint"), _SAMPLING),
            "temperature": "-image models have no temperature: remove it",
            **dict.fromkeys(("num_images", "number_of_images", "batch_size", "num_outputs", "count"), "=n"),
            **dict.fromkeys(("aspect_ratio", "aspectRatio", "ratio"), f"-{_ASPECT}"),
            **dict.fromkeys(("width", "height"), f"-{_ASPECT}"),
            **dict.fromkeys(
                ("image", "images", "input_image", "input_images", "init_image", "mask", "input_fidelity"), _PICTURES
            ),
            **dict.fromkeys(("reference_image", "reference_images", "referenceImages"), _PICTURES),
            **dict.fromkeys(("resolution", "image_size", "imageSize", "dimensions"), "=size"),
            "format": "=output_format",
            **dict.fromkeys(("filename", "file", "output", "output_path", "path", "out", "directory"), f"-{_SAVE}"),
            **dict.fromkeys(("saveAs", "as", "outputName", "output_name", "outputVariable", "resultKey"), "=outputKey"),
            "name": "=id",
            "api_key": "-a key stands in a service entry, `apiKey:` under `services:`",
            "apiKey": "-a key stands in a service entry, `apiKey:` under `services:`",
            "endpoint": "-the endpoint stands in a service entry, under `services:`",
            "base_url": "-the endpoint stands in a service entry, under `services:`",
        },
    ),
    (
        (),
        {
            "name": _MONITOR,
            "title": _MONITOR,
            "label": _MONITOR,
            "description": "-write what is for people as a comment, `# …`, or as `monitorLabel`",
            "depends_on": _ORDER,
            "dependsOn": _ORDER,
            "needs": _ORDER,
            "with": "^its keys stand beside `step:`: remove `with:`",
            "uses": "a step is named by `step: NAME`; `flowdsl steps` lists them",
            "run": "commands are not run here; `flowdsl steps` lists what is",
            "env": "-read a secret with `{{ secret('NAME') }}` where it is needed, and remove it",
            "continue-on-error": "wrap the step in TRY",
            "allowFailure": "wrap the step in TRY",
            "<<": "YAML's merge keys are not read: write its keys out, or share a block with `!include`",
        },
    ),
)
"""Keys of steps (none: of every step)."""

TIMES = {"timeout": ("timeoutMs", 1000), "timeout_s": ("timeoutMs", 1000), "timeoutSeconds": ("timeoutMs", 1000)}
"""Keys that count in another unit: what they are called here, and what their value is multiplied by where it is
smaller than this."""

INPUT_TYPES = {
    **dict.fromkeys(("STRING", "text", "str", "Text", "uri", "URI", "choice", "select", "SELECT"), "=string"),
    **dict.fromkeys(("date", "datetime", "time", "url", "email", "path", "file", "enum", "textarea"), "=string"),
    **dict.fromkeys(("multiline", "color", "colour", "char", "secret", "password"), "=string"),
    **dict.fromkeys(("INT", "int", "long", "whole"), "=integer"),
    **dict.fromkeys(("FLOAT", "float", "double", "decimal"), "=number"),
    **dict.fromkeys(("BOOLEAN", "BOOL", "bool"), "=boolean"),
    **dict.fromkeys(("ARRAY", "list", "tuple", "MULTISELECT"), "=array"),
    **dict.fromkeys(("JSON", "json", "map", "dict", "OBJECT", "record"), "=object"),
    **dict.fromkeys(("none", "None", "nil"), "=null"),
}
"""Types of inputs."""

NAMES: dict[str, str] = {
    "steps": "a picture of a step is read by its `outputKey`: `{{ flowContext.imageList }}`",
    "outputs": "what a step gives is read from the FlowContext: `{{ flowContext.imageList }}`",
    "secrets": "write `secret('NAME')`",
    "vars": "constants of the flow are read as `local.vars.NAME`, variables as `flowContext.NAME`",
    "variables": "constants of the flow are read as `local.vars.NAME`, variables as `flowContext.NAME`",
    "params": "inputs of the flow are read as `inputs.NAME`",
    "github": "a flow does not know where it runs: declare an input, and give it from the workflow",
    "trigger": "a flow has no trigger: declare an input, and give it from outside",
    "execution": "a flow does not know its execution: declare an input, and give it from outside",
    "taskrun": _LOOP_NAMES,
    "loop": _LOOP_NAMES,
    **dict.fromkeys(("item", "it", "element", "current"), f"*{_LOOP_NAMES}"),
    "labels": "a flow has no labels: declare an input, and give it from outside",
    "$json": "the values of earlier steps are read from the FlowContext: `flowContext.NAME`",
    "$node": "the values of earlier steps are read from the FlowContext: `flowContext.NAME`",
    "$input": "inputs of the flow are read as `inputs.NAME`",
    "$env": "write `secret('NAME')`, or declare an input and give it from outside",
    "process": "write `secret('NAME')`, or declare an input and give it from outside",
    "os": "write `secret('NAME')`, or declare an input and give it from outside",
    "context": "=flowContext",
    "ctx": "=flowContext",
    "flow_context": "=flowContext",
    "input": "=inputs",
}
"""Names in templates."""

_DATES = "templates have no clock: declare an input for the date, and give it from outside"

FUNCTIONS: dict[str, str] = {
    "now": _DATES,
    "today": _DATES,
    "datetime": _DATES,
    "uuid": "templates make no random names: files get names of their own, and an input can be given from outside",
    "namespace": "`{% set %}` inside `{% for %}` changes the outer name here: no namespace is needed",
    "dict": "write a map: `{a: 1}`",
    "list": "that is a filter: `value | list`",
    "min": "write `Math.min(a, b)`; of a list: `list | sort | first`",
    "max": "write `Math.max(a, b)`; of a list: `list | sort | last`",
    "enumerate": "write `{% for item in items %}`, where `loop.index` counts from 1",
    "zip": "walk one list by number: `{% for i in range(0, a | length) %}`",
    "print": "write `{{ value }}`",
    "env": "write `secret('NAME')`",
    "getenv": "write `secret('NAME')`",
}
"""Functions in templates."""

FILTERS: dict[str, str] = {
    "min": "=sort | first",
    "max": "=sort | last",
    "format": "join values with `~`, for example `'No. ' ~ number`",
    "wordwrap": "text is not wrapped here: cut it with `| truncate(40)`",
    "slugify": "=lower | replace(' ', '-')",
    "slug": "=lower | replace(' ', '-')",
    "date": _DATES,
    "strftime": _DATES,
    "dateformat": _DATES,
    "now": _DATES,
    "b64encode": "pictures are handed on as they are; base64 of a text is not made here",
    "from_json": "a step PARSE_JSON reads a JSON text",
    "fromJson": "a step PARSE_JSON reads a JSON text",
    "fromjson": "a step PARSE_JSON reads a JSON text",
    "uniq": "=unique",
    "zfill": "=padStart",
    "number": "=toFloat",
    "yaml": "=json",
    "add": "write `a + b`",
    "filter": "=selectattr",
}
"""Filters in templates, beside those whose record says what others call them."""

METHODS: dict[str, str] = {
    "items": "walk it with `{% for key, value in map %}`",
    "keys": "write `Object.keys(map)`",
    "values": "write `Object.values(map)`",
    "get": "write `map.key | default('')`, or `map[key]`",
    "format": "join values with `~`",
    "append": "write `list.concat([item])`",
    "push": "write `list.concat([item])`",
    "extend": "write `list.concat(other)`",
    "strip": "=trim",
    "title": "write `value | title`",
    "capitalize": "write `value | capitalize`",
    "lower": "=toLowerCase",
    "upper": "=toUpperCase",
    "map": "write `value | pluck('name')`",
    "filter": "write `value | selectattr('name')`",
    "cycle": "write `['a', 'b'][loop.index0 % 2]`",
}
"""Methods in templates."""

METHOD_EDITS: dict[str, str] = {
    "items": "",
    "get": "[{}] | default('')",
    "append": ".concat([{}])",
    "push": ".concat([{}])",
    "extend": ".concat({})",
    "title": " | title",
    "capitalize": " | capitalize",
}
"""What takes the place of a call of such a method, `{}` being its one argument; without that it has none."""
