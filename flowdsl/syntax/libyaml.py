"""libyaml's parser as PyYAML binds it, without the modules of PyYAML that nobody here needs.

`import yaml` loads a scanner, a constructor, an emitter and more in Python, which takes a tenth of the time of a whole
check. The binding needs only its events, marks and errors. Until somebody asks for more, `yaml` is therefore a package
whose `__init__` has not run: the first name that it does not have yet runs it, in the same module, so that
`import yaml` means the same as ever to everybody else in the process.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import PathFinder
from types import ModuleType, SimpleNamespace
from typing import Any

NEEDED = ("error", "tokens", "events", "nodes")
"""The modules of which the binding takes classes that it makes or raises while it reads."""
_ERRORS = {
    "reader": "ReaderError",
    "scanner": "ScannerError",
    "parser": "ParserError",
    "composer": "ComposerError",
    "constructor": "ConstructorError",
    "emitter": "EmitterError",
    "serializer": "SerializerError",
    "representer": "RepresenterError",
}
"""The modules of which the binding takes only an error."""
_MARKED = ("scanner", "parser", "composer", "constructor")
"""Those whose error has marks."""


class _Unloaded(ModuleType):
    """PyYAML's package before its `__init__` has run."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module 'yaml' has no attribute {name!r}")
        _load(self)
        return getattr(self, name)


def _load(package: ModuleType) -> None:
    """Runs the package's `__init__`, and gives the binding the errors that stood in for its own."""
    package.__class__ = ModuleType
    for name in _ERRORS:
        if isinstance(package.__dict__.get(name), SimpleNamespace):
            delattr(package, name)
    spec = package.__spec__
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(package)
    for module, error in _ERRORS.items():
        setattr(sys.modules["yaml._yaml"], error, getattr(import_module(f"yaml.{module}"), error))


def _unloaded() -> ModuleType:
    """The package with what the binding asks it for while it is imported."""
    spec = PathFinder.find_spec("yaml")
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError("No module named 'yaml'", name="yaml")
    package = _Unloaded("yaml")
    package.__spec__, package.__loader__, package.__package__ = spec, spec.loader, "yaml"
    package.__file__, package.__path__ = spec.origin, list(spec.submodule_search_locations or ())
    sys.modules["yaml"] = package
    for name in NEEDED:
        import_module(f"yaml.{name}")
    errors = sys.modules["yaml.error"]
    for module, error in _ERRORS.items():
        base = errors.MarkedYAMLError if module in _MARKED else errors.YAMLError
        bases = (_Words, base) if module == "reader" else (base,)
        setattr(package, module, SimpleNamespace(**{error: type(error, bases, {})}))
    return package


class _Words:
    """What the binding raises for a character or byte that YAML does not allow, with PyYAML's words."""

    def __init__(self, name: str, position: int, character: int | bytes, encoding: str, reason: str) -> None:
        shown = ord(character) if isinstance(character, bytes) else character
        what = f"unacceptable character #x{shown:04x}" if encoding == "unicode" else f"byte #x{shown:02x}"
        self.text = f'{what}: {reason}\n  in "{name}", position {position}'

    def __str__(self) -> str:
        return self.text


if "yaml" not in sys.modules:
    _unloaded()
_binding: Any = import_module("yaml._yaml")
Parser = _binding.CParser
_events: Any = import_module("yaml.events")
AliasEvent, ScalarEvent = _events.AliasEvent, _events.ScalarEvent
DocumentStartEvent = _events.DocumentStartEvent
MappingStartEvent, SequenceStartEvent = _events.MappingStartEvent, _events.SequenceStartEvent
_error: Any = import_module("yaml.error")
YAMLError, MarkedYAMLError = _error.YAMLError, _error.MarkedYAMLError
