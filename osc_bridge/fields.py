"""What one OSC argument may be: its type tag, its range and unit, and the sentence that refuses it.

A message declares each argument as ``Annotated[int, Int(0, 5, "dB", "what it means")]``.
``check`` returns the value in the declared Python type or raises `BadArguments` (wrong type),
`OutOfRange` (wrong value) or `BadText` (an unusable text).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from osc_bridge.errors import BadArguments, BadText, OutOfRange

Value = int | float | bool | str
Argument = tuple[str, Value]  # type tag, value

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1
PATH_MAX_BYTES = 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def shown(value: object) -> str:
    """The value as an error shows it: at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:45]}... ({len(text)} characters)"


class Spec(Protocol):
    """What every kind of argument offers; ``doc`` says what the argument means."""

    @property
    def doc(self) -> str: ...
    @property
    def example(self) -> object: ...
    @property
    def repeats(self) -> bool: ...
    @property
    def tags(self) -> str: ...
    @property
    def allowed(self) -> str: ...
    def check(self, name: str, value: object) -> object: ...
    def arguments(self, value: object) -> list[Argument]: ...
    def take(self, name: str, values: Sequence[Value]) -> tuple[object, int]: ...


class Single:
    """A spec of exactly one OSC argument."""

    repeats: ClassVar[bool] = False

    def take(self, name: str, values: Sequence[Value]) -> tuple[object, int]:
        """The value to check and how many arguments it used up."""
        return values[0], 1


@dataclass(frozen=True)
class Int(Single):
    """An integer; sent as int64 (``h``) or int32 (``i``), either is accepted."""

    low: int
    high: int
    unit: str
    doc: str
    example: int
    tag: str = "h"
    tags: ClassVar[str] = "h, i"

    @property
    def allowed(self) -> str:
        return _range_text(self.low, self.high, self.unit)

    def check(self, name: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _wrong_type(name, value, f"an integer, {self.allowed}", self.tags)
        if not self.low <= value <= self.high:
            raise _outside(name, value, self.allowed)
        return value

    def arguments(self, value: object) -> list[Argument]:
        return [(self.tag, self.check("value", value))]


@dataclass(frozen=True)
class Real(Single):
    """A finite number; sent as float64 (``d``) or float32 (``f``); integers are accepted too.

    NaN is refused because it compares with nothing.
    """

    low: float
    high: float
    unit: str
    doc: str
    example: float
    tag: str = "d"
    tags: ClassVar[str] = "d, f, i, h"

    @property
    def allowed(self) -> str:
        return _range_text(self.low, self.high, self.unit)

    def check(self, name: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _wrong_type(name, value, f"a number, {self.allowed}", self.tags)
        if not self.low <= value <= self.high:
            raise _outside(name, value, self.allowed)
        return float(value)

    def arguments(self, value: object) -> list[Argument]:
        return [(self.tag, self.check("value", value))]


@dataclass(frozen=True)
class Flag(Single):
    """True or false; sent as ``T`` or ``F``; the integers 1 and 0 are accepted."""

    doc: str
    example: bool = True
    tags: ClassVar[str] = "T, F, i, h"
    allowed: ClassVar[str] = "true or false (1 or 0)"

    def check(self, name: str, value: object) -> bool:
        if not isinstance(value, int):
            raise _wrong_type(name, value, self.allowed, self.tags)
        if value not in (0, 1):
            raise _outside(name, value, self.allowed)
        return bool(value)

    def arguments(self, value: object) -> list[Argument]:
        return [("T" if value else "F", bool(value))]


@dataclass(frozen=True)
class Text(Single):
    """Text in UTF-8 of ``low`` to ``high`` characters, without control characters."""

    low: int
    high: int
    doc: str
    example: str
    tags: ClassVar[str] = "s"

    @property
    def allowed(self) -> str:
        return f"{self.low} to {self.high} characters without control characters"

    def check(self, name: str, value: object) -> str:
        text = _string(name, value, self.allowed)
        if not self.low <= len(text) <= self.high:
            raise OutOfRange(
                f"{name} has {len(text)} characters: {self.low} to {self.high} characters are "
                f"allowed; {'shorten it' if text else 'write something'}."
            )
        if self.low and not text.strip():
            raise BadText(f"{name} is blank: {self.allowed} are allowed; write something.")
        if _CONTROL.search(text):
            raise BadText(
                f"{name} {shown(text)} holds a control character or half a surrogate pair: plain "
                f"text of {self.low} to {self.high} characters is allowed; remove it."
            )
        return text

    def arguments(self, value: object) -> list[Argument]:
        return [("s", self.check("value", value))]


@dataclass(frozen=True)
class Pattern(Single):
    """A short ASCII word that matches ``regex`` wholly; ``allowed`` says the same in words."""

    regex: str
    allowed: str
    doc: str
    example: str
    tags: ClassVar[str] = "s"

    def check(self, name: str, value: object) -> str:
        text = _string(name, value, self.allowed)
        if not re.fullmatch(self.regex, text):
            raise _outside(name, text, self.allowed)
        return text

    def arguments(self, value: object) -> list[Argument]:
        return [("s", self.check("value", value))]


@dataclass(frozen=True)
class FilePath(Single):
    """A path of 1 to 1024 UTF-8 bytes; whether the folder is allowed is the engine's decision."""

    doc: str
    example: str
    tags: ClassVar[str] = "s"
    allowed: ClassVar[str] = f"an absolute path of 1 to {PATH_MAX_BYTES} bytes"

    def check(self, name: str, value: object) -> str:
        text = _string(name, value, self.allowed)
        size = len(text.encode("utf-8", "surrogatepass"))
        if not 1 <= size <= PATH_MAX_BYTES:
            raise OutOfRange(
                f"{name} has {size} bytes: 1 to {PATH_MAX_BYTES} bytes are allowed; "
                f"{'use a shorter path' if size else 'name a file'}."
            )
        if _CONTROL.search(text):
            raise BadText(
                f"{name} {shown(text)} holds a control character or half a surrogate pair: "
                f"{self.allowed} is allowed; rename the file."
            )
        return text

    def arguments(self, value: object) -> list[Argument]:
        return [("s", self.check("value", value))]


@dataclass(frozen=True)
class Choice(Single):
    """One of a few words."""

    words: tuple[str, ...]
    doc: str
    example: str
    tags: ClassVar[str] = "s"

    @property
    def allowed(self) -> str:
        return "one of " + ", ".join(self.words)

    def check(self, name: str, value: object) -> str:
        text = _string(name, value, self.allowed)
        if text not in self.words:
            raise _outside(name, text, self.allowed)
        return text

    def arguments(self, value: object) -> list[Argument]:
        return [("s", self.check("value", value))]


@dataclass(frozen=True)
class AnyValue(Single):
    """A value whose type another argument decides."""

    doc: str
    example: Value
    allowed: str
    tags: ClassVar[str] = "h, i, d, f, s, T, F"

    def check(self, name: str, value: object) -> Value:
        if not isinstance(value, int | float | str):
            raise _wrong_type(name, value, "a number, a boolean or a string", self.tags)
        return value

    def arguments(self, value: object) -> list[Argument]:
        checked = self.check("value", value)
        if isinstance(checked, bool):
            return [("T" if checked else "F", checked)]
        if isinstance(checked, int):
            return [("h", checked)]
        return [("d" if isinstance(checked, float) else "s", checked)]


@dataclass(frozen=True)
class Many:
    """All the remaining arguments, each as ``item`` describes; always the last field."""

    item: Spec
    doc: str
    repeats: ClassVar[bool] = True

    @property
    def example(self) -> tuple[object, ...]:
        return (self.item.example,)

    @property
    def tags(self) -> str:
        return f"{self.item.tags} ..."

    @property
    def allowed(self) -> str:
        return f"any number, each {self.item.allowed}"

    def check(self, name: str, value: object) -> tuple[object, ...]:
        if not isinstance(value, tuple):
            raise _wrong_type(name, value, "a tuple", self.tags)
        return tuple(self.item.check(name, entry) for entry in value)

    def arguments(self, value: object) -> list[Argument]:
        entries = self.check("value", value)
        return [pair for entry in entries for pair in self.item.arguments(entry)]

    def take(self, name: str, values: Sequence[Value]) -> tuple[object, int]:
        return tuple(values), len(values)


def _range_text(low: float, high: float, unit: str) -> str:
    if isinstance(low, float) or isinstance(high, float):
        return f"{low:g} to {high:g} {unit}".rstrip()
    return f"{low} to {high} {unit}".rstrip()


def _string(name: str, value: object, allowed: str) -> str:
    if not isinstance(value, str):
        raise _wrong_type(name, value, f"a string, {allowed}", "s")
    return value


def _wrong_type(name: str, value: object, expected: str, tags: str) -> BadArguments:
    return BadArguments(
        f"{name} is {shown(value)} of type {type(value).__name__}: {expected} is expected; "
        f"send it with OSC type {tags}."
    )


def _outside(name: str, value: object, allowed: str) -> OutOfRange:
    return OutOfRange(f"{name} is {shown(value)}: {allowed} is allowed; send a value within that.")
