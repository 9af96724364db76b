"""Our codec and python-osc's say the same, as far as both can."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc import slip
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from osc_bridge.errors import BadArguments, MalformedMessage
from osc_bridge.osc import ARGUMENTS_MAX, encode, peek_integer, read_head, read_values
from osc_bridge.transports.framing import SlipFraming

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
ADDRESSES = TEXT.map(lambda text: "/" + text)
ARGUMENTS = st.lists(
    st.tuples(st.just("i"), st.integers(-(2**31), 2**31 - 1))
    | st.tuples(st.just("h"), st.integers(-(2**63), 2**63 - 1))
    | st.tuples(st.just("f"), st.floats(width=32, allow_nan=False))
    | st.tuples(st.just("d"), st.floats(allow_nan=False))
    | st.tuples(st.just("s"), TEXT)
    | st.just(("T", True))
    | st.just(("F", False)),
    max_size=12,
)


def built(address: str, arguments: list[tuple[str, Any]]) -> bytes:
    builder = OscMessageBuilder(address)
    for tag, value in arguments:
        builder.add_arg(value, tag)
    return builder.build().dgram


@given(ADDRESSES, ARGUMENTS)
def test_we_write_what_python_osc_builds(address: str, arguments: list[tuple[str, Any]]) -> None:
    assert encode(address, arguments) == built(address, arguments)


@given(ADDRESSES, ARGUMENTS)
def test_we_read_what_python_osc_parses(address: str, arguments: list[tuple[str, Any]]) -> None:
    message = built(address, arguments)
    head, parsed = read_head(message), OscMessage(message)
    assert head.address == parsed.address == address
    assert head.tags == "".join(tag for tag, _ in arguments)
    assert read_values(message, head) == parsed.params == [value for _, value in arguments]


def test_what_is_no_number_stays_none() -> None:
    message = encode("/a", [("d", math.nan), ("f", -math.inf), ("f", 0.1)])
    nan, infinity, rounded = read_values(message, read_head(message))
    assert math.isnan(float(nan))
    assert (infinity, rounded) == (-math.inf, struct.unpack("f", struct.pack("f", 0.1))[0])


@given(st.binary(max_size=80) | st.lists(st.sampled_from([b"\xc0", b"\xdb", b"a"])).map(b"".join))
def test_we_frame_as_python_osc_does(packet: bytes) -> None:
    framed = SlipFraming().frame(packet)
    assert framed == slip.encode(packet)
    assert SlipFraming().feed(framed) == ([packet] if packet else [])


@given(st.lists(st.sampled_from([b"\xdb", b"\xdc", b"\xdd", b"a"]), min_size=1).map(b"".join))
def test_we_refuse_the_escapes_that_python_osc_refuses(frame: bytes) -> None:
    (ours,) = SlipFraming().feed(frame + b"\xc0")
    if isinstance(ours, MalformedMessage):
        with pytest.raises(slip.ProtocolError):
            slip.decode(frame)
    else:
        assert ours == slip.decode(frame)


def test_a_message_without_tags_has_no_arguments() -> None:
    head = read_head(b"/a\0\0")
    assert (head.tags, read_values(b"/a\0\0", head)) == ("", [])


@pytest.mark.parametrize("tags", ["b", "hN", "[i]", "é", "h" + "z" * 300])
def test_unknown_tags_are_named(tags: str) -> None:
    message = b"/a\0\0" + encode("," + tags, [])[:-4] + bytes(8)
    with pytest.raises(BadArguments, match="i, h, f, d, s, T and F are allowed") as caught:
        read_values(message, read_head(message))
    assert len(str(caught.value)) < 300


def test_arguments_have_a_limit() -> None:
    most = encode("/a", [("T", True)] * ARGUMENTS_MAX)
    assert read_values(most, read_head(most)) == [True] * ARGUMENTS_MAX
    more = encode("/a", [("T", True)] * (ARGUMENTS_MAX + 1))
    with pytest.raises(BadArguments, match="513 arguments: at most 512"):
        read_values(more, read_head(more))


@pytest.mark.parametrize(
    ("arguments", "first"),
    [([("h", 7), ("s", "x")], 7), ([("i", -7)], -7), ([("s", "7")], 0), ([], 0)],
)
def test_the_first_integer_is_known_whatever_follows(
    arguments: list[tuple[str, Any]], first: int
) -> None:
    message = encode("/a", arguments)
    assert peek_integer(message, read_head(message)) == first
    cut = message[: read_head(message).index]
    assert peek_integer(cut, read_head(message)) == 0
