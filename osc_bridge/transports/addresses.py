"""Which addresses may be used, and sockets bound to them."""

from __future__ import annotations

import errno
import ipaddress
import logging
import os
import socket
import time
from typing import Any

from osc_bridge.errors import EngineUnreachable, OutOfRange, PortInUse, WildtrackError
from osc_bridge.transports.base import LOOPBACK

log = logging.getLogger(__name__)

_BREATH_S = 0.1
"""How long a listener that is out of descriptors lets others of its thread wait."""

SocketAddress = tuple[Any, ...]
"""(host, port) of IPv4, (host, port, flow, scope) of IPv6."""


def resolve(
    host: str, port: int, *, beyond_loopback: bool = False
) -> tuple[socket.AddressFamily, SocketAddress]:
    """Family and socket address of an IP address; no name but ``localhost`` is looked up.

    Raises:
        OutOfRange: no IP address, one that is not loopback without ``beyond_loopback``, or a port
            outside 0 to 65535.
    """
    if not 0 <= port <= 65_535:
        raise OutOfRange(
            f"port is {port}: 0 to 65535 is allowed (0 = any free one); choose another."
        )
    name = LOOPBACK if host == "localhost" else host
    address = _ip_address(name)
    if address is None or not (address.is_loopback or beyond_loopback):
        raise _host_refused(host, beyond_loopback)
    try:
        found = socket.getaddrinfo(name, port, flags=socket.AI_NUMERICHOST)[0]
    except OSError as error:  # such as the zone of another machine: fe80::1%eth7
        raise _host_refused(host, beyond_loopback) from error
    return found[0], found[4]


def _ip_address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _host_refused(host: str, beyond_loopback: bool) -> OutOfRange:
    if beyond_loopback:
        return OutOfRange(
            f"host is {host[:80]!r}: an IP address of this network (or localhost) is allowed; "
            "look it up and give the number."
        )
    return OutOfRange(
        f"host is {host[:80]!r}: a loopback address (127.0.0.1, ::1 or localhost) is allowed "
        "without a token; to be reached from other machines start the engine with --bind ADDRESS "
        "and a token, which clients give too, or use a tunnel such as ssh -L."
    )


def bound_socket(
    kind: socket.SocketKind, host: str, port: int, *, beyond_loopback: bool = False
) -> socket.socket:
    """A non-blocking socket bound to an address; port 0 takes a free one.

    Raises:
        OutOfRange: see `resolve`.
        PortInUse: another program has the port, or it needs more rights.
        EngineUnreachable: the machine has no such address.
    """
    family, address = resolve(host, port, beyond_loopback=beyond_loopback)
    try:
        sock = socket.socket(family, kind)
    except OSError as error:
        raise _port_error(kind, host, port, error) from error
    try:
        _bind(sock, family, kind, address)
    except OSError as error:
        sock.close()
        raise _port_error(kind, host, port, error) from error
    sock.setblocking(False)
    return sock


def accepted(listening: socket.socket) -> tuple[socket.socket, SocketAddress] | None:
    """The next connection and where it comes from; None if there is none after all.

    Where no descriptor is free it waits a moment: whoever asks at once, asks without an end.
    """
    try:
        return listening.accept()
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            log.warning("A client could not connect: %s.", error.strerror)
            time.sleep(_BREATH_S)
        return None


def _bind(
    sock: socket.socket,
    family: socket.AddressFamily,
    kind: socket.SocketKind,
    address: SocketAddress,
) -> None:
    if family == socket.AF_INET6:  # "::" leaves the IPv4 port of the same number to others
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if kind == socket.SOCK_STREAM and os.name == "posix":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(address)
    if kind == socket.SOCK_STREAM:
        sock.listen(128)


def _port_error(kind: socket.SocketKind, host: str, port: int, error: OSError) -> WildtrackError:
    name = "TCP" if kind == socket.SOCK_STREAM else "UDP"
    if error.errno in (errno.EADDRINUSE, errno.EACCES):
        why = "in use" if error.errno == errno.EADDRINUSE else "reserved for the system"
        return PortInUse(
            f"{name} port {port} on {host} is {why}: choose a free one from 1024 to 65535, or 0 "
            "for any, or end the engine that holds it (wildtrack doctor shows it)."
        )
    return EngineUnreachable(
        f"{name} on {host}, port {port}, cannot be opened ({error.strerror}): an address that "
        "this machine has is allowed; use 127.0.0.1."
    )


def unreachable(where: str, error: OSError) -> EngineUnreachable:
    """The error of a client that finds no engine."""
    return EngineUnreachable(
        f"No engine answers at {where} ({error.strerror or error}): start one with "
        "'wildtrack engine --session DIR', or give the port that it printed."
    )
