"""Bytes to requests and answers, and back."""

from __future__ import annotations

import difflib
import functools
from typing import Any, NamedTuple

from osc_bridge.bundle import BUNDLE_DEPTH_MAX, BUNDLE_MESSAGES_MAX, EARLY_MAX_S, unpack
from osc_bridge.errors import BadArguments, UnknownAddress, WildtrackError
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
from osc_bridge.message import ROOT
from osc_bridge.osc import FRAME_MAX, Head, encode, peek_integer, read_head, read_values
from osc_bridge.ranges import DATAGRAM_MAX
from osc_bridge.schema import BY_ADDRESS, Request
from osc_bridge.spec import INT64_MAX, Value, shown

__all__ = [
    "BUNDLE_DEPTH_MAX",
    "BUNDLE_MESSAGES_MAX",
    "DATAGRAM_MAX",
    "EARLY_MAX_S",
    "FRAME_MAX",
    "Head",
    "Incoming",
    "encode",
    "encode_event",
    "encode_request",
    "is_end",
    "read_event",
    "read_head",
    "read_request",
    "read_values",
    "unpack",
]


_ROOT = ROOT + "/"
_ALIKE = 0.75
"""Of 1: how alike an address must be to be the one that was meant."""


class Incoming(NamedTuple):
    """One request as it arrived: valid, or the error that it must be answered with."""

    request_id: int
    address: str
    request: Request[Any] | WildtrackError


def encode_request(request_id: int, request: Request[Any]) -> bytes:
    """A request with its id in front."""
    return encode(ROOT + request.address, [("h", request_id), *request.arguments()])


def encode_event(event: Sent) -> bytes:
    """A reply, progress or notice."""
    return encode(event.address, event.arguments())


def read_request(message: bytes) -> Incoming:
    """One request; what is wrong with it is in the result, beside the id and address so far."""
    try:
        head = read_head(message)
    except WildtrackError as error:
        return Incoming(0, "", error)
    try:
        request = BY_ADDRESS.get(head.address)
        if request is None:
            raise UnknownAddress(_unknown_address(head.address))
        values = read_values(message, head)
        request_id = _request_id(values, head.address)
        return Incoming(request_id, head.address, request.from_arguments(values[1:], head.address))
    except WildtrackError as error:
        request_id = peek_integer(message, head)
        return Incoming(max(request_id, 0), _answerable(head.address), error)


def _request_id(values: list[Value], address: str) -> int:
    first = values[0] if values else 0
    if isinstance(first, int) and not isinstance(first, bool) and first > 0:
        return first
    raise BadArguments(
        f"{address} begins with {shown(values[0]) if values else 'nothing'}: a request "
        f"id from 1 to {INT64_MAX} (h or i) comes first; choose a new one for each request."
    )


def _answerable(address: str) -> str:
    """The address as a fail can carry it."""
    return address[: REQUEST_ADDRESS.high] if address.isprintable() else ""


def _unknown_address(address: str) -> str:
    near = _near_address(address) if len(address) <= REQUEST_ADDRESS.high else ""
    cure = f"did you mean {near}?" if near else "see PROTOCOL.md for the addresses."
    return f"The address {shown(address)} is unknown: {cure}"


@functools.lru_cache(256)
def _near_address(address: str) -> str:
    """The address that was meant, or nothing; without the root it takes 0.2 ms in place of 2."""
    names = [known.removeprefix(_ROOT) for known in BY_ADDRESS] if address.startswith(_ROOT) else []
    near = difflib.get_close_matches(address.removeprefix(_ROOT), names, n=1, cutoff=_ALIKE)
    return _ROOT + near[0] if near else ""


def read_event(message: bytes) -> Sent:
    """One reply, progress or notice, as the client reads it.

    Raises:
        MalformedMessage, BadArguments, OutOfRange, BadText: not what an engine sends.
    """
    head = read_head(message)
    values = read_values(message, head)
    if head.address == Done.address and len(values) >= 2:
        return _done(values)
    if head.address in PLAIN_EVENTS:
        return PLAIN_EVENTS[head.address].from_arguments(values, head.address)
    if (notice := notice_class(head.address)) is not None:
        return Told.from_arguments(notice, values, head.address)
    raise UnknownAddress(f"{shown(head.address)} is no answer of an engine; update the client.")


def _done(values: list[Value]) -> Done:
    request_id = REQUEST_ID.check("request_id", values[0])
    request_address = REQUEST_ADDRESS.check("request_address", values[1])
    reply = result_class(request_address)
    if reply is None:
        raise UnknownAddress(_unknown_address(request_address))
    return Done(request_id, request_address, reply.from_arguments(values[2:], Done.address))


def is_end(event: Event) -> bool:
    """Whether the request is over with this event."""
    return not isinstance(event, Progress)
