"""What only sockets have: ports, other clients' framing, sizes, descriptors."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from osc_bridge.client import Client
from osc_bridge.errors import EngineUnreachable, OutOfRange, PortInUse
from osc_bridge.events import Done, Fail
from osc_bridge.schema import AddText, Ping
from osc_bridge.server import OscServer
from osc_bridge.transports.framing import SizedFraming, SlipFraming
from osc_bridge.transports.tcp import TcpLink, TcpListener
from osc_bridge.transports.udp import UdpLink, UdpListener
from osc_bridge.wire import encode_request, read_event

WAIT_S = 20.0
LISTENERS = [UdpListener, TcpListener]


def descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


@pytest.mark.parametrize("make", LISTENERS)
def test_a_port_in_use_is_told_with_the_cure(make: Any) -> None:
    first = make()
    with pytest.raises(PortInUse, match=rf"{first.port} on 127.0.0.1 is in use: choose"):
        make(first.port)
    first.close()


@pytest.mark.parametrize("make", LISTENERS)
def test_a_closed_port_is_free_again(make: Any, fake_engine: Any) -> None:
    listener = make()
    with OscServer(fake_engine, [listener]) as server:
        with Client.connect(listener.port, transport=listener.name) as client:
            client.ping()
        assert server.port(listener.name) == listener.port
    make(listener.port).close()


def test_udp_answers_each_sender_at_its_own_port(fake_engine: Any) -> None:
    listener = UdpListener()
    with OscServer(fake_engine, [listener]), udp_socket() as one, udp_socket() as two:
        for request_id, sock in ((1, one), (2, two)):
            sock.sendto(encode_request(request_id, Ping()), ("127.0.0.1", listener.port))
        assert [read_event(s.recv(2000)).request_id for s in (one, two)] == [1, 2]


def udp_socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(WAIT_S)
    sock.bind(("127.0.0.1", 0))
    return sock


@pytest.mark.parametrize("make", [SlipFraming, SizedFraming])
def test_tcp_answers_in_the_framing_of_the_client(make: Any, fake_engine: Any) -> None:
    listener = TcpListener()
    with (
        OscServer(fake_engine, [listener]),
        socket.create_connection(("127.0.0.1", listener.port), WAIT_S) as sock,
    ):
        for byte in make().frame(encode_request(7, Ping())):
            sock.sendall(bytes([byte]))
        framing = make()
        frames: list[Any] = []
        while not frames:
            frames = framing.feed(sock.recv(2000))
        assert isinstance(read_event(frames[0]), Done)


def test_a_tcp_frame_too_large_is_answered_and_the_connection_goes_on(fake_engine: Any) -> None:
    listener = TcpListener()
    with OscServer(fake_engine, [listener]), socket.socket() as sock:
        sock.settimeout(WAIT_S)
        sock.connect(("127.0.0.1", listener.port))
        framing = SlipFraming()
        sock.sendall(framing.frame(b"/" * 200_000) + framing.frame(encode_request(7, Ping())))
        frames: list[Any] = []
        while len(frames) < 2:
            frames += framing.feed(sock.recv(2000))
        refused, done = (read_event(frame) for frame in frames)
        assert isinstance(refused, Fail)
        assert refused.name == "MalformedMessage"
        assert isinstance(done, Done)


def test_what_a_web_page_makes_a_browser_send_is_not_read(fake_engine: Any) -> None:
    listener = TcpListener()
    body = SlipFraming().frame(encode_request(7, AddText("a", "rain")))
    head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    with (
        OscServer(fake_engine, [listener]),
        socket.create_connection(("127.0.0.1", listener.port), WAIT_S) as sock,
    ):
        sock.sendall(head.encode() + body)
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(2000) == b""
    assert fake_engine.seen == []


def test_a_client_that_vanishes_harms_nobody(fake_engine: Any) -> None:
    listener = TcpListener()
    with OscServer(fake_engine, [listener]):
        for _ in range(3):
            sock = socket.create_connection(("127.0.0.1", listener.port), WAIT_S)
            sock.sendall(b"\xc0/half")
            sock.close()
        with Client.connect(listener.port, timeout_s=WAIT_S) as client:
            assert client.ping(WAIT_S).uptime_s >= 0


def test_a_request_too_large_for_udp_is_refused_with_the_cure(fake_engine: Any) -> None:
    listener = UdpListener()
    with (
        OscServer(fake_engine, [listener]),
        Client.connect(listener.port, transport="udp", timeout_s=WAIT_S) as client,
    ):
        with pytest.raises(OutOfRange, match=r"at most 1400 bytes.*TCP"):
            client.call(AddText("a", "\N{DOG FACE}" * 400))
        assert client.pending_count == 0


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_nobody_there_is_unreachable_with_the_cure(transport: Any) -> None:
    make = TcpListener if transport == "tcp" else UdpListener
    listener = make()
    listener.close()
    with pytest.raises(EngineUnreachable, match="wildtrack engine"):
        Client.connect(listener.port, transport=transport, timeout_s=WAIT_S)


@pytest.mark.parametrize("make", LISTENERS)
def test_no_descriptor_is_left(make: Any, fake_engine: Any) -> None:
    before = descriptors()
    listener = make()
    with OscServer(fake_engine, [listener]):
        for _ in range(3):
            with Client.connect(listener.port, transport=listener.name, timeout_s=WAIT_S) as client:
                client.ping(WAIT_S)
        for _ in range(3):
            with pytest.raises(PortInUse):
                make(listener.port)
    assert descriptors() == before


def test_a_listener_that_never_started_frees_its_port() -> None:
    before = descriptors()
    for make in LISTENERS:
        make().close()
    assert descriptors() == before


class Watch:
    """A sink that keeps the last peer and notes when one is gone."""

    def __init__(self) -> None:
        self.peers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.lost = threading.Event()

    def received(self, peer: Any, packet: bytes) -> None:
        self.peers.put(peer)

    def refused(self, peer: Any, error: Any) -> None: ...

    def gone(self, peer: Any) -> None:
        self.lost.set()


def test_a_client_that_reads_nothing_is_disconnected() -> None:
    listener, watch = TcpListener(), Watch()
    listener.start(watch)
    with socket.create_connection(("127.0.0.1", listener.port), WAIT_S) as sock:
        sock.sendall(SlipFraming().frame(b"/a"))
        peer = watch.peers.get(timeout=WAIT_S)
        for _ in range(400):
            peer.send(b"x" * 60_000)
        assert watch.lost.wait(WAIT_S)
        peer.send(b"dropped")
    listener.close()


def test_connections_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("osc_bridge.transports.tcp._CONNECTIONS_MAX", 1)
    listener, watch = TcpListener(), Watch()
    listener.start(watch)
    address = ("127.0.0.1", listener.port)
    with (
        socket.create_connection(address, WAIT_S),
        socket.create_connection(address, WAIT_S) as two,
    ):
        assert two.recv(1) == b""
    listener.close()


def test_strangers_do_not_take_the_room_of_who_has_the_token(
    fake_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("osc_bridge.transports.tcp._CONNECTIONS_MAX", 2)
    listener = TcpListener(needs_token=True)
    address = ("127.0.0.1", listener.port)
    with (
        OscServer(fake_engine, [listener], "token"),
        Client.connect(listener.port, timeout_s=WAIT_S, token="token") as friend,
        socket.create_connection(address, WAIT_S) as stranger,
    ):
        with Client.connect(listener.port, timeout_s=WAIT_S, token="token") as late:
            assert stranger.recv(1) == b""
            assert late.ping(WAIT_S).uptime_s >= 0
            with socket.create_connection(address, WAIT_S) as another:
                assert another.recv(1) == b""
        assert friend.ping(WAIT_S).uptime_s >= 0


@pytest.mark.parametrize("make", LISTENERS)
def test_another_interface_is_served_behind_a_token(make: Any) -> None:
    with pytest.raises(OutOfRange, match="--bind"):
        make(0, "0.0.0.0")
    listener, watch = make(0, "0.0.0.0", needs_token=True), Watch()
    listener.start(watch)
    link = (UdpLink if listener.name == "udp" else TcpLink)(listener.port)
    link.send(b"/a\0\0")
    peer = watch.peers.get(timeout=WAIT_S)
    assert (peer.needs_token, peer.host) == (True, "127.0.0.1")
    link.close()
    listener.close()


def test_answers_of_many_threads_leave_whole_and_once() -> None:
    listener, watch = TcpListener(), Watch()
    listener.start(watch)
    with socket.create_connection(("127.0.0.1", listener.port), WAIT_S) as sock:
        sock.sendall(SlipFraming().frame(b"/a"))
        peer = watch.peers.get(timeout=WAIT_S)

        def send(thread: int) -> None:
            for number in range(500):
                peer.send(b"%d.%d" % (thread, number))

        threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        framing = SlipFraming()
        answers: list[Any] = []
        while len(answers) < 2000:
            answers += framing.feed(sock.recv(1 << 16))
        for thread in threads:
            thread.join()
    for number in range(4):
        own = [a for a in answers if a.startswith(b"%d." % number)]
        assert own == [b"%d.%d" % (number, i) for i in range(500)]
    listener.close()
