"""What requests and results have in common."""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar

from osc_bridge.message import ROOT, Message, readable


class Result(Message):
    """What a request ends in when all went well; the results of ``/wildtrack/done``."""


R = TypeVar("R", bound=Result)


class Request(Message, Generic[R]):
    """What a client asks; ``address`` without the root, ``reply`` the class of its result."""

    address: ClassVar[str]
    reply: ClassVar[type[Result]]

    def on_wire(self, request_id: int) -> str:
        """The message as a person reads it (`osc_bridge.wire` makes the bytes)."""
        return readable(ROOT + self.address, [("h", request_id), *self.arguments()])
