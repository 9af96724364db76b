"""OSC over UDP: one packet a datagram, answers to the sender's own port."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from osc_bridge.errors import EngineUnreachable, OutOfRange, WildtrackError
from osc_bridge.transports.base import LOOPBACK, Sink, bound_socket, resolve
from osc_bridge.transports.loop import READ, SocketLoop
from osc_bridge.wire import DATAGRAM_MAX

_RECEIVE_MAX = 65_536
_BUFFER_BYTES = 1 << 20
_BURST = 64
"""Datagrams read before other sockets of the loop get their turn."""


@dataclass(frozen=True)
class UdpPeer:
    """A client, known by the address that it sends from."""

    sock: socket.socket
    address: Any

    @property
    def key(self) -> tuple[str, Any]:
        """Transport and address."""
        return ("udp", self.address[:2])

    def send(self, packet: bytes) -> None:
        """Send one datagram; lost ones are UDP's nature.

        Raises:
            OutOfRange: more than 1400 bytes.
        """
        check_size(packet)
        with contextlib.suppress(OSError):
            self.sock.sendto(packet, self.address)


class UdpListener:
    """Receives datagrams on a loopback port; the socket is bound when this is made."""

    name = "udp"

    def __init__(self, port: int = 0, host: str = LOOPBACK) -> None:
        self._sock = bound_socket(socket.SOCK_DGRAM, host, port)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._loop = SocketLoop("osc-udp")
        self.port: int = self._sock.getsockname()[1]

    def start(self, sink: Sink) -> None:
        """Deliver what arrives to ``sink``, on a thread of its own."""
        self._loop.watch(self._sock, READ, lambda _events: self._read(sink))
        self._loop.start()

    def _read(self, sink: Sink) -> None:
        for _ in range(_BURST):
            try:
                packet, address = self._sock.recvfrom(_RECEIVE_MAX)
            except ConnectionResetError:  # Windows reports here that a client is gone
                continue
            except OSError:
                return
            sink.received(UdpPeer(self._sock, address), packet)

    def close(self) -> None:
        """Stop the thread and free the port."""
        self._loop.close()
        self._sock.close()


class UdpLink:
    """A client's socket, connected to one engine."""

    is_lossy = True

    def __init__(self, port: int, host: str = LOOPBACK) -> None:
        family, address = resolve(host, port)
        self._where = f"{host}, UDP port {port}"
        self._sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._sock.connect(address)
        except OSError as error:
            self._sock.close()
            raise unreachable(self._where, error) from error
        self._sock.setblocking(False)
        self._loop = SocketLoop("osc-udp-client")

    def start(
        self, received: Callable[[bytes], None], lost: Callable[[WildtrackError], None]
    ) -> None:
        """Deliver what arrives; ``lost`` when the machine says that nobody listens."""
        self._loop.watch(self._sock, READ, lambda _events: self._read(received, lost))
        self._loop.start()

    def _read(
        self, received: Callable[[bytes], None], lost: Callable[[WildtrackError], None]
    ) -> None:
        try:
            for _ in range(_BURST):
                received(self._sock.recv(_RECEIVE_MAX))
        except BlockingIOError:
            return
        except OSError as error:
            lost(unreachable(self._where, error))

    def send(self, packet: bytes) -> None:
        """Send one datagram.

        Raises:
            OutOfRange: more than 1400 bytes.
            EngineUnreachable: nobody listens there.
        """
        check_size(packet)
        try:
            self._sock.send(packet)
        except BlockingIOError:
            return
        except OSError as error:
            raise unreachable(self._where, error) from error

    def close(self) -> None:
        """Stop the thread and close the socket."""
        self._loop.close()
        self._sock.close()


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


def unreachable(where: str, error: OSError) -> EngineUnreachable:
    """The error of a client that finds no engine."""
    return EngineUnreachable(
        f"No engine answers at {where} ({error.strerror or error}): start one with "
        "'wildtrack engine --session DIR', or give the port that it printed."
    )
