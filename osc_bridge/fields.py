"""What one OSC argument may be: its type tag, its range and unit, and the sentence that refuses it.

A message declares each argument as ``Annotated[int, Int(0, 5, "dB", "what it means")]``.
``check`` returns the value in the declared Python type or raises `BadArguments` (wrong type),
`OutOfRange` (wrong value) or `BadText` (an unusable text).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from osc_bridge.spec import (
    INT32_MAX,
    INT64_MAX,
    Argument,
    Single,
    Spec,
    Value,
    outside,
    shown,
    wrong_type,
)
from osc_bridge.texts import PATH_MAX_BYTES, Choice, FilePath, Pattern, ShortText, Text

__all__ = [
    "INT32_MAX",
    "INT64_MAX",
    "PATH_MAX_BYTES",
    "AnyValue",
    "Argument",
    "Choice",
    "FilePath",
    "Flag",
    "Int",
    "Many",
    "Pattern",
    "Real",
    "ShortText",
    "Spec",
    "Text",
    "Value",
    "ZeroOrInt",
    "shown",
]


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
            raise wrong_type(name, value, f"an integer, {self.allowed}", self.tags)
        if not self.low <= value <= self.high:
            raise outside(name, value, self.allowed)
        return value

    def arguments(self, value: object) -> list[Argument]:
        return [(self.tag, value)]  # type: ignore[list-item]  # check returned it


@dataclass(frozen=True)
class ZeroOrInt(Int):
    """As `Int`, or 0; ``zero`` says what that means."""

    zero: str = ""

    @property
    def allowed(self) -> str:
        return f"0 ({self.zero}) or {_range_text(self.low, self.high, self.unit)}"

    def check(self, name: str, value: object) -> int:
        return 0 if value == 0 and type(value) is int else super().check(name, value)


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
            raise wrong_type(name, value, f"a number, {self.allowed}", self.tags)
        if not self.low <= value <= self.high:
            raise outside(name, value, self.allowed)
        return float(value)

    def arguments(self, value: object) -> list[Argument]:
        return [(self.tag, value)]  # type: ignore[list-item]  # check returned it


@dataclass(frozen=True)
class Flag(Single):
    """True or false; sent as ``T`` or ``F``; the integers 1 and 0 are accepted."""

    doc: str
    example: bool = True
    tag: ClassVar[str] = ""
    tags: ClassVar[str] = "T, F, i, h"
    allowed: ClassVar[str] = "true or false (1 or 0)"

    def check(self, name: str, value: object) -> bool:
        if not isinstance(value, int):
            raise wrong_type(name, value, self.allowed, self.tags)
        if value not in (0, 1):
            raise outside(name, value, self.allowed)
        return bool(value)

    def arguments(self, value: object) -> list[Argument]:
        return [("T" if value else "F", bool(value))]


@dataclass(frozen=True)
class AnyValue(Single):
    """A value whose type another argument decides."""

    doc: str
    example: Value
    allowed: str
    tag: ClassVar[str] = ""
    tags: ClassVar[str] = "h, i, d, f, s, T, F"

    def check(self, name: str, value: object) -> Value:
        if not isinstance(value, int | float | str):
            raise wrong_type(name, value, "a number, a boolean or a string", self.tags)
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
    low: int = 0
    high: int = 512
    repeats: ClassVar[bool] = True
    tag: ClassVar[str] = ""

    @property
    def example(self) -> tuple[object, ...]:
        return (self.item.example,) * max(self.low, 1)

    @property
    def tags(self) -> str:
        return f"{self.item.tags} ..."

    @property
    def allowed(self) -> str:
        return f"{self.low} to {self.high} of them, each {self.item.allowed}"

    def check(self, name: str, value: object) -> tuple[object, ...]:
        if not isinstance(value, tuple):
            raise wrong_type(name, value, "a tuple", self.tags)
        if not self.low <= len(value) <= self.high:
            raise outside(f"the number of {name}", len(value), f"{self.low} to {self.high}")
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
