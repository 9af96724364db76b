"""Which addresses are served and reached: both loopbacks, others behind a token, ports."""

from __future__ import annotations

import errno
import socket
import time
from typing import Any

import pytest

from osc_bridge.client import Client
from osc_bridge.errors import OutOfRange, PortInUse
from osc_bridge.server import OscServer
from osc_bridge.transports.addresses import accepted
from osc_bridge.transports.loopback import loopback_listeners, why_no_ipv6
from osc_bridge.transports.tcp import TcpLink, TcpListener
from osc_bridge.transports.udp import UdpLink, UdpListener

WAIT_S = 20.0
LISTENERS = [UdpListener, TcpListener]


@pytest.mark.parametrize("make", LISTENERS)
@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "example.org", "", "::"])
def test_only_loopback_is_served(make: Any, host: str) -> None:
    with pytest.raises(OutOfRange, match="loopback"):
        make(0, host)


@pytest.mark.parametrize("make", [*LISTENERS, UdpLink, TcpLink])
@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_has_a_range(make: Any, port: int) -> None:
    with pytest.raises(OutOfRange, match="0 to 65535"):
        make(port)


@pytest.mark.parametrize("make", [UdpLink, TcpLink])
@pytest.mark.parametrize("host", ["192.168.1.2", "example.org"])
def test_a_client_goes_beyond_loopback_only_when_asked(make: Any, host: str) -> None:
    with pytest.raises(OutOfRange, match="loopback address"):
        make(1, host)


@pytest.mark.parametrize("make", [UdpLink, TcpLink])
def test_no_name_is_looked_up(make: Any) -> None:
    with pytest.raises(OutOfRange, match="give the number"):
        make(1, "example.org", beyond_loopback=True)


IPV6 = not why_no_ipv6()


def loopback_hosts() -> list[str]:
    """The loopback addresses of this machine: IPv6 may be switched off."""
    return ["127.0.0.1", "localhost", "::1"] if IPV6 else ["127.0.0.1", "localhost"]


def test_both_loopbacks_have_one_port(fake_engine: Any) -> None:
    opened = loopback_listeners(0, 0)
    assert len(opened.listeners) == (4 if IPV6 else 2)
    assert bool(opened.without_ipv6) != IPV6
    with OscServer(fake_engine, opened.listeners) as server:
        for transport in ("udp", "tcp"):
            for host in loopback_hosts():
                with Client.connect(server.port(transport), host, transport) as client:
                    assert client.ping(WAIT_S).uptime_s >= 0


def test_a_port_taken_on_one_loopback_is_in_use_on_both() -> None:
    taken = UdpListener(0, loopback_hosts()[-1])
    with pytest.raises(PortInUse, match=str(taken.port)):
        loopback_listeners(taken.port, 0)
    taken.close()


def test_a_machine_without_ipv6_is_served_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("osc_bridge.transports.loopback.LOOPBACK_6", "2001:db8::1")
    opened = loopback_listeners(0, 0)
    opened.close()
    assert [listener.name for listener in opened.listeners] == ["udp", "tcp"]
    assert "no IPv6" in opened.without_ipv6


@pytest.mark.parametrize("bind", ["0.0.0.0", "127.0.0.1", *(["::"] if IPV6 else [])])
def test_binding_more_keeps_the_ports(bind: str) -> None:
    opened = loopback_listeners(0, 0, bind)
    opened.close()
    for name in ("udp", "tcp"):
        listeners = [li for li in opened.listeners if li.name == name]
        assert len({li.port for li in listeners}) == 1
        assert len(listeners) == (2 if IPV6 else 1)


@pytest.mark.parametrize("bind", ["example.org", "300.1.1.1", "fe80::1%nosuchzone"])
def test_what_is_bound_must_be_an_address(bind: str) -> None:
    with pytest.raises(OutOfRange, match="IP address"):
        loopback_listeners(0, 0, bind)


@pytest.mark.parametrize("make", LISTENERS)
@pytest.mark.parametrize("host", loopback_hosts())
def test_every_loopback_address_is_served(make: Any, host: str, fake_engine: Any) -> None:
    listener = make(0, host)
    with (
        OscServer(fake_engine, [listener]),
        Client.connect(listener.port, host, listener.name, timeout_s=WAIT_S) as client,
    ):
        assert client.ping(WAIT_S).uptime_s >= 0


@pytest.mark.parametrize("host", [host for host in loopback_hosts() if host != "localhost"])
def test_a_datagram_reaches_an_address_that_was_not_heard(host: str) -> None:
    listener = UdpListener(0, host)
    with socket.socket(
        socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM
    ) as sock:
        sock.settimeout(WAIT_S)
        sock.bind((host, 0))
        peer = listener.peer_at(host, sock.getsockname()[1])
        assert peer is not None
        peer.send(b"/a\0\0")
        assert sock.recv(100) == b"/a\0\0"
        assert listener.peer_at("127.0.0.1" if ":" in host else "::1", 1) is None
    listener.close()
    assert TcpListener.peer_at(listener, host, 1) is None  # type: ignore[arg-type]


def test_who_is_out_of_descriptors_does_not_ask_without_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)

    class Full(socket.socket):
        def accept(self) -> Any:
            raise OSError(errno.EMFILE, "Too many open files")

    with Full() as listening:
        assert accepted(listening) is None
    with socket.socket() as idle:
        idle.bind(("127.0.0.1", 0))
        idle.listen()
        idle.setblocking(False)
        assert accepted(idle) is None
    assert len(pauses) == 1
