"""Bytes to messages and back; whatever arrives, an answerable error comes out."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pythonosc.osc_message_builder import OscMessageBuilder

from osc_bridge.errors import (
    BadArguments,
    BadText,
    MalformedMessage,
    OutOfRange,
    UnknownAddress,
    WildtrackError,
)
from osc_bridge.events import ERRORS_BY_CODE, CancelledReply, Done, Fail, Progress, one_line
from osc_bridge.fields import (
    PATH_MAX_BYTES,
    AnyValue,
    Choice,
    FilePath,
    Flag,
    Int,
    Many,
    Pattern,
    Real,
    Spec,
    Text,
)
from osc_bridge.message import ROOT, Message, Rows, slots
from osc_bridge.schema import REQUESTS, SETTABLE, Ping, Request, SetSource, SourceChanged
from osc_bridge.wire import (
    BUNDLE_DEPTH_MAX,
    DATAGRAM_MAX,
    FRAME_MAX,
    encode,
    encode_event,
    encode_request,
    read_event,
    read_request,
    unpack,
)

NOW_S = 1_800_000_000.0
PLAIN = st.characters(exclude_categories=("Cc", "Cs"))


def values_of(spec: Spec) -> st.SearchStrategy[Any]:
    match spec:
        case Int():
            return st.integers(spec.low, spec.high)
        case Real():
            return st.floats(spec.low, spec.high)
        case Flag():
            return st.booleans()
        case Text():
            short = st.text(PLAIN, min_size=spec.low, max_size=12)
            longest = st.just("\N{DOG FACE}" * spec.high)
            return (short | longest).filter(lambda t: not spec.low or t.strip())
        case Pattern():
            return st.text("Aaz019", min_size=1, max_size=16)
        case Choice():
            return st.sampled_from(spec.words)
        case FilePath():
            return st.text(PLAIN, min_size=1, max_size=20) | st.just("/" * PATH_MAX_BYTES)
        case Many():
            return st.lists(values_of(spec.item), max_size=4).map(tuple)
        case Rows():
            return st.lists(messages_of(spec.row), max_size=3).map(tuple)
    raise AssertionError(spec)


def messages_of(cls: type[Any]) -> st.SearchStrategy[Any]:
    if cls in (SetSource, SourceChanged):
        return settings_of(cls)
    fields = {slot.name: values_of(slot.spec) for slot in slots(cls)}
    if "y1" in fields:
        low, high = st.integers(0, 500), st.integers(501, 60_000)
        fields |= {"x0": low, "y0": low, "x1": high, "y1": high}
    return st.builds(cls, **fields)


def settings_of(cls: type[Any]) -> st.SearchStrategy[Any]:
    def with_value(name: str) -> st.SearchStrategy[Any]:
        ident = values_of(slots(cls)[0].spec)
        return st.builds(cls, ident, ident, st.just(name), values_of(SETTABLE[name]))

    return st.sampled_from(sorted(SETTABLE)).flatmap(with_value)


IDS = st.integers(1, 2**63 - 1)


@pytest.mark.parametrize("cls", REQUESTS)
def test_every_request_survives_the_wire(cls: type[Request[Any]]) -> None:
    @settings(max_examples=20)
    @given(IDS, messages_of(cls))
    def holds(request_id: int, request: Request[Any]) -> None:
        incoming = read_request(encode_request(request_id, request))
        assert (incoming.request_id, incoming.request) == (request_id, request)
        assert incoming.address == ROOT + cls.address

    holds()


@pytest.mark.parametrize("cls", REQUESTS)
def test_every_result_survives_the_wire(cls: type[Request[Any]]) -> None:
    @settings(max_examples=20)
    @given(IDS, messages_of(cls.reply))
    def holds(request_id: int, result: Any) -> None:
        done = Done(request_id, ROOT + cls.address, result)
        assert read_event(encode_event(done)) == done

    holds()


@given(st.sampled_from(sorted(ERRORS_BY_CODE)), st.text(max_size=3000))
def test_an_error_keeps_its_class_and_fits_a_datagram(code: int, sentence: str) -> None:
    fail = Fail.of(7, ROOT + "/render", ERRORS_BY_CODE[code](sentence))
    data = encode_event(fail)
    again = read_event(data)
    assert len(data) <= DATAGRAM_MAX
    assert isinstance(again, Fail)
    assert type(again.error()) is ERRORS_BY_CODE[code]


def test_a_long_sentence_keeps_its_beginning_and_its_cure() -> None:
    line = one_line("The file " + "x" * 3000 + " is missing: name another.")
    assert line.startswith("The file xxx")
    assert line.endswith("is missing: name another.")


@pytest.mark.parametrize(
    "event",
    [CancelledReply(7, "/wildtrack/render"), Progress(7, "/wildtrack/render", 0.5, 1, 2, "")],
)
def test_events_survive_the_wire(event: CancelledReply | Progress) -> None:
    assert read_event(encode_event(event)) == event


def message(address: str, *arguments: tuple[str, Any]) -> bytes:
    builder = OscMessageBuilder(address)
    for tag, value in arguments:
        builder.add_arg(value, tag)
    return builder.build().dgram


PING = encode_request(7, Ping())


@pytest.mark.parametrize(
    ("packet", "error"),
    [
        (b"", MalformedMessage),
        (b"junk", MalformedMessage),
        (b"/wildtrack/ping", MalformedMessage),
        (b"/wildtrack/ping.", MalformedMessage),
        (PING[:-4], MalformedMessage),
        (PING + b"\0\0\0\0", MalformedMessage),
        (b"/wildtrack/ping\0h\0\0\0" + PING[-8:], MalformedMessage),
        (b"/wildtrack/ping\0,hs\0" + PING[-8:] + b"\xff\xff\xff\0", MalformedMessage),
        (
            b"/wildtrack/source/add/audio\0,hss\0\0\0\0" + PING[-8:] + b"a\0\0\0\xff\0\0\0",
            MalformedMessage,
        ),
        (message("/wildtrack/pong", ("h", 7)), UnknownAddress),
        (message("/other", ("h", 7)), UnknownAddress),
        (message("/wildtrack/*", ("h", 7)), UnknownAddress),
        (message("/wildtrack/ping"), BadArguments),
        (message("/wildtrack/ping", ("s", "7")), BadArguments),
        (message("/wildtrack/ping", ("h", 0)), BadArguments),
        (message("/wildtrack/ping", ("h", -1)), BadArguments),
        (message("/wildtrack/ping", ("h", 7), ("i", 1)), BadArguments),
        (message("/wildtrack/ping", ("h", 7), ("b", b"blob")), BadArguments),
        (message("/wildtrack/ping", ("h", 7), ("N", None)), BadArguments),
        (message("/wildtrack/ping", ("h", 7), *[("T", True)] * 600), BadArguments),
        (message("/wildtrack/source/list", ("h", 7), ("i", 1)), BadArguments),
        (message("/wildtrack/source/list", ("h", 7), ("s", "a"), ("f", 0.0)), BadArguments),
        (message("/wildtrack/source/list", ("h", 7), ("s", "a"), ("i", -1)), OutOfRange),
        (message("/wildtrack/source/add/text", ("h", 7), ("s", "a"), ("s", "x\x01")), BadText),
    ],
)
def test_each_fault_has_its_code(packet: bytes, error: type[WildtrackError]) -> None:
    incoming = read_request(packet)
    assert type(incoming.request) is error
    assert len(encode_event(Fail.of(incoming.request_id, incoming.address, incoming.request))) > 0


@pytest.mark.parametrize("tag", ["r", "m", "t", "c", "S", "I", "[", "]", "z"])
def test_an_unknown_type_tag_is_named_and_the_id_is_known(tag: str) -> None:
    packet = b"/wildtrack/ping\0" + f",h{tag}\0".encode() + PING[-8:] + b"\0\0\0\0"
    incoming = read_request(packet)
    assert isinstance(incoming.request, BadArguments)
    assert repr(tag) in str(incoming.request)
    assert incoming.request_id == 7


def test_a_near_miss_is_told_the_address() -> None:
    incoming = read_request(message("/wildtrack/rendr", ("h", 7)))
    assert "did you mean /wildtrack/render?" in str(incoming.request)


@pytest.mark.parametrize("tag", ["f", "d", "i", "h"])
def test_any_number_type_serves_where_a_number_is_declared(tag: str) -> None:
    head = [("i", 7), ("s", "a"), ("s", "s1"), ("s", "gain_db")]
    incoming = read_request(message("/wildtrack/source/set", *head, (tag, -6)))
    assert incoming.request == SetSource("a", "s1", "gain_db", -6.0)


@given(st.binary(max_size=400))
def test_any_bytes_end_in_a_wildtrack_error(data: bytes) -> None:
    try:
        parts = unpack(data, NOW_S)
    except WildtrackError:
        return
    for part in parts:
        incoming = read_request(part)
        assert isinstance(incoming.request, WildtrackError | Message)
        if isinstance(incoming.request, WildtrackError):
            encode_event(Fail.of(incoming.request_id, incoming.address, incoming.request))


@given(st.sampled_from(REQUESTS), st.data())
def test_flipped_bytes_end_in_a_request_or_a_wildtrack_error(cls: Any, data: st.DataObject) -> None:
    packet = bytearray(encode_request(7, cls.example()))
    for _ in range(data.draw(st.integers(1, 4))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    for part in (bytes(packet), bytes(packet[: data.draw(st.integers(0, len(packet)))])):
        incoming = read_request(part)
        assert isinstance(incoming.request, WildtrackError | Message)


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


@pytest.mark.parametrize(
    ("address", "arguments"),
    [
        ("/other/done", [("h", 7), ("s", "/wildtrack/ping")]),
        ("/wildtrack/done", [("h", 7), ("s", "/wildtrack/unknown")]),
        ("/wildtrack/done", [("h", 7)]),
    ],
)
def test_a_strange_answer_is_refused(address: str, arguments: list[Any]) -> None:
    with pytest.raises(UnknownAddress):
        read_event(encode(address, arguments))


def test_a_value_without_a_field_keeps_its_type() -> None:
    spec = AnyValue("x", 0, "anything")
    assert [spec.arguments(v)[0][0] for v in (True, False, 1, 1.0, "a")] == [
        "T",
        "F",
        "h",
        "d",
        "s",
    ]
