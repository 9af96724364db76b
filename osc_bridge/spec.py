"""What every kind of OSC argument has in common, and the sentences that refuse a wrong one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from osc_bridge.errors import BadArguments, OutOfRange

Value = int | float | bool | str
Argument = tuple[str, Value]  # type tag, value

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1


class Spec(Protocol):
    """What every kind of argument offers; ``doc`` says what the argument means.

    ``tag`` is the type tag that it is always sent with, or "" where the value decides.
    ``arguments`` takes only what ``check`` returned.
    """

    @property
    def doc(self) -> str: ...
    @property
    def example(self) -> object: ...
    @property
    def repeats(self) -> bool: ...
    @property
    def tag(self) -> str: ...
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


def shown(value: object) -> str:
    """The value as an error shows it: at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:45]}... ({len(text)} characters)"


def wrong_type(name: str, value: object, expected: str, tags: str) -> BadArguments:
    """The error for a value of a type that the argument does not have."""
    return BadArguments(
        f"{name} is {shown(value)} of type {type(value).__name__}: {expected} is expected; "
        f"send it with OSC type {tags}."
    )


def outside(name: str, value: object, allowed: str) -> OutOfRange:
    """The error for a value outside of what is allowed."""
    return OutOfRange(f"{name} is {shown(value)}: {allowed} is allowed; send a value within that.")
