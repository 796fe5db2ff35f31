"""The shapes of what a vendor's plugin gives beside its requests, looked at where it comes in: its data, its models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Protocol

from flowdsl.errors import PluginError, in_words
from flowdsl.step.spec import Key

if TYPE_CHECKING:
    from datetime import date

    from flowdsl.image.known_model import KnownModel


class Provider(Protocol):
    """What is asked of a vendor here; the plugin that brings it asks more."""

    @property
    def settings(self) -> tuple[Key, ...]:
        """Settings of an entry beyond the common ones."""

    @property
    def other_names(self) -> Mapping[str, str]:
        """Names that others have for them → the setting."""

    @property
    def environment(self) -> Mapping[str, tuple[str, ...]]:
        """Setting → the environment variables that give it, the first one set."""

    @property
    def title(self) -> str:
        """The vendor's name in words."""

    def models(self, as_of: date | None = None) -> Sequence[KnownModel]:
        """What is known of its models on a day (today when absent), the newest first."""


def fitting(name: str, vendor: Any) -> Any:
    """A vendor whose data has the shapes that are read everywhere.

    Raises:
        PluginError: it has another.
    """
    if isinstance(vendor, type):
        raise PluginError(f"it is the class {vendor.__name__}, and not an object of it")
    named = getattr(vendor, "name", None)
    if named != name:
        raise PluginError(f"its `name` is {named!r}, and not that of its entry point")
    for attribute, (fits, wanted) in _SHAPES.items():
        value = getattr(vendor, attribute, None)
        if not fits(value):
            raise PluginError(f"its `{attribute}` is a {type(value).__name__} that is not {wanted}")
    return vendor


def _is_texts(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(isinstance(each, str) and each for each in value)


_SHAPES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "title": (lambda value: isinstance(value, str), "a text"),
    "hosts": (_is_texts, "a tuple of host names"),
    "settings": (
        lambda value: isinstance(value, (tuple, list)) and all(isinstance(each, Key) for each in value),
        "a tuple of Keys",
    ),
    "other_names": (
        lambda value: isinstance(value, Mapping) and _is_texts((*value.keys(), *value.values())),
        "a map of names",
    ),
    "environment": (
        lambda value: (
            isinstance(value, Mapping)
            and all(isinstance(key, str) and _is_texts(names) for key, names in value.items())
        ),
        "a map of settings and tuples of variables",
    ),
    "deployment_setting": (lambda value: value is None or isinstance(value, str), "a text or None"),
    "family": (lambda value: value is None or isinstance(value, str), "a text or None"),
}


def models_of(words: str, vendor: Provider, as_of: date | None = None) -> Sequence[KnownModel]:
    """What is known of the models of a vendor; `words` name its plugin.

    Raises:
        PluginError: its code fails, or gives something else.
    """
    from flowdsl.image.known_model import KnownModel

    try:
        found = vendor.models(as_of)
        if isinstance(found, CoroutineType):
            found.close()
            raise TypeError("it is async, and a plain function is meant")
        if not isinstance(found, (list, tuple)) or not all(isinstance(each, KnownModel) for each in found):
            raise TypeError(f"it gave a {type(found).__name__}, and not a list of KnownModel")
        for each in found:
            each.to_dict()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PluginError(f"{words} failed in `models`: {in_words(error)}") from error
    return found
