"""Bundles: flat or nested, due or not, broken."""

from __future__ import annotations

import struct

import pytest

from osc_bridge.bundle import BUNDLE_DEPTH_MAX, unpack
from osc_bridge.errors import MalformedMessage, OutOfRange
from osc_bridge.osc import FRAME_MAX
from osc_bridge.schema import Ping
from osc_bridge.wire import encode_request

NOW_S = 1_800_000_000.0
PING = encode_request(7, Ping())


def bundle(*elements: bytes, tag: int = 1) -> bytes:
    sized = b"".join(struct.pack(">i", len(e)) + e for e in elements)
    return b"#bundle\0" + tag.to_bytes(8, "big") + sized


def ntp(time_s: float) -> int:
    return (int(time_s) + 2_208_988_800) % 2**32 << 32


def test_a_bundle_is_unpacked_in_order_through_its_levels() -> None:
    first, second, third = (encode_request(i, Ping()) for i in (1, 2, 3))
    assert unpack(bundle(first, bundle(second), third), NOW_S) == [first, second, third]


@pytest.mark.parametrize("ahead_s", [-1e6, -1, 0, 0.5])
def test_a_bundle_that_is_due_is_carried_out(ahead_s: float) -> None:
    assert unpack(bundle(PING, tag=ntp(NOW_S + ahead_s)), NOW_S) == [PING]


@pytest.mark.parametrize("ahead_s", [2, 3600, 1e9])
def test_a_bundle_for_later_is_refused(ahead_s: float) -> None:
    with pytest.raises(OutOfRange, match=r"due in \d+ s"):
        unpack(bundle(PING, tag=ntp(NOW_S + ahead_s)), NOW_S)


def nested(levels: int) -> bytes:
    packet = PING
    for _ in range(levels):
        packet = bundle(packet)
    return packet


def test_nesting_has_a_limit() -> None:
    assert unpack(nested(BUNDLE_DEPTH_MAX), NOW_S) == [PING]
    with pytest.raises(MalformedMessage, match="nested deeper"):
        unpack(nested(BUNDLE_DEPTH_MAX + 1), NOW_S)


@pytest.mark.parametrize(
    "packet",
    [
        b"#bundle\0\0\0\0\0",
        bundle(b""),
        bundle() + b"\xff\xff\xff\xfc" + PING,
        bundle() + b"\0\0\0\x7c" + PING,
        bundle() + b"\0\0",
        bundle(*[PING] * 257),
        b"/" * (FRAME_MAX + 4),
    ],
)
def test_a_broken_bundle_is_malformed(packet: bytes) -> None:
    with pytest.raises(MalformedMessage):
        unpack(packet, NOW_S)
