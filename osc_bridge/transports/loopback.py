"""The listeners of an engine: UDP and TCP, IPv4 and IPv6, on one port number each."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from osc_bridge.errors import PortInUse
from osc_bridge.transports.addresses import resolve
from osc_bridge.transports.base import LOOPBACK, Listener
from osc_bridge.transports.tcp import TcpListener
from osc_bridge.transports.udp import UdpListener

LOOPBACK_6: Final = "::1"
_WILDCARDS: Final = {"0.0.0.0": LOOPBACK, "::": LOOPBACK_6}  # noqa: S104  # only behind a token
_ATTEMPTS = 32
"""Free ports that are tried until one is free on every address."""


@dataclass(frozen=True)
class Place:
    """An address to listen on; peers of one beyond loopback need the token."""

    host: str
    needs_token: bool = False


@dataclass(frozen=True)
class Opened:
    """Bound listeners; ``without_ipv6`` says why there is no IPv6, and is empty when there is."""

    listeners: tuple[Listener, ...]
    without_ipv6: str

    def close(self) -> None:
        """Free the ports; those that a server has closed already are no error."""
        for listener in self.listeners:
            listener.close()


def loopback_listeners(udp_port: int, tcp_port: int, bind: str = "") -> Opened:
    """Listen on 127.0.0.1 and ::1, and on the address ``bind``, whose peers need a token.

    Port 0 takes any that is free on all of them. A machine without IPv6 is served by IPv4 alone.
    ``bind`` 0.0.0.0 or :: takes the place of that version's loopback: also its peers need the token
    then.

    Raises:
        PortInUse: a port is taken, on any of the addresses.
        OutOfRange: a port outside 0 to 65535, or ``bind`` is no IP address.
        EngineUnreachable: the machine has no address ``bind``.
    """
    without_ipv6 = why_no_ipv6()
    places = _places(bind, has_ipv6=not without_ipv6)
    udp = _on_all(_open_udp, places, udp_port)
    try:
        return Opened((*udp, *_on_all(_open_tcp, places, tcp_port)), without_ipv6)
    except BaseException:
        for listener in udp:
            listener.close()
        raise


def why_no_ipv6() -> str:
    """What the machine answers when ::1 is asked for; empty when it has it."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind((LOOPBACK_6, 0))
    except OSError as error:
        return f"This machine has no IPv6 loopback ({error.strerror}): IPv4 alone is served."
    return ""


def _places(bind: str, has_ipv6: bool) -> list[Place]:
    hosts = [LOOPBACK, LOOPBACK_6] if has_ipv6 else [LOOPBACK]
    if not bind or bind in (*hosts, "localhost"):
        return [Place(host) for host in hosts]
    resolve(bind, 0, beyond_loopback=True)
    kept = [Place(host) for host in hosts if host != _WILDCARDS.get(bind)]
    return [*kept, Place(bind, needs_token=True)]


def _open_udp(port: int, place: Place) -> Listener:
    return UdpListener(port, place.host, needs_token=place.needs_token)


def _open_tcp(port: int, place: Place) -> Listener:
    return TcpListener(port, place.host, needs_token=place.needs_token)


def _on_all(
    make: Callable[[int, Place], Listener], places: Sequence[Place], port: int
) -> list[Listener]:
    """A listener at every place, all on one port."""
    for attempt in range(1, _ATTEMPTS + 1):
        opened: list[Listener] = []
        try:
            for place in places:
                opened.append(make(opened[0].port if opened else port, place))
        except BaseException as error:
            for listener in opened:
                listener.close()
            if port or not isinstance(error, PortInUse) or attempt == _ATTEMPTS:
                raise
        else:
            return opened
    raise AssertionError("the last attempt returns or raises")
