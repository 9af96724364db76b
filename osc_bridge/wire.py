"""Bytes to messages and back, by python-osc's codec (its type readers, not its servers).

Its message and bundle classes skip unknown type tags, pad short packets and follow negative
sizes; so the walk over tags and elements is ours. A time tag never delays anything: a bundle that
is due within `EARLY_MAX_S` is carried out at once, one that is due later is refused.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.parsing import osc_types

from osc_bridge.errors import (
    BadArguments,
    MalformedMessage,
    OutOfRange,
    UnknownAddress,
    WildtrackError,
)
from osc_bridge.events import (
    PLAIN_EVENTS,
    REQUEST_ADDRESS,
    REQUEST_ID,
    Done,
    Event,
    Progress,
    Sent,
    Told,
    notice_class,
    result_class,
)
from osc_bridge.fields import INT64_MAX, Argument, Value, shown
from osc_bridge.message import ROOT
from osc_bridge.ranges import DATAGRAM_MAX as DATAGRAM_MAX  # noqa: PLC0414  # also from here
from osc_bridge.schema import BY_ADDRESS, Request

FRAME_MAX = 65_536
"""Bytes of a message or bundle that we receive."""
ARGUMENTS_MAX = 512
ADDRESS_MAX = 200
BUNDLE_DEPTH_MAX = 4
BUNDLE_MESSAGES_MAX = 256
EARLY_MAX_S = 1.0
"""Clients that schedule a little ahead (SuperCollider: 0.2 s) are served at once."""

_NTP_TO_UNIX_S = 2_208_988_800
_BUNDLE = b"#bundle\x00"
_IMMEDIATELY = 1

_READERS: dict[str, Callable[[bytes, int], tuple[Any, int]]] = {
    "i": osc_types.get_int,
    "h": osc_types.get_int64,
    "f": osc_types.get_float,
    "d": osc_types.get_double,
    "s": osc_types.get_string,
}


@dataclass(frozen=True)
class Head:
    """What can be read before the arguments: address, type tags, where the arguments begin."""

    address: str
    tags: str
    index: int


@dataclass(frozen=True)
class Incoming:
    """One request as it arrived: valid, or the error that it must be answered with."""

    request_id: int
    address: str
    request: Request[Any] | WildtrackError


def encode(address: str, arguments: Sequence[Argument]) -> bytes:
    """One OSC message."""
    builder = OscMessageBuilder(address)
    for tag, value in arguments:
        builder.add_arg(value, tag)
    return builder.build().dgram


def encode_request(request_id: int, request: Request[Any]) -> bytes:
    """A request with its id in front."""
    return encode(ROOT + request.address, [("h", request_id), *request.arguments()])


def encode_event(event: Sent) -> bytes:
    """A reply, progress or a notice."""
    return encode(event.address, event.arguments())


def unpack(packet: bytes, now_s: float) -> list[bytes]:
    """The messages of a packet, in order: itself, or those of a bundle and its inner bundles.

    Args:
        packet: what one datagram or frame held.
        now_s: seconds since 1970, to judge time tags.

    Raises:
        MalformedMessage: not OSC, too large, or nested too deep.
        OutOfRange: a bundle due more than `EARLY_MAX_S` later.
    """
    if len(packet) > FRAME_MAX:
        raise MalformedMessage(
            f"The packet has {len(packet)} bytes: at most {FRAME_MAX} bytes are allowed; send "
            "less at once, and files by their path."
        )
    messages = _unpack(packet, now_s, depth=0)
    if len(messages) > BUNDLE_MESSAGES_MAX:
        raise MalformedMessage(
            f"The bundle holds {len(messages)} messages: at most {BUNDLE_MESSAGES_MAX} messages "
            "are allowed; send several bundles."
        )
    return messages


def _unpack(packet: bytes, now_s: float, depth: int) -> list[bytes]:
    if not packet.startswith(_BUNDLE):
        return [packet]
    if depth >= BUNDLE_DEPTH_MAX:
        raise MalformedMessage(
            f"The bundle is nested deeper than {BUNDLE_DEPTH_MAX}: 1 to {BUNDLE_DEPTH_MAX} levels "
            "are allowed; send flat bundles."
        )
    if len(packet) < 16:
        raise MalformedMessage("The bundle ends within its time tag: send all of its 16 bytes.")
    _check_time_tag(int.from_bytes(packet[8:16], "big"), now_s)
    return [
        message for element in _elements(packet) for message in _unpack(element, now_s, depth + 1)
    ]


def _elements(packet: bytes) -> list[bytes]:
    elements = []
    index = 16
    while index < len(packet):
        size = int.from_bytes(packet[index : index + 4], "big")
        index += 4
        if size == 0 or size % 4 or index + size > len(packet):
            raise MalformedMessage(
                f"A bundle element claims {size} bytes: a multiple of 4 up to the "
                f"{max(len(packet) - index, 0)} bytes left is allowed; correct its size."
            )
        elements.append(packet[index : index + size])
        index += size
    return elements


def _check_time_tag(tag: int, now_s: float) -> None:
    if tag == _IMMEDIATELY:
        return
    ahead = ((tag >> 32) - int(now_s + _NTP_TO_UNIX_S)) % 2**32
    ahead_s = ahead - 2**32 if ahead >= 2**31 else ahead
    if ahead_s > EARLY_MAX_S:
        raise OutOfRange(
            f"The bundle is due in {ahead_s} s: at most {EARLY_MAX_S:g} s ahead is allowed, the "
            "engine keeps no timetable; send it when it is due, or with the time tag 1 (now)."
        )


def read_head(message: bytes) -> Head:
    """Address and type tags of a message.

    Raises:
        MalformedMessage: it is not an OSC message.
    """
    if len(message) % 4 or not message.startswith(b"/"):
        raise MalformedMessage(
            f"{shown(message[:16])} does not begin an OSC message of a multiple of 4 bytes; send "
            f"an address such as {ROOT}/ping, type tags and arguments."
        )
    address, index = _read(osc_types.get_string, message, 0)
    if index == len(message):
        return Head(address, "", index)
    tags, index = _read(osc_types.get_string, message, index)
    if not tags.startswith(","):
        raise MalformedMessage(
            f"The type tags {shown(tags)} do not begin with a comma; send them as ',hs'."
        )
    return Head(address, tags[1:], index)


def read_values(message: bytes, head: Head) -> list[Value]:
    """The arguments of a message.

    Raises:
        BadArguments: a type tag that no message uses, or too many.
        MalformedMessage: the bytes do not agree with the type tags.
    """
    _check_tags(head)
    values: list[Value] = []
    index = head.index
    for tag in head.tags:
        if tag in "TF":
            values.append(tag == "T")
            continue
        value, index = _read(_READERS[tag], message, index)
        values.append(value)
    if index != len(message):
        raise MalformedMessage(
            f"{shown(head.address)} has {len(message)} bytes, its type tags "
            f"{shown(head.tags)} need {index}; send just these."
        )
    return values


def _check_tags(head: Head) -> None:
    unknown = sorted(set(head.tags) - set("ihfdsTF"))
    if unknown:
        raise BadArguments(
            f"The type tags {shown(head.tags)} hold {', '.join(map(repr, unknown))}: "
            "i, h, f, d, s, T and F are allowed; see PROTOCOL.md."
        )
    if len(head.tags) > ARGUMENTS_MAX:
        raise BadArguments(
            f"The message has {len(head.tags)} arguments: at most {ARGUMENTS_MAX} are allowed; "
            "see PROTOCOL.md."
        )


def _read(
    reader: Callable[[bytes, int], tuple[Any, int]], data: bytes, index: int
) -> tuple[Any, int]:
    try:
        return reader(data, index)
    except UnicodeDecodeError as error:
        raise MalformedMessage(
            f"Text in the message is not UTF-8 (byte {error.start}); send UTF-8."
        ) from error
    except osc_types.ParseError as error:
        raise MalformedMessage(
            f"The message ends early, at byte {len(data)}; send all of its arguments."
        ) from error


def read_request(message: bytes) -> Incoming:
    """One request; what is wrong with it is in the result, beside the id and address so far."""
    request_id, address = 0, ""
    try:
        head = read_head(message)
        address = head.address[: REQUEST_ADDRESS.high]
        request_id = _peek_id(message, head)
        return Incoming(request_id, address, _request_of(head, message, request_id))
    except WildtrackError as error:
        return Incoming(request_id, _printable(address), error)


def _peek_id(message: bytes, head: Head) -> int:
    reader = _READERS.get(head.tags[:1])
    if head.tags[:1] not in ("h", "i") or reader is None:
        return 0
    value, _ = _read(reader, message, head.index)
    return int(value) if 1 <= value <= INT64_MAX else 0


def _request_of(head: Head, message: bytes, request_id: int) -> Request[Any]:
    request = BY_ADDRESS.get(head.address)
    if request is None:
        raise UnknownAddress(_unknown_address(head.address))
    values = read_values(message, head)
    if not request_id:
        raise BadArguments(
            f"{head.address} begins with {shown(values[0]) if values else 'nothing'}: a request "
            f"id from 1 to {INT64_MAX} (h or i) comes first; choose a new one for each request."
        )
    return request.from_arguments(values[1:], head.address)


def _unknown_address(address: str) -> str:
    near = difflib.get_close_matches(address[:ADDRESS_MAX], BY_ADDRESS, n=1)
    cure = f"did you mean {near[0]}?" if near else "see PROTOCOL.md for the addresses."
    return f"The address {shown(address)} is unknown: {cure}"


def _printable(address: str) -> str:
    return address if address.isprintable() else ""


def read_event(message: bytes) -> Sent:
    """One reply, progress or notice, as the client reads it.

    Raises:
        MalformedMessage, BadArguments, OutOfRange, BadText: not what an engine sends.
    """
    head = read_head(message)
    values = read_values(message, head)
    if head.address in PLAIN_EVENTS:
        return PLAIN_EVENTS[head.address].from_arguments(values, head.address)
    if (notice := notice_class(head.address)) is not None:
        return Told.from_arguments(notice, values, head.address)
    if head.address != Done.address or len(values) < 2:
        raise UnknownAddress(f"{shown(head.address)} is no answer of an engine; update the client.")
    request_id = REQUEST_ID.check("request_id", values[0])
    request_address = REQUEST_ADDRESS.check("request_address", values[1])
    reply = result_class(request_address)
    if reply is None:
        raise UnknownAddress(_unknown_address(request_address))
    return Done(request_id, request_address, reply.from_arguments(values[2:], head.address))


def is_end(event: Event) -> bool:
    """Whether the request is over with this event."""
    return not isinstance(event, Progress)
