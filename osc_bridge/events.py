"""What the engine sends: the three ends of a request, progress on the way, and notices.

An answer carries the request id and the address it answers; an id of 0 and an empty address mean
that the request could not be read so far. A notice answers nothing: it carries a sequence number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from osc_bridge import errors
from osc_bridge.errors import BadArguments, WildtrackError
from osc_bridge.fields import INT32_MAX, INT64_MAX, Argument, Int, Real, Text, Value
from osc_bridge.message import ROOT, Message
from osc_bridge.ranges import SEQUENCE
from osc_bridge.schema import BY_ADDRESS, NOTICES_BY_ADDRESS, Notice, Result

SENTENCE_MAX_BYTES = 1100
"""UTF-8 bytes of a sentence, so that its event fits a datagram of 1400 bytes."""

REQUEST_ID = Int(0, INT64_MAX, "", "request id; 0 = it could not be read", 7)
REQUEST_ADDRESS = Text(0, 64, "address of the request; empty = not read", "/wildtrack/render")
SENTENCE = Text(0, SENTENCE_MAX_BYTES, "one sentence for people", "Rendering dog.")
STEP = Int(0, INT32_MAX, "", "step of the work", 5, tag="i")


@dataclass(frozen=True)
class Done:
    """The request succeeded; the fields of its result follow.

    >>> from osc_bridge.schema import SceneMade
    >>> Done(9, "/wildtrack/scene/new", SceneMade("alley")).arguments()
    [('h', 9), ('s', '/wildtrack/scene/new'), ('s', 'alley')]
    """

    address: ClassVar[str] = ROOT + "/done"
    request_id: int
    request_address: str
    result: Result

    def arguments(self) -> list[Argument]:
        """Type tag and value of each OSC argument."""
        head: list[Argument] = [("h", self.request_id), ("s", self.request_address)]
        return head + self.result.arguments()


@dataclass(frozen=True)
class Fail(Message):
    """The request failed: a stable code and name, and a sentence with the cure.

    >>> Fail.of(9, "/wildtrack/render", errors.QueueFull("Too much.")).arguments()[2:4]
    [('i', 500), ('s', 'QueueFull')]
    """

    address: ClassVar[str] = ROOT + "/fail"
    request_id: Annotated[int, REQUEST_ID]
    request_address: Annotated[str, REQUEST_ADDRESS]
    code: Annotated[int, Int(0, 999, "", "see the table of errors", 300, tag="i")]
    name: Annotated[str, Text(1, 64, "name of the error", "UnknownScene")]
    sentence: Annotated[
        str,
        Text(
            0,
            SENTENCE_MAX_BYTES,
            "what is wrong and how to cure it",
            "Scene x is unknown; make it.",
        ),
    ]

    @classmethod
    def of(cls, request_id: int, request_address: str, error: WildtrackError) -> Fail:
        """The event that carries ``error``; the sentence is cut to what a datagram holds."""
        return cls(request_id, request_address, error.code, error.name, one_line(str(error)))

    def error(self) -> WildtrackError:
        """The error as the class that its code belongs to."""
        return ERRORS_BY_CODE.get(self.code, WildtrackError)(self.sentence)


@dataclass(frozen=True)
class CancelledReply(Message):
    """The request was cancelled and left nothing behind.

    >>> CancelledReply(9, "/wildtrack/render").arguments()
    [('h', 9), ('s', '/wildtrack/render')]
    """

    address: ClassVar[str] = ROOT + "/cancelled"
    request_id: Annotated[int, REQUEST_ID]
    request_address: Annotated[str, REQUEST_ADDRESS]


@dataclass(frozen=True)
class Progress(Message):
    """How far the request is; 0 or more of these come before its end.

    >>> Progress(9, "/wildtrack/render", 0.5, 5, 10, "Rendering dog.").arguments()[2:4]
    [('f', 0.5), ('i', 5)]
    """

    address: ClassVar[str] = ROOT + "/progress"
    request_id: Annotated[int, REQUEST_ID]
    request_address: Annotated[str, REQUEST_ADDRESS]
    fraction: Annotated[float, Real(0.0, 1.0, "", "done so far", 0.5, tag="f")]
    step: Annotated[int, STEP]
    of: Annotated[int, Int(0, INT32_MAX, "", "steps in all", 10, tag="i")]
    sentence: Annotated[str, SENTENCE]


@dataclass(frozen=True)
class Told:
    """A notice on its way to one subscriber; a gap in the sequence means that one was lost.

    >>> from osc_bridge.schema import TakeNotice
    >>> Told(41, TakeNotice("t0001", "alley", "made")).arguments()[:2]
    [('h', 41), ('s', 't0001')]
    """

    sequence: int
    notice: Notice

    @property
    def address(self) -> str:
        """Where it is sent, with the root."""
        return ROOT + self.notice.address

    def arguments(self) -> list[Argument]:
        """Type tag and value of each OSC argument."""
        return [("h", self.sequence), *self.notice.arguments()]

    @classmethod
    def from_arguments(cls, notice: type[Notice], values: Sequence[Value], where: str) -> Told:
        """Build from decoded arguments.

        Raises:
            BadArguments, OutOfRange, BadText: not what an engine sends.
        """
        if not values:
            raise BadArguments(f"{where} has no arguments: a sequence number comes first.")
        sequence = SEQUENCE.check("sequence", values[0])
        return cls(sequence, notice.from_arguments(values[1:], where))


End = Done | Fail | CancelledReply
Event = End | Progress
Sent = Event | Told
"""Everything that an engine sends."""

ERRORS_BY_CODE: dict[int, type[WildtrackError]] = {
    cls.code: cls
    for cls in vars(errors).values()
    if isinstance(cls, type) and issubclass(cls, WildtrackError) and "code" in vars(cls)
}
"""Every class with a code of its own; `InternalError`, the last, has 599."""

PLAIN_EVENTS: dict[str, type[Fail | CancelledReply | Progress]] = {
    cls.address: cls for cls in (Fail, CancelledReply, Progress)
}


_ANSWERS = frozenset({Done.address, *PLAIN_EVENTS, *NOTICES_BY_ADDRESS})
_REFUSALS = ("/fail", "/error")
"""What other OSC servers (scsynth, NSM) end the address of a refusal in."""


def is_answer(address: str) -> bool:
    """Whether the message answers or tells: another answer to it could go to and fro for ever."""
    return address in _ANSWERS or address.endswith(_REFUSALS)


def result_class(request_address: str) -> type[Result] | None:
    """The class of result that a request address ends in."""
    request = BY_ADDRESS.get(request_address)
    return request.reply if request else None


def notice_class(address: str) -> type[Notice] | None:
    """The class of the notices that come on an address."""
    return NOTICES_BY_ADDRESS.get(address)


def one_line(sentence: str) -> str:
    """The sentence without control characters; a long one loses its middle, not its cure."""
    plain = re.sub(r"[\x00-\x1f\x7f\ud800-\udfff]+", " ", sentence).strip()
    data = plain.encode()
    if len(data) <= SENTENCE_MAX_BYTES:
        return plain
    half = SENTENCE_MAX_BYTES // 2 - 2
    return data[:half].decode(errors="ignore") + "..." + data[-half:].decode(errors="ignore")
