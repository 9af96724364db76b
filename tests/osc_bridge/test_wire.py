"""Bytes to messages and back; whatever arrives, an answerable error comes out."""

from __future__ import annotations

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
from osc_bridge.events import ERRORS_BY_CODE, CancelledReply, Done, Fail, Progress, Told, one_line
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
    ShortText,
    Spec,
    Text,
)
from osc_bridge.message import ROOT, Rows, slots
from osc_bridge.messages.base import Setting
from osc_bridge.schema import NOTICES, REQUESTS, Notice, Ping, Request, SetSource
from osc_bridge.wire import (
    DATAGRAM_MAX,
    encode,
    encode_event,
    encode_request,
    read_event,
    read_request,
)

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
        case ShortText():
            return st.text(PLAIN, max_size=12) | st.just("\N{DOG FACE}" * spec.high)
        case Pattern():
            return st.from_regex(spec.regex, fullmatch=True)
        case Choice():
            return st.sampled_from(spec.words)
        case FilePath():
            return st.text(PLAIN, min_size=1, max_size=20) | st.just("/" * PATH_MAX_BYTES)
        case Many():
            few = max(spec.low, 4)
            return st.lists(values_of(spec.item), min_size=spec.low, max_size=few, unique=True).map(
                tuple
            )
        case Rows():
            return st.lists(messages_of(spec.row), max_size=3).map(tuple)
    raise AssertionError(spec)


def messages_of(cls: type[Any]) -> st.SearchStrategy[Any]:
    if issubclass(cls, Setting):
        return st.sampled_from(sorted(cls.settable)).flatmap(lambda name: settings_of(cls, name))
    fields = {slot.name: values_of(slot.spec) for slot in slots(cls)}
    if "y1" in fields:
        low, high = st.integers(0, 500), st.integers(501, 60_000)
        fields |= {"x0": low, "y0": low, "x1": high, "y1": high}
    return st.builds(cls, **fields)


def settings_of(cls: type[Setting], name: str) -> st.SearchStrategy[Any]:
    others = {s.name: values_of(s.spec) for s in slots(cls) if s.name not in ("field", "value")}
    return st.builds(cls, **others, field=st.just(name), value=values_of(cls.settable[name]))


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


@pytest.mark.parametrize("cls", NOTICES)
def test_every_notice_survives_the_wire(cls: type[Notice]) -> None:
    @settings(max_examples=20)
    @given(IDS, messages_of(cls))
    def holds(sequence: int, notice: Notice) -> None:
        data = encode_event(Told(sequence, notice))
        assert read_event(data) == Told(sequence, notice)
        assert len(data) <= DATAGRAM_MAX

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
