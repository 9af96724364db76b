"""Clients from outside loopback: nothing but NotAuthorised until a hello carried the token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from osc_bridge.errors import IncompatibleApi, NotAuthorised, UnknownAddress
from osc_bridge.events import Done, Fail
from osc_bridge.gate import KNOWN_MAX, SILENCE_S, Gate
from osc_bridge.schema import Hello, NewScene, Ping, SceneNotice, Subscribe
from osc_bridge.server import OscServer
from osc_bridge.transports.tcp import TcpLink, TcpListener
from osc_bridge.transports.udp import UdpLink, UdpListener
from osc_bridge.wire import encode, encode_request

TOKEN = "correct horse, blåbærgrød"


def hello(token: str) -> Hello:
    return Hello(1, 1, "test", token)


def is_refused(event: Any) -> bool:
    return isinstance(event, Fail) and isinstance(event.error(), NotAuthorised)


@dataclass
class Guarded:
    """A server and a way to make clients of it."""

    server: OscServer
    client: Callable[[], Any]


@pytest.fixture(params=[(UdpListener, UdpLink), (TcpListener, TcpLink)], ids=["udp", "tcp"])
def guarded(request: pytest.FixtureRequest, fake_engine: Any, connect: Any) -> Iterator[Guarded]:
    """A server that wants the token, over UDP and over TCP."""
    make, link = request.param
    listener = make(needs_token=True)
    with OscServer(fake_engine, [listener], TOKEN) as server:
        yield Guarded(server, lambda: connect(link(listener.port)))


def test_everything_is_refused_before_the_hello(guarded: Guarded, fake_engine: Any) -> None:
    raw = guarded.client()
    for packet in [
        encode("/wildtrack/ping", [("h", 7)]),
        encode("/wildtrack/nothing", [("h", 7)]),
        encode("/wildtrack/scene/new", [("h", 7)]),
        encode("/wildtrack/control/alley/s1/gain_db", [("f", 1.0)]),
        b"#bundle\0....",
        b"junk",
    ]:
        raw.link.send(packet)
        assert is_refused(raw.next())
    assert is_refused(raw.ask(8, NewScene("alley")))
    assert is_refused(raw.ask(9, Subscribe()))
    assert fake_engine.seen == []


def test_the_right_token_opens_and_a_wrong_one_closes(guarded: Guarded, fake_engine: Any) -> None:
    raw = guarded.client()
    for wrong in ("", "wrong", TOKEN[:-1], TOKEN + " "):
        assert is_refused(raw.ask(1, hello(wrong)))
    assert isinstance(raw.ask(1, hello(TOKEN)), Done)
    assert isinstance(raw.ask(2, Ping()), Done)
    raw.link.send(encode("/wildtrack/nothing", [("h", 7)]))
    assert isinstance(raw.next().error(), UnknownAddress)
    assert is_refused(raw.ask(3, hello("wrong")))
    assert is_refused(raw.ask(4, Ping()))
    assert fake_engine.seen == [hello(TOKEN)]


def test_one_client_opens_for_itself_alone(guarded: Guarded) -> None:
    assert isinstance(guarded.client().ask(1, hello(TOKEN)), Done)
    assert is_refused(guarded.client().ask(1, Ping()))


def test_who_loses_the_token_is_told_nothing_more(guarded: Guarded) -> None:
    raw = guarded.client()
    raw.ask(1, hello(TOKEN))
    assert isinstance(raw.ask(2, Subscribe()), Done)
    assert guarded.server.subscribers == 1
    assert is_refused(raw.ask(3, hello("wrong")))
    assert guarded.server.subscribers == 0


def test_another_major_is_told_to_who_knows_the_token(guarded: Guarded) -> None:
    event = guarded.client().ask(1, Hello(2, 0, token=TOKEN))
    assert isinstance(event.error(), IncompatibleApi)


def test_without_a_token_nobody_gets_in(fake_engine: Any, connect: Any) -> None:
    listener = TcpListener(needs_token=True)
    with OscServer(fake_engine, [listener]):
        assert is_refused(connect(TcpLink(listener.port)).ask(1, hello("")))


def test_loopback_beside_it_needs_none(fake_engine: Any, connect: Any) -> None:
    near, far = TcpListener(), TcpListener(needs_token=True)
    with OscServer(fake_engine, [near, far], TOKEN) as server:
        raw = connect(TcpLink(near.port))
        assert isinstance(raw.ask(1, Ping()), Done)
        assert isinstance(raw.ask(2, Subscribe()), Done)
        stranger = connect(TcpLink(far.port))
        assert is_refused(stranger.ask(1, Subscribe()))
        server.tell(SceneNotice("alley", 1, "Set gain_db of s1."))
        assert raw.next().sequence == 1
        assert is_refused(stranger.ask(2, Ping()))


def test_silence_and_leaving_close_again() -> None:
    gate = Gate(TOKEN)
    gate.check("c", hello(TOKEN), 0.0)
    gate.check("c", Ping(), SILENCE_S)
    gate.check("c", Ping(), 2 * SILENCE_S)
    with pytest.raises(NotAuthorised):
        gate.check("c", Ping(), 3 * SILENCE_S + 1.0)
    gate.check("c", hello(TOKEN), 0.0)
    gate.forget("c")
    with pytest.raises(NotAuthorised, match="token file"):
        gate.check("c", Ping(), 0.0)


def test_silence_does_not_close_a_connection() -> None:
    gate = Gate(TOKEN)
    gate.check("c", hello(TOKEN), 0.0, is_connected=True)
    gate.check("c", Ping(), 9 * SILENCE_S, is_connected=True)
    gate.forget("c")
    with pytest.raises(NotAuthorised):
        gate.check("c", Ping(), 9 * SILENCE_S, is_connected=True)


def test_who_is_connected_is_known_by_the_transport(guarded: Guarded, monkeypatch: Any) -> None:
    seen: list[bool] = []
    check = Gate.check

    def noting(*arguments: Any, is_connected: bool) -> None:
        seen.append(is_connected)
        check(*arguments, is_connected=is_connected)

    monkeypatch.setattr(Gate, "check", noting)
    guarded.client().ask(1, hello(TOKEN))
    assert seen == [guarded.server.listeners[0].name == "tcp"]


def test_what_is_known_is_bounded_and_the_longest_silent_gives_way() -> None:
    gate = Gate(TOKEN)
    for number in range(KNOWN_MAX):
        gate.check(number, hello(TOKEN), 0.0)
    gate.check(0, Ping(), 1.0)
    gate.check("late", hello(TOKEN), 1.0)
    with pytest.raises(NotAuthorised):
        gate.check(1, Ping(), 1.0)
    gate.check(0, Ping(), 1.0)


def test_of_a_strangers_bundle_only_the_first_message_is_answered(guarded: Guarded) -> None:
    raw, ping = guarded.client(), encode_request(7, Ping())
    raw.link.send(bundle(*[ping] * 40))
    assert is_refused(raw.next())
    raw.link.send(bundle(encode_request(8, hello(TOKEN)), ping))
    assert sorted(event.request_id for event in raw.ends(2)) == [7, 8]


def bundle(*messages: bytes) -> bytes:
    sized = b"".join(len(message).to_bytes(4, "big") + message for message in messages)
    return b"#bundle\0" + (1).to_bytes(8, "big") + sized
