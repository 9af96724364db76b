"""Malformed datagrams of every kind, the same for a seed in one process; none asks anything."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Callable, Iterator

from osc_bridge.bundle import unpack
from osc_bridge.control import is_control, read_control
from osc_bridge.errors import WildtrackError
from osc_bridge.osc import read_head
from osc_bridge.schema import REQUESTS
from osc_bridge.wire import DATAGRAM_MAX, encode, encode_request, read_request

Source = random.Random

_VALID = [encode_request(7, cls.example()) for cls in REQUESTS]
_BEGAN_S = int(time.time())
_STRANGE_TAGS = "bNIrmtcS[]{}*?z\x01\x7f"


def random_bytes(source: Source) -> bytes:
    return source.randbytes(source.randint(1, DATAGRAM_MAX))


def mutated_request(source: Source) -> bytes:
    data = bytearray(source.choice(_VALID))
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(data))
        if source.random() < 0.7:
            data[at] = source.randrange(256)
        else:
            del data[at : at + source.randint(1, 8)]
        data = data or bytearray(b"/")
    return bytes(data)


def lying_size(source: Source) -> bytes:
    message = source.choice(_VALID)
    lie = source.choice([0, 1, 3, len(message) + 4, 2**31 - 4, 2**31, 2**32 - 4])
    if source.random() < 0.5:
        return message[: source.randrange(len(message))] + bytes(source.choice([0, 1, 4, 64]))
    return _bundle_head(1) + struct.pack(">I", lie) + message


def deep_bundle(source: Source) -> bytes:
    packet = source.choice(_VALID)[:200]
    for _ in range(source.randint(5, 55)):
        packet = _bundle_head(1) + struct.pack(">I", len(packet)) + packet
    return packet[:DATAGRAM_MAX]


def late_bundle(source: Source) -> bytes:
    due_s = _BEGAN_S + 2_208_988_800 + source.randint(3600, 10**9)
    message = source.choice(_VALID)
    return _bundle_head((due_s % 2**32) << 32) + struct.pack(">I", len(message)) + message


def bad_type_tags(source: Source) -> bytes:
    message = source.choice(_VALID)
    head = read_head(message)
    strange = "".join(source.choices(_STRANGE_TAGS, k=source.choice([1, 1, 1, 3, 40, 600])))
    at = source.randint(0, len(head.tags))
    tags = head.tags[:at] + strange + head.tags[at:]
    beginning = encode(head.address, [])[:-4] + _padded(f",{tags}".encode())
    return (beginning + message[head.index :])[:DATAGRAM_MAX]


def not_utf8(source: Source) -> bytes:
    bad = source.choice([b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\x80"])
    if source.random() < 0.3:
        return _padded(b"/wildtrack/" + bad) + _padded(b",h") + bytes(8)
    address = source.choice([b"/wildtrack/source/add/text", b"/wildtrack/scene/open"])
    text = _padded(b"a" * source.randint(0, 60) + bad)
    return _padded(address) + _padded(b",hss") + struct.pack(">q", 7) + text + _padded(b"rain")


KINDS: tuple[Callable[[Source], bytes], ...] = (
    random_bytes,
    mutated_request,
    lying_size,
    deep_bundle,
    late_bundle,
    bad_type_tags,
    not_utf8,
)


def malformed(seed: int) -> Iterator[bytes]:
    """Malformed datagrams without end, each kind in its turn."""
    source = Source(seed)
    while True:
        for kind in KINDS:
            packet = kind(source)
            while asks_something(packet):
                packet = kind(source)
            yield packet


def asks_something(packet: bytes) -> bool:
    """Whether any message of the packet is a valid request, which must not be carried out."""
    try:
        messages = unpack(packet, time.time())
    except WildtrackError:
        return False
    return any(_is_valid(message) for message in messages)


def _is_valid(message: bytes) -> bool:
    read = read_control if is_control(message) else read_request
    return not isinstance(read(message).request, WildtrackError)


def _bundle_head(tag: int) -> bytes:
    return b"#bundle\0" + tag.to_bytes(8, "big")


def _padded(text: bytes) -> bytes:
    return text + bytes(4 - len(text) % 4)
