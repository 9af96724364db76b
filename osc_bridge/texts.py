"""Arguments that are text: free, shortened to fit, by a pattern, a path, one of a few words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from osc_bridge.errors import BadText, OutOfRange
from osc_bridge.spec import Argument, Single, outside, shown, wrong_type

PATH_MAX_BYTES = 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")


class _String(Single):
    tag: ClassVar[str] = "s"
    tags: ClassVar[str] = "s"

    def arguments(self, value: object) -> list[Argument]:
        return [("s", str(value))]


@dataclass(frozen=True)
class Text(_String):
    """Text in UTF-8 of ``low`` to ``high`` characters, without control characters."""

    low: int
    high: int
    doc: str
    example: str

    @property
    def allowed(self) -> str:
        return f"{self.low} to {self.high} characters without control characters"

    def check(self, name: str, value: object) -> str:
        if not isinstance(value, str):
            raise _no_string(name, value, self.allowed)
        if not self.low <= len(value) <= self.high:
            raise OutOfRange(
                f"{name} has {len(value)} characters: {self.low} to {self.high} characters are "
                f"allowed; {'shorten it' if value else 'write something'}."
            )
        if self.low and not value.strip():
            raise BadText(f"{name} is blank: {self.allowed} are allowed; write something.")
        if not value.isprintable() and _CONTROL.search(value):
            raise BadText(
                f"{name} {shown(value)} holds a control character or half a surrogate pair: plain "
                f"text of {self.low} to {self.high} characters is allowed; remove it."
            )
        return value


@dataclass(frozen=True)
class ShortText(_String):
    """Text for people to read, which loses its end where there is no room: never refused.

    >>> ShortText(6, "label", "dog").check("label", "a barking dog")
    'a bar…'
    """

    high: int
    doc: str
    example: str

    @property
    def allowed(self) -> str:
        return f"0 to {self.high} characters; a longer text is cut and ends in …"

    def check(self, name: str, value: object) -> str:
        if not isinstance(value, str):
            raise _no_string(name, value, self.allowed)
        plain = value if value.isprintable() else _CONTROLS.sub(" ", value)
        return plain if len(plain) <= self.high else plain[: self.high - 1] + "…"


def cut_to_bytes(text: str, most: int) -> str:
    """The text in at most ``most`` bytes of UTF-8; a cut one ends in … where that fits.

    >>> cut_to_bytes("rain on a tin roof", 12)
    'rain on a…'
    """
    data = text.encode()
    if len(data) <= most:
        return text
    end = "…" if most >= 3 else ""
    return data[: max(most - len(end.encode()), 0)].decode(errors="ignore").rstrip() + end


@dataclass(frozen=True)
class Pattern(_String):
    """A short ASCII word that matches ``regex`` wholly; ``allowed`` says the same in words."""

    regex: str
    allowed: str
    doc: str
    example: str

    def __post_init__(self) -> None:
        """Compile the pattern once."""
        object.__setattr__(self, "_matches", re.compile(self.regex).fullmatch)

    def check(self, name: str, value: object) -> str:
        if not isinstance(value, str):
            raise _no_string(name, value, self.allowed)
        if not self._matches(value):  # type: ignore[attr-defined]
            raise outside(name, value, self.allowed)
        return value


@dataclass(frozen=True)
class FilePath(_String):
    """A path of 1 to 1024 UTF-8 bytes; whether the folder is allowed is the engine's decision."""

    doc: str
    example: str
    allowed: ClassVar[str] = f"an absolute path of 1 to {PATH_MAX_BYTES} bytes"

    def check(self, name: str, value: object) -> str:
        if not isinstance(value, str):
            raise _no_string(name, value, self.allowed)
        size = len(value.encode("utf-8", "surrogatepass"))
        if not 1 <= size <= PATH_MAX_BYTES:
            raise OutOfRange(
                f"{name} has {size} bytes: 1 to {PATH_MAX_BYTES} bytes are allowed; "
                f"{'use a shorter path' if size else 'name a file'}."
            )
        if not value.isprintable() and _CONTROL.search(value):
            raise BadText(
                f"{name} {shown(value)} holds a control character or half a surrogate pair: "
                f"{self.allowed} is allowed; rename the file."
            )
        return value


@dataclass(frozen=True)
class Choice(_String):
    """One of a few words."""

    words: tuple[str, ...]
    doc: str
    example: str

    @property
    def allowed(self) -> str:
        return "one of " + ", ".join(self.words)

    def check(self, name: str, value: object) -> str:
        if not isinstance(value, str):
            raise _no_string(name, value, self.allowed)
        if value not in self.words:
            raise outside(name, value, self.allowed)
        return value


def _no_string(name: str, value: object, allowed: str) -> Exception:
    return wrong_type(name, value, f"a string, {allowed}", "s")
