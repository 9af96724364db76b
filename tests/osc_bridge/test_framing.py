"""Packets come out of a stream whole, however it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osc_bridge.errors import MalformedMessage
from osc_bridge.transports.framing import Frame, Framing, SizedFraming, SlipFraming, framing_of
from osc_bridge.wire import FRAME_MAX

PACKETS = st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=6)
SPECIAL = st.lists(st.sampled_from([b"\xc0", b"\xdb", b"\xdc", b"\xdd", b"a"]), min_size=1).map(
    b"".join
)


def cut(stream: bytes, size: int) -> list[bytes]:
    return [stream[i : i + size] for i in range(0, len(stream), size)]


def fed(framing: Framing, pieces: list[bytes]) -> list[Frame]:
    return [frame for piece in pieces for frame in framing.feed(piece)]


@pytest.mark.parametrize("make", [SlipFraming, SizedFraming])
@settings(max_examples=50)
@given(packets=PACKETS | st.lists(SPECIAL, min_size=1), size=st.integers(1, 50))
def test_packets_survive_any_cut(make: type[Framing], packets: list[bytes], size: int) -> None:
    stream = b"".join(make().frame(packet) for packet in packets)
    assert fed(make(), cut(stream, size)) == packets


@pytest.mark.parametrize(
    ("first", "kind"), [(0, SizedFraming), (0xC0, SlipFraming), (ord("/"), SlipFraming)]
)
def test_the_first_byte_tells_the_framing(first: int, kind: type[Framing]) -> None:
    assert isinstance(framing_of(first), kind)


@pytest.mark.parametrize("first", b"GPOH\x16\xdb\xff")
def test_what_is_no_osc_has_no_framing(first: int) -> None:
    assert framing_of(first) is None


@pytest.mark.parametrize("make", [SlipFraming, SizedFraming])
def test_a_frame_too_large_is_refused_and_the_next_is_read(make: type[Framing]) -> None:
    stream = make().frame(b"a" * (2 * FRAME_MAX + 1)) + make().frame(b"next")
    error, following = fed(make(), cut(stream, 1000))
    assert isinstance(error, MalformedMessage)
    assert "at most 65536 bytes" in str(error)
    assert following == b"next"


@pytest.mark.parametrize("bad", [b"a\xdbb", b"a\xdb"])
def test_a_bad_escape_is_refused_and_the_next_is_read(bad: bytes) -> None:
    error, following = fed(SlipFraming(), [b"\xc0" + bad + b"\xc0" + SlipFraming().frame(b"next")])
    assert isinstance(error, MalformedMessage)
    assert following == b"next"
