"""Step: the class that is the one truth about a step."""

from __future__ import annotations

import re
import typing
from collections.abc import Awaitable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from flowdsl.errors import PluginError
from flowdsl.nearest import nearest
from flowdsl.step.declared import (
    Shape,
    a_check,
    a_flag,
    a_text,
    lists_by_name,
    ports,
    rules,
    texts,
    texts_by_name,
    with_shapes,
)
from flowdsl.step.field_key import key_of
from flowdsl.step.flow_shapes import Leaf
from flowdsl.step.models import BaseModel, ConfigDict
from flowdsl.step.rules import Check, Rule
from flowdsl.step.shape_rules import fitting_shape
from flowdsl.step.signals import Signal
from flowdsl.step.spec import StepSpec

if TYPE_CHECKING:
    from flowdsl.step.compiling import Execute, StepCompiler
    from flowdsl.step.purchase import Expected, Purchase
    from flowdsl.step.service import Service
    from flowdsl.step.step_context import StepContext

Written = Mapping[str, Any] | Signal | None
"""What a step returns: output type → value, a signal, or nothing."""


class Step(BaseModel):
    """A step of the language: a frozen pydantic model of its options with a `run`.

    Subclass with `name="NAME"` and, where they apply, `flow` (what it means for the flow around it, for example
    `Loop(body="do", items="items")`), `aliases`, `rules`, `inputs`, `outputs`, `service` (the name of its default
    service entry) with `provider` and `environment` (setting → names of environment variables), `check` (a
    capability check), `entry` (gives the settings of the service that the options themselves hold), `writes_to` (the
    field that names the output key), `category`, `deprecated_keys` (old key → key)
    and `examples` (YAML). A class without a name is abstract.

    Raises:
        PluginError: at class creation: the name is not upper case, a rule or `flow` names an unknown key, a field holds
            steps and `flow` does not say when they run, or `run` is missing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, arbitrary_types_allowed=True)
    writes_files: ClassVar[bool] = False
    """Whether it writes into the output folder: that it can be written to is found out before anything is paid for."""
    declared: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, **declared: Any) -> None:
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(cls, name: str | None = None, **declared: Any) -> None:
        super().__pydantic_init_subclass__()
        for argument in sorted(set(declared) - _DECLARABLE):
            near = nearest(argument, sorted(_DECLARABLE))
            hint = f", did you mean `{near}`?" if near else ""
            raise PluginError(f"{cls.__name__}: unknown class argument {argument}{hint}")
        for argument in ("aliases", "inputs", "outputs", "examples"):
            if isinstance(declared.get(argument), str):
                value = declared[argument]
                raise PluginError(f"{cls.__name__}: {argument} takes a tuple: {argument}=({value!r},)")
        declared = with_shapes(f"{cls.__name__}: {{}}", declared, _SHAPES)
        inherited = {k: v for k, v in cls.declared.items() if k not in ("name", "aliases")}
        cls.declared = {**inherited, **declared, "name": name}
        if name is not None:
            spec_of(cls)
            if cls.run is Step.run and cls.compile.__func__ is Step.compile.__func__:  # type: ignore[attr-defined]  # a bound class method
                raise PluginError(f"{name}: {cls.__name__} has no `run`: define `def run(self, ctx): …`")

    @classmethod
    def compile(cls, compiler: StepCompiler) -> Execute | None:
        """What runs this step at its place in a flow, for steps that resolve their options themselves.

        None, the default, is right for every step that has a `run`: its options are resolved before.
        """
        return None

    @classmethod
    def require(cls, service: Service, given: Mapping[str, Any]) -> None:
        """Called before the first step of a run is paid, for a step with a service that the run surely comes to:
        `service` is its entry, `given` its options as far as no template decides them.

        Raises:
            ConfigError: the entry lacks what the step needs.
        """

    @classmethod
    def buys(cls, expected: Expected) -> Iterable[Purchase]:
        """The paid requests that one execution of the step sends, as far as they are known before: what `flowdsl plan`
        adds up. Nothing, the default, is right for every step that asks no paid service."""
        return ()

    @classmethod
    def reads_standard_input(cls, given: Mapping[str, Any]) -> str | None:
        """The key that says that a step reads the standard input of the process; None, the default, where none does.
        `given` are its options as they are written, templates too. With `Limits(standard_input=False)` a flow with such
        a step is not run."""
        return None

    def run(self, ctx: StepContext) -> Written | Awaitable[Written]:
        """Do the work and return what to write, by output type. May be a plain or an async function."""
        raise NotImplementedError


_SHAPES: dict[str, Shape] = {
    "aliases": texts,
    "rules": rules,
    "inputs": ports,
    "outputs": ports,
    "service": a_text,
    "provider": a_text,
    "environment": lists_by_name,
    "check": a_check,
    "entry": a_check,
    "writes_to": a_text,
    "category": a_text,
    "deprecated_keys": texts_by_name,
    "examples": texts,
    "blocking": a_flag,
    "replaces": a_flag,
}
_DECLARABLE = {*_SHAPES, "flow"}


def spec_of(cls: type[Step]) -> StepSpec:
    """The spec of a step class, made once for each class.

    Raises:
        PluginError: the class has no name or a bad one, a rule that names an unknown key, or a `flow` that does not
            fit its keys.
    """
    if "_spec" in cls.__dict__:
        return typing.cast(StepSpec, cls.__dict__["_spec"])
    declared = cls.declared
    name = declared.get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
        raise PluginError(
            f'{cls.__name__}: a step needs an upper-case name, for example class {cls.__name__}(Step, name="MY_STEP")'
        )
    keys = {key.name: key for key in (key_of(field, info) for field, info in cls.model_fields.items())}
    for key in keys.values():
        if key.deferred and key.required:
            raise PluginError(
                f"{name}: the field `{key.field}` is Deferred, and needs a default, because it is resolved only while "
                f'the step runs; rules=(AtLeastOne("{key.name}"),) says that it must be given'
            )
    own_rules: tuple[Rule, ...] = declared.get("rules", ())
    for rule in own_rules:
        for named in rule.keys:
            if named not in keys:
                raise PluginError(f"{name}: the rule {rule!r} names the key `{named}`, which the step does not have")
    writes_to = declared.get("writes_to")
    if writes_to is not None and writes_to not in keys:
        raise PluginError(f"{name}: writes_to names the key `{writes_to}`, which the step does not have")
    check: Check | None = declared.get("check")
    spec = StepSpec(
        name,
        qualname=f"{cls.__module__}:{cls.__qualname__}",
        keys=keys,
        summary=_first_paragraph(cls.__doc__),
        aliases=declared.get("aliases", ()),
        rules=own_rules,
        inputs=declared.get("inputs", ()),
        outputs=declared.get("outputs", ()),
        service=declared.get("service"),
        provider=declared.get("provider"),
        environment=declared.get("environment"),
        check=check,
        entry=declared.get("entry"),
        category=declared.get("category") or "Other",
        deprecated_keys=declared.get("deprecated_keys"),
        writes_to=writes_to,
        examples=declared.get("examples", ()),
        flow=fitting_shape(name, declared.get("flow", Leaf()), keys),
    )
    type.__setattr__(cls, "_spec", spec)
    return spec


def _first_paragraph(doc: str | None) -> str:
    return " ".join((doc or "").strip().split("\n\n")[0].split())
