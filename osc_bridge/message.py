"""The base of every message: declared fields, checked when made, in the order of the wire."""

from __future__ import annotations

import dataclasses
import functools
import json
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from osc_bridge.errors import BadArguments
from osc_bridge.spec import Argument, Spec, Value, shown

ROOT = "/wildtrack"


@dataclass(frozen=True)
class Slot:
    """One declared field: its name, what it may be, and whether it may be left out."""

    name: str
    spec: Spec
    optional: bool


class Message:
    """Fields in the order of the wire; an instance that exists is valid."""

    def __post_init__(self) -> None:
        """Check every field and store it in its declared type.

        Raises:
            BadArguments, OutOfRange, BadText: naming the field, the value and what is allowed.
        """
        kind: Any = type(self)
        for name, check in _checks(kind):
            given = getattr(self, name)
            checked = check(name, given)
            if checked is not given:
                object.__setattr__(self, name, checked)

    def arguments(self) -> list[Argument]:
        """Type tag and value of each OSC argument, without the request id."""
        kind: Any = type(self)
        pairs: list[Argument] = []
        for name, tag, spec in _senders(kind):
            value = getattr(self, name)
            if tag:
                pairs.append((tag, value))
            else:
                pairs.extend(spec.arguments(value))
        return pairs

    @classmethod
    def from_arguments(cls, values: Sequence[Value], where: str) -> Self:
        """Build from decoded arguments; trailing fields with a default may be missing.

        Raises:
            BadArguments: wrong number or type; ``where`` names the address in the sentence.
            OutOfRange, BadText: a value that is not allowed.
        """
        kind: Any = cls
        least, most = _arity(kind)
        if least <= len(values) <= most:
            return cls(*values)
        taken: dict[str, Any] = {}
        rest = list(values)
        for slot in slots(cls):
            if not rest and not slot.spec.repeats:
                break
            taken[slot.name], used = slot.spec.take(slot.name, rest)
            rest = rest[used:]
        missing = [s.name for s in slots(cls) if s.name not in taken and not s.optional]
        if missing or rest:
            raise BadArguments(_arity_sentence(cls, len(values), where))
        return cls(**taken)

    @classmethod
    def example(cls) -> Self:
        """An instance made of the examples of its fields, for PROTOCOL.md and tests."""
        return cls(**{slot.name: slot.spec.example for slot in slots(cls)})


def slots(cls: Any) -> tuple[Slot, ...]:
    """The declared fields of a message class, in the order of the wire."""
    return _slots(cls)


@functools.cache
def _slots(cls: Any) -> tuple[Slot, ...]:
    hints = typing.get_type_hints(cls, include_extras=True)
    fields = dataclasses.fields(cls)
    return tuple(
        Slot(f.name, hints[f.name].__metadata__[0], f.default is not dataclasses.MISSING)
        for f in fields
    )


@functools.cache
def _checks(cls: Any) -> tuple[tuple[str, Callable[[str, object], object]], ...]:
    """Name and check of each field."""
    return tuple((slot.name, slot.spec.check) for slot in slots(cls))


@functools.cache
def _senders(cls: Any) -> tuple[tuple[str, str, Spec], ...]:
    """Name, fixed type tag ("" where the value decides) and spec of each field."""
    return tuple((slot.name, slot.spec.tag, slot.spec) for slot in slots(cls))


@functools.cache
def _arity(cls: Any) -> tuple[int, int]:
    """The least and most arguments of a class without repetition; none fits (1, 0)."""
    if any(slot.spec.repeats for slot in slots(cls)):
        return 1, 0
    return sum(not slot.optional for slot in slots(cls)), len(slots(cls))


@dataclass(frozen=True)
class Rows:
    """All the remaining arguments as rows of one message class; always the last field."""

    row: type[Message]
    doc: str
    repeats: ClassVar[bool] = True
    tag: ClassVar[str] = ""
    allowed: ClassVar[str] = "any number of rows"

    @property
    def example(self) -> tuple[Message, ...]:
        return (self.row.example(),)

    @property
    def tags(self) -> str:
        return "(" + " ".join(slot.name for slot in slots(self.row)) + ") ..."

    def check(self, name: str, value: object) -> tuple[Message, ...]:
        if not isinstance(value, tuple) or not all(isinstance(r, self.row) for r in value):
            raise BadArguments(f"{name} is {shown(value)}: a tuple of {self.row.__name__} is due.")
        return value

    def arguments(self, value: object) -> list[Argument]:
        return [pair for row in self.check("value", value) for pair in row.arguments()]

    def take(self, name: str, values: Sequence[Value]) -> tuple[object, int]:
        """Cut the values into rows.

        Raises:
            BadArguments: the number of values is not a multiple of the row's width.
        """
        width = len(slots(self.row))
        if len(values) % width:
            raise BadArguments(
                f"{name} has {len(values)} values: a multiple of {width} is allowed "
                f"(rows of {self.row.__name__}); send whole rows."
            )
        cuts = range(0, len(values), width)
        rows = tuple(self.row.from_arguments(values[i : i + width], name) for i in cuts)
        return rows, len(values)


def readable(address: str, arguments: Sequence[Argument]) -> str:
    """One line as a person reads it: address, type tags, values (`T` and `F` carry none)."""
    tags = "," + "".join(tag for tag, _ in arguments)
    values = (json.dumps(value, ensure_ascii=False) for tag, value in arguments if tag not in "TF")
    return " ".join([address, tags, *values])


def _arity_sentence(cls: type[Message], count: int, where: str) -> str:
    least = sum(not slot.optional for slot in slots(cls))
    most = len(slots(cls))
    allowed = f"{least}" if least == most else f"{least} to {most}"
    names = ", ".join(f"{s.name} ({s.spec.tags})" for s in slots(cls)) or "none"
    return (
        f"{where} has {count} arguments after its id: {allowed} are allowed "
        f"({names}); see PROTOCOL.md."
    )
