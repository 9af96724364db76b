"""The engine in the network's own list of services (mDNS, DNS-SD), for controllers that browse it.

Announced are ``_osc._udp`` and ``_osc._tcp`` (the engine) and ``_oscjson._tcp`` (OSCQuery); the
TXT record has the session's name, the API and the process id. It opens UDP port 5353, so it is
done only when asked for, and only on the interfaces that the engine serves.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from osc_bridge.discovery import EngineAddress
from osc_bridge.texts import cut_to_bytes

if TYPE_CHECKING:
    from zeroconf import ServiceInfo, Zeroconf

log = logging.getLogger(__name__)

OSC_UDP: Final = "_osc._udp.local."
OSC_TCP: Final = "_osc._tcp.local."
OSCQUERY: Final = "_oscjson._tcp.local."
_LABEL_MAX_BYTES: Final = 63
_TEXT_MAX_BYTES: Final = 200


class Announcement:
    """Registered from ``with`` to its end; a machine that refuses is warned about, no error.

    ``problem`` is that warning, or "". The names appear within about a second.
    """

    def __init__(self, address: EngineAddress) -> None:
        self.address = address
        self.problem = ""
        self._zeroconf: Zeroconf | None = None
        self._registering: list[Future[None]] = []

    def __enter__(self) -> Self:
        """Open the port and begin to register."""
        try:
            self._zeroconf = _opened(self.address.hosts)
        except (OSError, RuntimeError) as error:
            self.problem = _problem(error)
            log.warning("%s", self.problem)
            return self
        loop = self._zeroconf.loop
        assert loop is not None
        for service in services(self.address):
            future = asyncio.run_coroutine_threadsafe(_registered(self._zeroconf, service), loop)
            future.add_done_callback(_complain)
            self._registering.append(future)
        return self

    def wait(self, timeout_s: float) -> None:
        """Wait until every name is registered.

        Raises:
            TimeoutError: one is not.
        """
        for future in self._registering:
            future.result(timeout_s)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Say goodbye and free the port."""
        for future in self._registering:
            future.cancel()
        if self._zeroconf is not None:
            self._zeroconf.close()


def services(address: EngineAddress) -> list[ServiceInfo]:
    """One record for each port that the engine listens on."""
    from zeroconf import ServiceInfo  # noqa: PLC0415

    name = _instance(address)
    text = {
        "txtvers": "1",
        "session": cut_to_bytes(_plain(Path(address.session).name), _TEXT_MAX_BYTES),
        "api": address.api,
        "pid": str(address.pid),
    }
    addresses = _addresses(address.hosts)
    ports = ((OSC_UDP, address.udp_port), (OSC_TCP, address.tcp_port))
    return [
        ServiceInfo(
            kind,
            f"{name}.{kind}",
            port=port,
            properties=text,
            server=f"wildtrack-{address.pid}.local.",
            parsed_addresses=addresses,
        )
        for kind, port in (*ports, (OSCQUERY, address.http_port))
        if port
    ]


def _opened(hosts: tuple[str, ...]) -> Zeroconf:
    """The service on the interfaces of these addresses.

    Raises:
        OSError, RuntimeError: the port or the interface cannot be had.
    """
    from zeroconf import InterfaceChoice, Zeroconf  # noqa: PLC0415

    if any(ipaddress.ip_address(host).is_unspecified for host in hosts):
        return Zeroconf(InterfaceChoice.All)
    return Zeroconf(list(hosts))


def _addresses(hosts: tuple[str, ...]) -> list[str]:
    """What others connect to: for "every interface" the addresses that this machine has."""
    import ifaddr  # noqa: PLC0415 - zeroconf stands on it

    if not any(ipaddress.ip_address(host).is_unspecified for host in hosts):
        return list(hosts)
    own = [ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips]
    known = [ip if isinstance(ip, str) else ip[0] for ip in own]
    return [ip for ip in known if not ipaddress.ip_address(ip).is_link_local]


async def _registered(zeroconf: Zeroconf, service: ServiceInfo) -> None:
    await (await zeroconf.async_register_service(service, allow_name_change=True))


def _complain(future: Future[None]) -> None:
    """Log a name that the network refused."""
    if not future.cancelled() and (error := future.exception()) is not None:
        log.warning("%s", _problem(error))


def _instance(address: EngineAddress) -> str:
    """A name of one label, unique on this machine: "Wildtrack alley (4711)"."""
    end = f" ({address.pid})"
    start = _plain(f"Wildtrack {Path(address.session).name}")
    return cut_to_bytes(start, _LABEL_MAX_BYTES - len(end)) + end


def _plain(text: str) -> str:
    """The text without dots, which part labels, and what cannot be printed."""
    return "".join(c if c.isprintable() and c != "." else "-" for c in text)


def _problem(error: BaseException) -> str:
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return (
        f"mDNS cannot announce this engine ({why}): the engine serves all the same; allow UDP port "
        "5353 in the firewall or leave out --mdns, and give controllers the port by hand."
    )
