"""What requests, results and notices have in common."""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar

from osc_bridge.errors import BadArguments
from osc_bridge.message import ROOT, Message, readable
from osc_bridge.spec import Spec, Value


class Result(Message):
    """What a request ends in when all went well; the results of ``/wildtrack/done``."""


R = TypeVar("R", bound=Result)


class Request(Message, Generic[R]):
    """What a client asks; ``address`` without the root, ``reply`` the class of its result.

    ``edits`` marks the short changes of a scene, which the engine commits together.
    """

    address: ClassVar[str]
    reply: ClassVar[type[Result]]
    edits: ClassVar[bool] = False

    def on_wire(self, request_id: int) -> str:
        """The message as a person reads it (`osc_bridge.wire` makes the bytes)."""
        return readable(ROOT + self.address, [("h", request_id), *self.arguments()])


class Notice(Message):
    """What a subscriber is told without having asked; ``address`` without the root."""

    address: ClassVar[str]

    def on_wire(self, sequence: int) -> str:
        """The message as a person reads it."""
        return readable(ROOT + self.address, [("h", sequence), *self.arguments()])


class Setting(Message):
    """A ``field`` and a ``value`` that the table of settable fields allows it."""

    settable: ClassVar[dict[str, Spec]]
    field: str
    value: Value

    def __post_init__(self) -> None:
        """Check the fields, then the value by the table of settable fields."""
        name = self.field
        if isinstance(name, str) and name not in self.settable:
            raise BadArguments(
                f"field is {name[:40]!r}: one of {', '.join(self.settable)} can be set; "
                "name one of these."
            )
        super().__post_init__()
        object.__setattr__(self, "value", self.settable[name].check(name, self.value))
