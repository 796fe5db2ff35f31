"""The shapes of what a vendor's plugin gives beside its requests, looked at where it comes in: its data, its models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Protocol

from flowdsl.errors import PluginError, UsageError, in_words
from flowdsl.step.declared import Shape, a_text, lasting, lists_by_name, settings, texts, texts_by_name, with_shapes

if TYPE_CHECKING:
    from datetime import date

    from flowdsl.image.known_model import KnownModel
    from flowdsl.step.key import Key


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
    with_shapes("its `{}`", {each: getattr(vendor, each, None) for each in _SHAPES}, _SHAPES)
    return vendor


_SHAPES: dict[str, Shape] = {
    "title": lasting(a_text),
    "hosts": lasting(texts),
    "settings": lasting(settings),
    "other_names": lasting(texts_by_name),
    "environment": lasting(lists_by_name),
    "deployment_setting": a_text,
    "family": a_text,
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
    except (KeyboardInterrupt, UsageError):  # what a project says of models cannot be: no fault of the plugin
        raise
    except BaseException as error:
        raise PluginError(f"{words} failed in `models`: {in_words(error)}") from error
    return found
