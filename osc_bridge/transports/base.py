"""What a transport offers to either side, and the checks of its address."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from collections.abc import Callable, Hashable
from typing import Protocol

from osc_bridge.errors import EngineUnreachable, OutOfRange, PortInUse, WildtrackError

LOOPBACK = "127.0.0.1"


class Peer(Protocol):
    """One client as the server sees it; ``key`` names it for as long as it lives."""

    @property
    def key(self) -> Hashable: ...

    def send(self, packet: bytes) -> None:
        """Send from any thread; a peer that is gone is no error.

        Raises:
            OutOfRange: the packet is larger than the transport carries.
        """


class Sink(Protocol):
    """Where a listener delivers; called on the listener's thread, must return soon."""

    def received(self, peer: Peer, packet: bytes) -> None: ...
    def refused(self, peer: Peer, error: WildtrackError) -> None: ...
    def gone(self, peer: Peer) -> None: ...


class Listener(Protocol):
    """The server's end of a transport."""

    @property
    def name(self) -> str: ...
    @property
    def port(self) -> int: ...
    def start(self, sink: Sink) -> None: ...
    def close(self) -> None: ...


class Link(Protocol):
    """The client's end of a transport; ``is_lossy`` says whether packets may disappear."""

    is_lossy: bool

    def start(
        self, received: Callable[[bytes], None], lost: Callable[[WildtrackError], None]
    ) -> None: ...
    def send(self, packet: bytes) -> None: ...
    def close(self) -> None: ...


def bound_socket(kind: socket.SocketKind, host: str, port: int) -> socket.socket:
    """A non-blocking socket bound to a loopback address; port 0 takes a free one.

    Raises:
        OutOfRange: another interface than loopback, or a port outside 0 to 65535.
        PortInUse: another program has the port, or it needs more rights.
    """
    family, address = resolve(host, port)
    sock = socket.socket(family, kind)
    try:
        _bind(sock, kind, address)
    except OSError as error:
        sock.close()
        raise _port_error(kind, host, port, error) from error
    sock.setblocking(False)
    return sock


def _bind(sock: socket.socket, kind: socket.SocketKind, address: tuple[str, int]) -> None:
    if kind == socket.SOCK_STREAM and os.name == "posix":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(address)
    if kind == socket.SOCK_STREAM:
        sock.listen(128)


def resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """Family and address of a loopback host.

    Raises:
        OutOfRange: another interface than loopback, or a port outside 0 to 65535.
    """
    if not 0 <= port <= 65_535:
        raise OutOfRange(
            f"port is {port}: 0 to 65535 is allowed (0 = any free one); choose another."
        )
    name = LOOPBACK if host == "localhost" else host
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise OutOfRange(
            f"host is {host[:80]!r}: a loopback address (127.0.0.1, ::1 or localhost) is allowed, "
            "the protocol has no password; use one, or a tunnel such as ssh -L."
        )
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    return family, (name, port)


def _port_error(kind: socket.SocketKind, host: str, port: int, error: OSError) -> WildtrackError:
    name = "TCP" if kind == socket.SOCK_STREAM else "UDP"
    if error.errno in (errno.EADDRINUSE, errno.EACCES):
        why = "in use" if error.errno == errno.EADDRINUSE else "reserved for the system"
        return PortInUse(
            f"{name} port {port} on {host} is {why}: choose a free one from 1024 to 65535, or 0 "
            "for any, or end the engine that holds it (wildtrack doctor shows it)."
        )
    return EngineUnreachable(
        f"{name} on {host}, port {port}, cannot be opened ({error.strerror}): a loopback address "
        "that this machine has is allowed; use 127.0.0.1."
    )
