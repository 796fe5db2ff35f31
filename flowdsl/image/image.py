"""An image as a FlowContext holds it: never the bytes, but a mapping over what is known of them. `b64_json` is computed
from the file each time it is read."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from flowdsl.errors import StepError

_KEYS = (
    "url",
    "b64_json",
    "path",
    "mime",
    "width",
    "height",
    "bytes",
    "sha256",
    "revised_prompt",
    "url_expires_at",
)
_JSON_KEYS = ("path", "mime", "width", "height", "sha256", "url", "revised_prompt")


class Image(Mapping[str, Any]):
    """One generated image: a mapping over those of its keys that are known, which are its attributes too.

    `path` is the absolute path of its file, `bytes` its size, `width` and `height` are pixels, `url` is the vendor's
    address for it and `url_expires_at` the Unix time in seconds when that ends. In a run that file has a name for
    people, and may hold metadata; `original` is the path of the bytes as they came, which `bytes` and `sha256` are of.
    Two images are equal when their bytes and what is known of them are.
    """

    __slots__ = (
        "_kept",
        "_path",
        "bytes",
        "height",
        "mime",
        "original",
        "revised_prompt",
        "sha256",
        "url",
        "url_expires_at",
        "width",
    )

    def __init__(
        self,
        *,
        path: str,
        mime: str,
        bytes: int,
        sha256: str,
        width: int | None = None,
        height: int | None = None,
        url: str | None = None,
        revised_prompt: str | None = None,
        url_expires_at: int | None = None,
    ) -> None:
        self._path = path
        self._kept: Callable[[], builtins.bytes] | None = None
        self.original: Final = path
        self.mime: Final = mime
        self.bytes: Final = bytes
        self.sha256: Final = sha256
        self.width: Final = width
        self.height: Final = height
        self.url = url
        self.revised_prompt = revised_prompt
        self.url_expires_at: Final = url_expires_at

    @property
    def path(self) -> str:
        """The absolute path of its file."""
        return self._path

    @property
    def is_named(self) -> bool:
        """Whether its file has a name for people."""
        return self._path != self.original

    def take_name(self, path: str, kept: Callable[[], builtins.bytes] | None = None) -> None:
        """Gives it the file with a name for people; a run does so once, before any step sees the image. `kept` reads
        the bytes as they came where a host keeps them, when their file is gone."""
        self._path = path
        self._kept = kept

    def take_name_of(self, other: Image) -> None:
        """The same, with the file of an image of the same bytes."""
        self.take_name(other._path, other._kept)

    @property
    def b64_json(self) -> str:
        """The bytes as they came in base64, computed at each reading.

        Raises:
            StepError: the file is gone.
        """
        import pybase64

        return pybase64.b64encode(self.read()).decode("ascii")

    def read(self) -> builtins.bytes:
        """The bytes as they came, without metadata of ours.

        Raises:
            StepError: the file is gone.
        """
        try:
            try:
                return Path(self.original).read_bytes()
            except FileNotFoundError:
                if self._kept is None:
                    raise
                return self._kept()
        except OSError as error:
            raise self.unreadable(error) from error

    def unreadable(self, error: OSError) -> StepError:
        """The error for an image whose file is gone."""
        path = self.original if self._kept is None else self.path
        return StepError(
            f"the image {path} cannot be read: {error.strerror or error}",
            code="image-unreadable",
            hint="the image store was moved or emptied after the image was made: put the file back where it was",
        )

    def hide(self, hide: Callable[[str | None], str | None]) -> None:
        """Takes secrets out of what the vendor said of it; a run does so once, before any step sees the image."""
        self.url, self.revised_prompt = hide(self.url), hide(self.revised_prompt)

    def to_json(self) -> dict[str, Any]:
        """What `--json` prints of it: path, mime, width, height, sha256 and, when known, url and revised_prompt."""
        return {key: value for key in _JSON_KEYS if (value := getattr(self, key)) is not None}

    def __getitem__(self, key: str) -> Any:
        value = getattr(self, key) if key in _KEYS else None
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        return key == "b64_json" or (key in _KEYS and getattr(self, str(key)) is not None)

    def __iter__(self) -> Iterator[str]:
        return (key for key in _KEYS if key in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _identity(self) -> tuple[Any, ...]:
        known = (getattr(self, key) for key in _KEYS if key not in ("path", "b64_json"))
        return tuple(known)

    def __eq__(self, other: object) -> bool:
        return self._identity() == other._identity() if isinstance(other, Image) else NotImplemented

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        """All but the way to a host's store, which is not for another process."""
        return None, {name: None if name == "_kept" else getattr(self, name) for name in Image.__slots__}

    def __deepcopy__(self, memo: dict[int, Any]) -> Image:
        """Itself: it does not change."""
        return self

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __repr__(self) -> str:
        size = "" if self.width is None else f" {self.width}x{self.height}"
        return f"<Image {self.mime}{size} {self.bytes} bytes {self.path}>"
