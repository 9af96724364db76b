"""OSC over TCP with SLIP framing (OSC 1.1); clients with OSC 1.0 sizes are answered in kind.

A peer is read only while somebody takes what it says: the server holds one that asks faster than
it is answered, and one that does not read its answers is held until it does.
"""

from __future__ import annotations

import contextlib
import itertools
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from osc_bridge.errors import EngineUnreachable, MalformedMessage, WildtrackError
from osc_bridge.transports.addresses import accepted, bound_socket, unreachable
from osc_bridge.transports.base import LOOPBACK, Peer, Sink
from osc_bridge.transports.framing import Frame, Framing, SlipFraming, framing_of
from osc_bridge.transports.link import RECEIVE_MAX, SocketLink
from osc_bridge.transports.loop import READ, WRITE, SocketLoop

_OUTBOX_HOLD_BYTES = 1 << 20
"""A client that leaves this much unread is not listened to until it reads."""
_OUTBOX_MAX_BYTES = 4 << 20
"""A client that leaves this much unread is disconnected."""
_CONNECTIONS_MAX = 256
"""With more, a stranger (else who comes) is disconnected: descriptors remain for the work."""
_TURN = 128
"""Packets of one client that are delivered before others of its listener get their turn."""
_CLOSE_S = 1.0
"""How long closing waits for the last answers to leave."""
_STUCK_S = 5.0
"""How long a client waits for an engine that reads nothing."""


@dataclass(frozen=True, eq=False)
class TcpKey:
    """Names a connection for good: equal to itself alone, also where listeners number alike."""

    number: int


class TcpPeer:
    """One connection; `send`, `hold` and `release` are for any thread, the rest is the loop's."""

    is_connected = True

    def __init__(
        self,
        sock: socket.socket,
        key: TcpKey,
        host: str,
        needs_token: bool,
        wake: Callable[[TcpPeer], None],
    ) -> None:
        self.sock = sock
        self.key = key
        self.host = host
        self.needs_token = needs_token
        self.is_stranger = needs_token
        self.framing: Framing | None = None
        self.backlog: deque[Frame] = deque()
        """What was read while nobody took it: at most one read."""
        self._wake = wake
        self._lock = threading.Lock()
        self._outbox = bytearray()
        self._is_queued = False
        self._is_held = False
        self._open = True

    def send(self, packet: bytes) -> None:
        """Queue a packet; the network thread sends all that was queued together."""
        data = (self.framing or SlipFraming()).frame(packet)
        with self._lock:
            if not self._open:
                return
            self._outbox += data
            if self._is_queued:
                return
            self._is_queued = True
        self._wake(self)

    def admit(self) -> None:
        """Keep the connection where room is short."""
        self.is_stranger = False

    def hold(self) -> None:
        """Deliver nothing more for now, and read nothing: the client has to wait."""
        self._is_held = True

    def release(self) -> None:
        """Deliver and read again."""
        if self._is_held:
            self._is_held = False
            self._wake(self)

    @property
    def is_taken(self) -> bool:
        """Whether its next packet may be delivered."""
        return not self._is_held and len(self._outbox) <= _OUTBOX_HOLD_BYTES

    @property
    def waiting_bytes(self) -> int:
        """Bytes that were not sent so far."""
        return len(self._outbox)

    def flush(self) -> None:
        """Send what the socket takes now.

        Raises:
            OSError: the connection is gone.
        """
        with self._lock:
            self._is_queued = False
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
    """Accepts connections on a port; the socket is bound when this is made.

    Another interface than loopback is taken only with ``needs_token``, which its peers carry.
    """

    name = "tcp"

    def __init__(self, port: int = 0, host: str = LOOPBACK, *, needs_token: bool = False) -> None:
        self._sock = bound_socket(socket.SOCK_STREAM, host, port, beyond_loopback=needs_token)
        self.port: int = self._sock.getsockname()[1]
        self._needs_token = needs_token
        self._loop = SocketLoop("osc-tcp", self._on_wake)
        self._numbers = itertools.count(1)
        self._peers: dict[TcpKey, TcpPeer] = {}
        self._woken: set[TcpPeer] = set()
        self._lock = threading.Lock()
        self._closing = False
        self._empty = threading.Event()

    def start(self, sink: Sink) -> None:
        """Deliver what arrives to ``sink``, on a thread of its own."""
        self._loop.watch(self._sock, READ, lambda _events: self._accept())
        self._sink = sink
        self._loop.start()

    def peer_at(self, host: str, port: int) -> Peer | None:
        """None: only those are answered who came."""
        return None

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

    def _accept(self) -> None:
        found = accepted(self._sock)
        if found is None:
            return
        sock, address = found
        if not self._has_room():
            sock.close()
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        key = TcpKey(next(self._numbers))
        peer = TcpPeer(sock, key, str(address[0]), self._needs_token, self._wake_for)
        self._peers[key] = peer
        self._loop.watch(sock, READ, lambda events: self._ready(peer, events))

    def _has_room(self) -> bool:
        """Whether one more can come; the oldest stranger makes room."""
        if len(self._peers) < _CONNECTIONS_MAX:
            return True
        stranger = next((peer for peer in self._peers.values() if peer.is_stranger), None)
        if stranger is not None:
            self._drop(stranger)
        return stranger is not None

    def _wake_for(self, peer: TcpPeer) -> None:
        with self._lock:
            self._woken.add(peer)
        self._loop.wake()

    def _on_wake(self) -> None:
        with self._lock:
            woken, self._woken = self._woken, set()
        for peer in woken:
            self._attend(peer)
        self._note_if_empty()

    def _ready(self, peer: TcpPeer, events: int) -> None:
        if events & READ:
            self._read(peer)
        self._attend(peer)
        self._note_if_empty()

    def _read(self, peer: TcpPeer) -> None:
        try:
            data = peer.sock.recv(RECEIVE_MAX)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data and peer.framing is None:
            peer.framing = framing_of(data[0])
        if not data or peer.framing is None:
            self._drop(peer)
            return
        peer.backlog.extend(peer.framing.feed(data))

    def _attend(self, peer: TcpPeer) -> None:
        """Deliver what may be delivered, send what can be sent, and wait for what is due next."""
        if peer.key not in self._peers:
            return
        try:
            peer.flush()
            self._deliver(peer)
            peer.flush()
        except OSError:
            self._drop(peer)
            return
        if peer.waiting_bytes > _OUTBOX_MAX_BYTES:
            self._drop(peer)
            return
        is_read = peer.is_taken and not peer.backlog
        self._loop.change(
            peer.sock, (READ if is_read else 0) | (WRITE if peer.waiting_bytes else 0)
        )
        if peer.backlog and peer.is_taken:  # its turn was over, or its answers went out meanwhile
            self._wake_for(peer)

    def _deliver(self, peer: TcpPeer) -> None:
        for _ in range(_TURN):
            if not (peer.backlog and peer.is_taken):
                return
            frame = peer.backlog.popleft()
            if isinstance(frame, MalformedMessage):
                self._sink.refused(peer, frame)
            else:
                self._sink.received(peer, frame)

    def _note_if_empty(self) -> None:
        if self._closing and not any(p.waiting_bytes for p in self._peers.values()):
            self._empty.set()

    def _drop(self, peer: TcpPeer) -> None:
        if self._peers.pop(peer.key, None) is not None:
            self._loop.forget(peer.sock)
            peer.close()
            self._sink.gone(peer)


class TcpLink(SocketLink):
    """A client's connection to one engine."""

    is_lossy = False

    def __init__(self, port: int, host: str = LOOPBACK, *, beyond_loopback: bool = False) -> None:
        super().__init__(socket.SOCK_STREAM, host, port, beyond_loopback=beyond_loopback)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._framing = SlipFraming()
        self._send_lock = threading.Lock()

    def packets_of(self, data: bytes) -> Sequence[bytes]:
        """The packets that end in what was read.

        Raises:
            ConnectionResetError: the engine has closed the connection.
        """
        if not data:
            raise ConnectionResetError
        return [frame for frame in self._framing.feed(data) if isinstance(frame, bytes)]

    def loss(self, error: OSError) -> WildtrackError:
        """Say that the engine was there and went."""
        return EngineUnreachable(
            f"The engine at {self.where} closed the connection: start it again with "
            "'wildtrack engine --session DIR' and connect anew."
        )

    def send(self, packet: bytes) -> None:
        """Send one packet, waiting while the engine is busy reading.

        Raises:
            EngineUnreachable: the connection is gone, or stuck for 5 seconds.
        """
        data = self._framing.frame(packet)
        deadline = time.monotonic() + _STUCK_S
        with self._send_lock:
            while data:
                try:
                    data = data[self.sock.send(data) :]
                except BlockingIOError:
                    self._wait_writable(deadline)
                except OSError as error:
                    raise unreachable(self.where, error) from error

    def _wait_writable(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self.sock, WRITE)
            if left <= 0 or not selector.select(left):
                raise unreachable(self.where, TimeoutError("it reads nothing"))
