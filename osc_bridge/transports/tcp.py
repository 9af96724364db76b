"""OSC over TCP with SLIP framing (OSC 1.1); clients with OSC 1.0 sizes are answered in kind."""

from __future__ import annotations

import contextlib
import itertools
import selectors
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from osc_bridge.errors import EngineUnreachable, MalformedMessage, WildtrackError
from osc_bridge.transports.base import LOOPBACK, Sink, bound_socket, resolve
from osc_bridge.transports.framing import Framing, SlipFraming, framing_of
from osc_bridge.transports.loop import READ, WRITE, SocketLoop
from osc_bridge.transports.udp import unreachable

_RECEIVE_MAX = 65_536
_OUTBOX_MAX_BYTES = 4 << 20
"""A client that leaves this much unread is disconnected."""
_CONNECTIONS_MAX = 256
"""Further clients are disconnected at once, so that descriptors remain for the work."""
_CLOSE_S = 1.0
"""How long closing waits for the last answers to leave."""
_CONNECT_S = 5.0


@dataclass(frozen=True)
class TcpKey:
    """Names a connection for good: numbers are not used again."""

    number: int


class TcpPeer:
    """One connection; `send` may be called from any thread, the rest is the loop's."""

    def __init__(self, sock: socket.socket, number: int, wake: Callable[[TcpPeer], None]) -> None:
        self.sock = sock
        self.key = TcpKey(number)
        self.framing: Framing | None = None
        self._wake = wake
        self._lock = threading.Lock()
        self._outbox = bytearray()
        self._open = True

    def send(self, packet: bytes) -> None:
        """Queue a packet; the network thread sends it."""
        data = (self.framing or SlipFraming()).frame(packet)
        with self._lock:
            if not self._open:
                return
            self._outbox += data
        self._wake(self)

    @property
    def waiting_bytes(self) -> int:
        """Bytes that were not sent so far."""
        with self._lock:
            return len(self._outbox)

    def flush(self) -> None:
        """Send what the socket takes now.

        Raises:
            OSError: the connection is gone.
        """
        with self._lock:
            if self._outbox:
                with contextlib.suppress(BlockingIOError):
                    sent = self.sock.send(self._outbox)
                    del self._outbox[:sent]

    def close(self) -> None:
        """Close the socket; what is sent later is dropped."""
        with self._lock:
            self._open = False
            self._outbox.clear()
        self.sock.close()


class TcpListener:
    """Accepts connections on a loopback port; the socket is bound when this is made."""

    name = "tcp"

    def __init__(self, port: int = 0, host: str = LOOPBACK) -> None:
        self._sock = bound_socket(socket.SOCK_STREAM, host, port)
        self.port: int = self._sock.getsockname()[1]
        self._loop = SocketLoop("osc-tcp", self._on_wake)
        self._numbers = itertools.count(1)
        self._peers: dict[TcpKey, TcpPeer] = {}
        self._sent: set[TcpPeer] = set()
        self._lock = threading.Lock()
        self._closing = False
        self._empty = threading.Event()

    def start(self, sink: Sink) -> None:
        """Deliver what arrives to ``sink``, on a thread of its own."""
        self._loop.watch(self._sock, READ, lambda _events: self._accept(sink))
        self._sink = sink
        self._loop.start()

    def close(self) -> None:
        """Send what waits (at most a second), then stop the thread and free the port."""
        if self._closing:
            return
        self._closing = True
        self._loop.wake()
        if self._peers and not self._loop.is_own_thread:
            self._empty.wait(_CLOSE_S)
        self._loop.close()
        for peer in list(self._peers.values()):
            peer.close()
        self._sock.close()

    def _accept(self, sink: Sink) -> None:
        try:
            sock, _ = self._sock.accept()
        except OSError:
            return
        if len(self._peers) >= _CONNECTIONS_MAX:
            sock.close()
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = TcpPeer(sock, next(self._numbers), self._wake_for)
        self._peers[peer.key] = peer
        self._loop.watch(sock, READ, lambda events: self._ready(peer, sink, events))

    def _wake_for(self, peer: TcpPeer) -> None:
        with self._lock:
            self._sent.add(peer)
        self._loop.wake()

    def _on_wake(self) -> None:
        with self._lock:
            sent, self._sent = self._sent, set()
        for peer in sent:
            self._flush(peer)
        if self._closing and not any(p.waiting_bytes for p in self._peers.values()):
            self._empty.set()

    def _ready(self, peer: TcpPeer, sink: Sink, events: int) -> None:
        if events & WRITE:
            self._flush(peer)
        if events & READ and peer.key in self._peers:
            self._read(peer, sink)

    def _flush(self, peer: TcpPeer) -> None:
        if peer.key not in self._peers:
            return
        try:
            peer.flush()
        except OSError:
            self._drop(peer)
            return
        waiting = peer.waiting_bytes
        if waiting > _OUTBOX_MAX_BYTES:
            self._drop(peer)
            return
        self._loop.change(peer.sock, READ | WRITE if waiting else READ)
        if self._closing:
            self._loop.wake()

    def _read(self, peer: TcpPeer, sink: Sink) -> None:
        try:
            data = peer.sock.recv(_RECEIVE_MAX)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(peer)
            return
        if peer.framing is None:
            peer.framing = framing_of(data[0])
        for frame in peer.framing.feed(data):
            if isinstance(frame, MalformedMessage):
                sink.refused(peer, frame)
            else:
                sink.received(peer, frame)

    def _drop(self, peer: TcpPeer) -> None:
        if self._peers.pop(peer.key, None) is not None:
            self._loop.forget(peer.sock)
            peer.close()
            self._sink.gone(peer)


class TcpLink:
    """A client's connection to one engine."""

    is_lossy = False

    def __init__(self, port: int, host: str = LOOPBACK) -> None:
        family, address = resolve(host, port)
        self._where = f"{host}, TCP port {port}"
        self._sock = socket.socket(family, socket.SOCK_STREAM)
        self._sock.settimeout(_CONNECT_S)
        try:
            self._sock.connect(address)
        except OSError as error:
            self._sock.close()
            raise unreachable(self._where, error) from error
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock.setblocking(False)
        self._framing = SlipFraming()
        self._send_lock = threading.Lock()
        self._loop = SocketLoop("osc-tcp-client")

    def start(
        self, received: Callable[[bytes], None], lost: Callable[[WildtrackError], None]
    ) -> None:
        """Deliver what arrives; ``lost`` when the engine closes the connection."""
        self._loop.watch(self._sock, READ, lambda _events: self._read(received, lost))
        self._loop.start()

    def _read(
        self, received: Callable[[bytes], None], lost: Callable[[WildtrackError], None]
    ) -> None:
        try:
            data = self._sock.recv(_RECEIVE_MAX)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._loop.forget(self._sock)
            lost(
                EngineUnreachable(
                    f"The engine at {self._where} closed the connection: start it again with "
                    "'wildtrack engine --session DIR' and connect anew."
                )
            )
            return
        for frame in self._framing.feed(data):
            if isinstance(frame, bytes):
                received(frame)

    def send(self, packet: bytes) -> None:
        """Send one packet, waiting while the engine is busy reading.

        Raises:
            EngineUnreachable: the connection is gone, or stuck for 5 seconds.
        """
        data = self._framing.frame(packet)
        deadline = time.monotonic() + _CONNECT_S
        with self._send_lock:
            while data:
                try:
                    data = data[self._sock.send(data) :]
                except BlockingIOError:
                    self._wait_writable(deadline)
                except OSError as error:
                    raise unreachable(self._where, error) from error

    def _wait_writable(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self._sock, WRITE)
            if left <= 0 or not selector.select(left):
                raise unreachable(self._where, TimeoutError("it reads nothing"))

    def close(self) -> None:
        """Stop the thread and close the connection."""
        self._loop.close()
        self._sock.close()
