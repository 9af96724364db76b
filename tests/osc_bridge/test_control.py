"""Control addresses: bare values of faders and buttons, in both directions."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osc_bridge.control import CONTROL, encode_value, is_control, read_control
from osc_bridge.errors import (
    BadArguments,
    MalformedMessage,
    OutOfRange,
    UnknownAddress,
    UnknownScene,
    WildtrackError,
)
from osc_bridge.events import Done, Fail
from osc_bridge.fields import Flag, Int, Real
from osc_bridge.schema import SETTABLE, Ping, SetSource, SourceChanged
from osc_bridge.wire import DATAGRAM_MAX, encode, read_head, read_values


def read(path: str, *arguments: tuple[str, Any]) -> Any:
    return read_control(encode(CONTROL + path, list(arguments))).request


@pytest.mark.parametrize(
    ("field", "tag", "sent", "value"),
    [
        ("gain_db", "f", -6.5, -6.5),
        ("gain_db", "i", -6, -6.0),
        ("pan", "d", 0.1, 0.1),
        ("mute", "T", True, True),
        ("mute", "f", 1.0, True),
        ("solo", "F", False, False),
        ("solo", "f", 0.0, False),
        ("solo", "i", 1, True),
        ("seed", "f", 2.0, 2),
        ("seed", "h", 2**40, 2**40),
        ("start_sample", "d", 48_000.0, 48_000),
        ("duration_samples", "f", 0.0, 0),
        ("label", "s", "dog", "dog"),
        ("chain", "s", "far", "far"),
        ("text", "s", "rain", "rain"),
    ],
)
def test_a_value_becomes_a_setting(field: str, tag: str, sent: Any, value: Any) -> None:
    request = read(f"alley/s1/{field}", (tag, sent))
    assert request == SetSource("alley", "s1", field, value)
    assert type(request.value) is type(value)


@pytest.mark.parametrize(
    ("path", "arguments", "error"),
    [
        ("alley/s1/gain_db", (), BadArguments),
        ("alley/s1/gain_db", (("h", 7), ("f", 1.0)), BadArguments),
        ("alley/s1/gain_db", (("s", "loud"),), BadArguments),
        ("alley/s1/gain_db", (("T", True),), BadArguments),
        ("alley/s1/gain_db", (("f", 12.5),), OutOfRange),
        ("alley/s1/gain_db", (("f", math.nan),), OutOfRange),
        ("alley/s1/seed", (("f", 0.5),), BadArguments),
        ("alley/s1/seed", (("d", math.inf),), BadArguments),
        ("alley/s1/seed", (("d", 1e300),), OutOfRange),
        ("alley/s1/seed", (("f", -1.0),), OutOfRange),
        ("alley/s1/mute", (("f", 0.5),), BadArguments),
        ("alley/s1/mute", (("f", 2.0),), OutOfRange),
        ("alley/s1/loudness", (("f", 0.5),), BadArguments),
        ("alley/s1", (("f", 0.5),), UnknownAddress),
        ("", (("f", 0.5),), UnknownAddress),
        ("alley/s1/gain_db/more", (("f", 0.5),), UnknownAddress),
        ("al ley/s1/gain_db", (("f", 0.5),), OutOfRange),
        ("../s1/gain_db", (("f", 0.5),), OutOfRange),
        ("//gain_db", (("f", 0.5),), OutOfRange),
    ],
)
def test_what_is_wrong_is_told(path: str, arguments: Any, error: type[WildtrackError]) -> None:
    assert type(read(path, *arguments)) is error


def test_bytes_that_are_no_message_are_told_so() -> None:
    incoming = read_control(CONTROL.encode() + b"alley")
    assert incoming.request_id == 0
    assert isinstance(incoming.request, MalformedMessage)


@given(st.binary(max_size=60))
def test_no_bytes_raise(data: bytes) -> None:
    incoming = read_control(CONTROL.encode() + data)
    assert isinstance(incoming.request, WildtrackError | SetSource)


@pytest.mark.parametrize("field", SETTABLE)
def test_what_goes_back_is_what_a_controller_may_send(field: str) -> None:
    spec = SETTABLE[field]
    value: Any = spec.example
    packet = encode_value("a" * 64, "b" * 64, field, value)
    request = read_control(packet).request
    assert is_control(packet)
    assert request == SetSource("a" * 64, "b" * 64, field, value)
    tags = read_head(packet).tags
    expected = {Real: "f", Flag: "TF", Int: "ih"}
    assert tags in next((e for k, e in expected.items() if isinstance(spec, k)), "s")


def test_a_float_goes_back_in_single_precision() -> None:
    packet = encode_value("alley", "s1", "pan", 0.1)
    (value,) = read_values(packet, read_head(packet))
    assert value == pytest.approx(0.1, abs=1e-8)


def test_a_long_text_goes_back_cut_to_a_datagram() -> None:
    assert len(encode_value("a" * 64, "b" * 64, "text", "雨" * 400)) <= DATAGRAM_MAX


# Over the transports


def test_a_fader_moves_a_setting_and_only_failure_is_answered(rig: Any, raw: Any) -> None:
    raw.control("alley/s1/gain_db", "f", -6.0)
    raw.control("alley/s1/mute", "f", 1.0)
    raw.control("nowhere/s1/pan", "f", 0.5)
    failed = raw.next()
    assert isinstance(failed, Fail)
    assert (failed.request_id, failed.request_address) == (0, CONTROL + "nowhere/s1/pan")
    assert isinstance(failed.error(), UnknownScene)
    assert rig.engine.seen == [
        SetSource("alley", "s1", "gain_db", -6.0),
        SetSource("alley", "s1", "mute", True),
        SetSource("nowhere", "s1", "pan", 0.5),
    ]


def test_a_refused_value_is_answered_with_the_id_0(rig: Any, raw: Any) -> None:
    raw.control("alley/s1/gain_db", "f", 99.0)
    failed = raw.next()
    assert (failed.request_id, failed.code) == (0, OutOfRange.code)
    assert "-60 to 12 dB" in failed.sentence
    assert rig.engine.seen == []


def test_an_address_that_no_fail_can_hold_is_cut(raw: Any) -> None:
    raw.control("a" * 64 + "/" + "b" * 64 + "/gain_db", "f", 99.0)
    failed = raw.next()
    assert failed.request_address == (CONTROL + "a" * 64)[:64]


def test_values_and_requests_are_made_in_their_order(rig: Any, raw: Any) -> None:
    rig.block(raw, 1)
    raw.control("alley/s1/gain_db", "f", -1.0)
    raw.send(2, SetSource("alley", "s1", "gain_db", -2.0))
    raw.control("alley/s1/gain_db", "f", -3.0)
    raw.send(3, Ping())
    assert raw.ends(1)[0].request_id == 3
    rig.engine.release.set()
    assert raw.ends(2)[1] == Done(
        2, "/wildtrack/source/set", SourceChanged("alley", "s1", "gain_db", -2.0)
    )
    assert [request.value for request in rig.engine.batches[0]] == [-1.0, -2.0, -3.0]


def test_equal_values_are_each_made_for_they_have_no_id(rig: Any, raw: Any) -> None:
    for _ in range(3):
        raw.control("alley/s1/gain_db", "f", -1.0)
    raw.ask(1, SetSource("alley", "s1", "gain_db", -2.0))
    assert [request.value for request in rig.engine.seen] == [-1.0, -1.0, -1.0, -2.0]
