"""OSC over UDP: one packet a datagram, answers to the sender's own port."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from osc_bridge.errors import OutOfRange
from osc_bridge.ranges import DATAGRAM_MAX
from osc_bridge.transports.addresses import SocketAddress, bound_socket, resolve, unreachable
from osc_bridge.transports.base import LOOPBACK, Peer, Sink
from osc_bridge.transports.link import BURST, RECEIVE_MAX, SocketLink
from osc_bridge.transports.loop import READ, SocketLoop

_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True)
class UdpPeer:
    """A client, known by the address that it sends from."""

    sock: socket.socket
    address: SocketAddress
    needs_token: bool = False
    is_connected: ClassVar[bool] = False

    @property
    def key(self) -> Hashable:
        """Transport and address."""
        return ("udp", self.address)

    @property
    def host(self) -> str:
        """The address without its port."""
        return str(self.address[0])

    @property
    def waiting_bytes(self) -> int:
        """0: a datagram is sent or lost."""
        return 0

    def send(self, packet: bytes) -> None:
        """Send one datagram; lost ones are UDP's nature.

        Raises:
            OutOfRange: more than 1400 bytes.
        """
        check_size(packet)
        with contextlib.suppress(OSError):
            self.sock.sendto(packet, self.address)

    def admit(self) -> None:
        """Do nothing: datagrams need no room."""

    def hold(self) -> None:
        """Do nothing: nobody can make a sender of datagrams wait."""

    def release(self) -> None:
        """Do nothing."""


class UdpListener:
    """Receives datagrams on a port; the socket is bound when this is made.

    Another interface than loopback is taken only with ``needs_token``, which its peers carry.
    """

    name = "udp"

    def __init__(self, port: int = 0, host: str = LOOPBACK, *, needs_token: bool = False) -> None:
        self._sock = bound_socket(socket.SOCK_DGRAM, host, port, beyond_loopback=needs_token)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._needs_token = needs_token
        self._loop = SocketLoop("osc-udp")
        self.port: int = self._sock.getsockname()[1]

    def start(self, sink: Sink) -> None:
        """Deliver what arrives to ``sink``, on a thread of its own."""
        self._loop.watch(self._sock, READ, lambda _events: self._read(sink))
        self._loop.start()

    def _read(self, sink: Sink) -> None:
        for _ in range(BURST):
            try:
                packet, address = self._sock.recvfrom(RECEIVE_MAX)
            except ConnectionResetError:  # Windows reports here that a client is gone
                continue
            except OSError:
                return
            sink.received(UdpPeer(self._sock, address, self._needs_token), packet)

    def peer_at(self, host: str, port: int) -> Peer | None:
        """The peer at this address; None if it is of the other IP version, or this listener.

        Raises:
            OutOfRange: a port outside 0 to 65535.
        """
        family, address = resolve(host, port, beyond_loopback=True)
        if family != self._sock.family or address[:2] == self._sock.getsockname()[:2]:
            return None
        return UdpPeer(self._sock, address, self._needs_token)

    def close(self) -> None:
        """Stop the thread and free the port."""
        self._loop.close()
        self._sock.close()


class UdpLink(SocketLink):
    """A client's socket, connected to one engine."""

    is_lossy = True

    def __init__(self, port: int, host: str = LOOPBACK, *, beyond_loopback: bool = False) -> None:
        super().__init__(socket.SOCK_DGRAM, host, port, beyond_loopback=beyond_loopback)

    def packets_of(self, data: bytes) -> Sequence[bytes]:
        """Each datagram is a packet."""
        return (data,)

    def send(self, packet: bytes) -> None:
        """Send one datagram.

        Raises:
            OutOfRange: more than 1400 bytes.
            EngineUnreachable: nobody listens there.
        """
        check_size(packet)
        try:
            self.sock.send(packet)
        except BlockingIOError:
            return
        except OSError as error:
            raise unreachable(self.where, error) from error


def check_size(packet: bytes) -> None:
    """Refuse what would not fit one datagram.

    Raises:
        OutOfRange: more than 1400 bytes.
    """
    if len(packet) > DATAGRAM_MAX:
        raise OutOfRange(
            f"The message has {len(packet)} bytes: at most {DATAGRAM_MAX} bytes travel by UDP; "
            "shorten it or use TCP."
        )
