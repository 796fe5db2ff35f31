"""What a host gives to the runs of its flows: values and functions for templates, a sink, folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from flowdsl.errors import UsageError
from flowdsl.record import Unchanging

if TYPE_CHECKING:
    from ssl import SSLContext

    from httpx import AsyncBaseTransport

OpenTransport = Callable[["SSLContext | None"], "AsyncBaseTransport"]
"""Gives a new transport of httpx, by which requests are sent. It is called in an event loop, once for each group of
requests that share connections, with the TLS settings of a service entry that has certificates of its own, else None.
The transport is closed with the run, or the Environment."""

_ASYNC = 0x80 | 0x200
"""Flags of code: a coroutine function, an async generator function. The module that names them is slow to import."""


class Host(Unchanging):
    """What templates may read of the host, and the sink that flows emit to.

    `secrets` is a function from name to value or None for `secret('NAME')` (default: the environment variables); `env`
    the environment variables that templates may read; `kv` the values of `kv('NAME')`; `objects` names in templates
    (values and functions); `variables` the host variables of `{name}`; `sink` is called with name and payload of what
    flows emit for people and programs (notifications, EMIT_EVENT).

    Raises:
        UsageError: an argument of the wrong kind, or an async function: templates and steps do not wait for them.
    """

    __slots__ = ("env", "kv", "objects", "secrets", "sink", "variables")

    secrets: Callable[[str], str | None] | None
    env: frozenset[str]
    kv: Mapping[str, Any]
    objects: Mapping[str, Any]
    variables: Mapping[str, Any]
    sink: Callable[[str, Any], None] | None

    def __init__(
        self,
        *,
        secrets: Callable[[str], str | None] | None = None,
        env: Iterable[str] = (),
        kv: Mapping[str, Any] | None = None,
        objects: Mapping[str, Any] | None = None,
        variables: Mapping[str, Any] | None = None,
        sink: Callable[[str, Any], None] | None = None,
    ) -> None:
        for name, value in (("variables", variables), ("objects", objects), ("kv", kv)):
            expect(name, value, Mapping, "a dict")
        expect("secrets", secrets, Callable, "a function from name to value, such as `values.get`")
        expect("sink", sink, Callable, "a function of name and payload")
        if isinstance(env, str):
            raise UsageError(f"env takes a list of names: env=[{env!r}]")
        refuse_async("secrets", secrets)
        refuse_async("sink", sink)
        for name, value in (objects or {}).items():
            refuse_async(f"objects[{name!r}]", value)
        self._set(secrets=secrets, env=frozenset(env), sink=sink)
        self._set(kv=frozen(kv), objects=frozen(objects), variables=frozen(variables))

    @property
    def may_give_secrets(self) -> bool:
        """Whether templates can get a marked secret from the host by another way than `secret('NAME')`."""
        from flowdsl.template import holds_secret

        given = (self.kv, self.objects, self.variables)
        return any(holds_secret(value) or not _is_plain(value) for values in given for value in values.values())


METADATA = ("none", "basic", "full")
"""How much the files of pictures may say of themselves."""


class PictureStore(Protocol):
    """What keeps the pictures of runs in the place of a folder, such as object storage: `Storage(images=…)` takes one.

    Names are those that files in a folder would have, `coast-1.png` and `manifest-RUN.json`; those of the bytes as a
    service sent them, `.originals/ab12….png`, stand in a folder of their own. The methods are called in threads, of
    several runs at once. What they raise does not end a run: what could not be kept stays in a temporary folder, and a
    note says where.
    """

    def save(self, name: str, content: BinaryIO) -> str:
        """Keep a file, and give its address, which becomes the `path` of the picture.

        Raises:
            FileExistsError: something has that name. It stays, and another name is tried.
        """
        ...

    def read(self, name: str) -> bytes:
        """The content of a file that was kept."""
        ...

    def exists(self, name: str) -> bool:
        """Whether something has that name."""
        ...


class Storage(Unchanging):
    """The folders of runs: `images` is where pictures are stored, or a `PictureStore` that keeps them, `output` where
    steps such as SAVE_IMAGES write, and no file outside it. `metadata` is how much the files of pictures say of
    themselves: `none`, `basic` (the default, unless flowdsl.toml says otherwise) or `full`, which adds the prompt.

    Raises:
        UsageError: an argument that is no path and no store, or a level of metadata that does not exist.
    """

    __slots__ = ("images", "metadata", "output")

    images: str | PictureStore
    output: str
    metadata: str | None

    def __init__(
        self,
        *,
        images: str | os.PathLike[str] | PictureStore = "flowdsl-images",
        output: str | os.PathLike[str] = "flowdsl-output",
        metadata: str | None = None,
    ) -> None:
        expect("output", output, (str, os.PathLike), "the path of a folder")
        if not isinstance(images, (str, os.PathLike)):
            _expect_store(images)
        if metadata is not None and metadata not in METADATA:
            raise UsageError(f"metadata is one of {', '.join(METADATA)}, not {metadata!r}")
        images = os.fspath(images) if isinstance(images, (str, os.PathLike)) else images
        self._set(images=images, output=os.fspath(output), metadata=metadata)


def _expect_store(value: Any) -> None:
    """Raises UsageError for what is no store of pictures."""
    methods = {name: getattr(value, name, None) for name in ("save", "read", "exists")}
    missing = [name for name, method in methods.items() if not callable(method)]
    if len(missing) == len(methods) or isinstance(value, type):
        raise UsageError(f"images takes the path of a folder, or a PictureStore, not {type(value).__name__}")
    if missing:
        raise UsageError(f"images takes a PictureStore, and {type(value).__name__} has no method {', '.join(missing)}")
    for name, method in methods.items():
        refuse_async(f"images.{name}", method)


def _is_plain(value: Any) -> bool:
    """Whether a value is JSON's: a function or an object of the host can give what it likes."""
    waiting, seen = [value], set[int]()  # a list may hold itself
    while waiting:
        value = waiting.pop()
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else None
        if inside is not None and id(value) not in seen:
            seen.add(id(value))
            waiting += inside
        elif inside is None and value is not None and not isinstance(value, (str, int, float)):
            return False
    return True


def frozen(values: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """A copy of a map that cannot be changed."""
    return MappingProxyType(dict(values or {}))


def expect(name: str, value: Any, kind: Any, wanted: str) -> None:
    """Raises UsageError for an argument that is given and of another kind."""
    if value is not None and not isinstance(value, kind):
        raise UsageError(f"{name} takes {wanted}, not {type(value).__name__}")


def refuse_async(name: str, function: Any) -> None:
    """Raises UsageError for an async function where nobody would wait for what it returns."""
    inner = getattr(function, "func", function)  # of a functools.partial
    for called in (inner, vars(type(inner)).get("__call__")):
        code = getattr(called, "__code__", None)
        if code is not None and code.co_flags & _ASYNC:
            raise UsageError(
                f"{name} is an async function, and nobody waits for what it returns: give a plain one, or await it "
                "before the run"
            )


def expect_doors(journal: Any, effects: Any) -> None:
    """Raises UsageError for what is no journal, or cannot stand in the door of effects."""
    if journal is not None and (isinstance(journal, type) or not callable(getattr(journal, "door", None))):
        wanted = "flowdsl.Journal(FOLDER), or an object with the method `door`"
        raise UsageError(f"journal takes {wanted}, not {_kind(journal)}")
    if effects is not None and (isinstance(effects, type) or not callable(getattr(effects, "perform", None))):
        wanted = "an object with the methods `perform` and `perform_now`"
        raise UsageError(f"effects takes {wanted}, not {_kind(effects)}")


def _kind(value: Any) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
