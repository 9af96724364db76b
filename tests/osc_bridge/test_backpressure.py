"""Who asks faster than is answered, or does not read: made to wait, and nothing is lost."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from osc_bridge.transports.framing import SizedFraming, SlipFraming
from osc_bridge.transports.tcp import TcpListener

WAIT_S = 20.0


class Deaf:
    """A sink that notes packets in order and lets its peer be held after each."""

    def __init__(self, hold_after: int) -> None:
        self.packets: list[bytes] = []
        self.peer: Any = None
        self.quiet = threading.Event()
        self._hold_after = hold_after

    def received(self, peer: Any, packet: bytes) -> None:
        self.peer = peer
        self.packets.append(packet)
        if len(self.packets) % self._hold_after == 0:
            peer.hold()
            self.quiet.set()

    def refused(self, peer: Any, error: Any) -> None: ...

    def gone(self, peer: Any) -> None: ...


@pytest.mark.parametrize("make", [SlipFraming, SizedFraming])
def test_a_held_client_waits_and_nothing_is_lost(make: Any) -> None:
    listener, sink = TcpListener(), Deaf(hold_after=50)
    listener.start(sink)
    packets = [b"/%03d" % number for number in range(200)]
    with socket.create_connection(("127.0.0.1", listener.port), WAIT_S) as sock:
        sock.sendall(b"".join(map(make().frame, packets)))
        for count in (50, 100, 150, 200):
            assert sink.quiet.wait(WAIT_S)
            sink.quiet.clear()
            assert sink.packets == packets[:count]
            sink.peer.release()
    listener.close()


def test_a_client_that_does_not_read_its_answers_is_not_listened_to() -> None:
    listener, sink = TcpListener(), Echo()
    listener.start(sink)
    with socket.create_connection(("127.0.0.1", listener.port), WAIT_S) as sock:
        framing = SlipFraming()
        requests = [b"%06d" % number + b"a" * 1000 for number in range(12_000)]
        reader = threading.Thread(
            target=sock.sendall, args=(b"".join(map(framing.frame, requests)),)
        )
        reader.start()
        assert sink.is_full.wait(WAIT_S)
        assert sink.seen < len(requests)
        answers: list[Any] = []
        while len(answers) < len(requests):
            answers += framing.feed(sock.recv(1 << 20))
        reader.join()
    assert answers == requests
    listener.close()


class Echo:
    """A sink that answers each packet with itself and notes when answers pile up."""

    def __init__(self) -> None:
        self.seen = 0
        self.is_full = threading.Event()

    def received(self, peer: Any, packet: bytes) -> None:
        self.seen += 1
        peer.send(packet)
        if not peer.is_taken:
            self.is_full.set()

    def refused(self, peer: Any, error: Any) -> None: ...

    def gone(self, peer: Any) -> None: ...


def test_a_client_that_sends_much_at_once_leaves_others_their_turn() -> None:
    listener, sink = TcpListener(), Turns()
    listener.start(sink)
    address = ("127.0.0.1", listener.port)
    with (
        socket.create_connection(address, WAIT_S) as hasty,
        socket.create_connection(address, WAIT_S) as other,
    ):
        sink.other = other
        hasty.sendall(b"".join(map(SlipFraming().frame, [b"/a"] * 10_000)))
        assert sink.heard.wait(WAIT_S)
        assert sink.before < 10_000
    listener.close()


class Turns:
    """A sink whose first packet lets the other client speak; counts what comes before that."""

    def __init__(self) -> None:
        self.other: Any = None
        self.before = 0
        self.heard = threading.Event()

    def received(self, peer: Any, packet: bytes) -> None:
        if packet == b"/b":
            self.heard.set()
        elif not self.heard.is_set():
            self.before += 1
            if self.before == 1:
                self.other.sendall(SlipFraming().frame(b"/b"))

    def refused(self, peer: Any, error: Any) -> None: ...

    def gone(self, peer: Any) -> None: ...
