"""Bundles: a packet to the messages in it.

A time tag never delays anything: a bundle that is due within `EARLY_MAX_S` is carried out at once,
one that is due later is refused.
"""

from __future__ import annotations

from osc_bridge.errors import MalformedMessage, OutOfRange
from osc_bridge.osc import FRAME_MAX

BUNDLE_DEPTH_MAX = 4
BUNDLE_MESSAGES_MAX = 256
EARLY_MAX_S = 1.0
"""Clients that schedule a little ahead (SuperCollider: 0.2 s) are served at once."""

_NTP_TO_UNIX_S = 2_208_988_800
_BUNDLE = b"#bundle\x00"
_IMMEDIATELY = 1


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
