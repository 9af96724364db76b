"""The doors of an engine: its ports, its place in the list of engines, mDNS and OSCQuery."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from engine.config import EngineConfig
from engine.server.handlers import Handlers
from engine.service import EngineService
from engine.service.scenes import Scenes
from osc_bridge import discovery, ranges
from osc_bridge.oscquery import HostInfo, OscQuery
from osc_bridge.oscquery_tree import ControlNode
from osc_bridge.server import OscServer
from osc_bridge.transports.base import LOOPBACK
from osc_bridge.transports.loopback import LOOPBACK_6, Opened, loopback_listeners

SHOWN_SCENES = 16
"""The newest scenes, whose controls OSCQuery shows: controllers build a page of faders of them."""
_NAME = "Wildtrack"
_EVERY_IPV4 = "0.0.0.0"  # noqa: S104 - compared with, only behind a token

_log = logging.getLogger(__name__)


@contextmanager
def listening(udp_port: int, tcp_port: int, bind: str = "") -> Iterator[Opened]:
    """Hold a UDP and a TCP port on loopback, and on ``bind`` if it is given (0: any free one).

    All are free again at the end, whether or not a server has closed them. Raises PortInUse,
    OutOfRange or EngineUnreachable.
    """
    opened = loopback_listeners(udp_port, tcp_port, bind)
    try:
        if opened.without_ipv6:
            _log.info("%s", opened.without_ipv6)
        yield opened
    finally:
        opened.close()


@contextmanager
def serving(
    service: EngineService, opened: Opened, stop: threading.Event
) -> Iterator[discovery.Ports]:
    """Serve until the end of the block; ``stop`` is set when a client says quit.

    The engine's discovery file, mDNS names and OSCQuery are there exactly as long. The service is
    closed first, so that its jobs end as cancelled.
    """
    config = service.config
    handlers = Handlers(service, stop, capabilities(config, opened))
    server = OscServer(handlers, opened.listeners, config.token)
    service.notices.connect(server)
    try:
        service.start()
        server.start()
        with ExitStack() as stack:
            yield _announced(stack, service, server, _hosts(config.bind, opened))
    finally:
        service.close()
        server.close()


def capabilities(config: EngineConfig, opened: Opened) -> tuple[str, ...]:
    """Return what this engine can do, as words for a client's hello."""
    doors = {
        "ipv6": not opened.without_ipv6,
        "token": bool(config.bind),
        "oscquery": config.oscquery,
        "mdns": config.mdns,
    }
    there = (word for word, is_there in doors.items() if is_there)
    return (*ranges.CAPABILITIES, "events", "udp", "tcp", "ipv4", *there, config.device)


def _hosts(bind: str, opened: Opened) -> tuple[str, ...]:
    """Return the addresses to name, first one that needs no token if there is one.

    "Every interface" of an IP version takes the place of its loopback, which needs the token then.
    """
    if not bind:
        return (LOOPBACK,)
    if bind != _EVERY_IPV4:
        return (LOOPBACK, bind)
    return (bind,) if opened.without_ipv6 else (LOOPBACK_6, bind)


def _reached_at(hosts: tuple[str, ...]) -> str:
    """Return where a controller of this machine sends to."""
    return hosts[0] if hosts[0] != _EVERY_IPV4 else LOOPBACK


def _announced(
    stack: ExitStack, service: EngineService, server: OscServer, hosts: tuple[str, ...]
) -> discovery.Ports:
    """Say where the engine is, until the stack ends."""
    config = service.config
    http_port = 0
    if config.oscquery:
        name = f"{_NAME} {config.session.name}"[:80]
        info = HostInfo(name, server.port("udp"), osc_ip=_reached_at(hosts))
        query = OscQuery(info, lambda: _controls(service.scenes), config.http_port)
        http_port = stack.enter_context(query).port
    ports = discovery.Ports(server.port("udp"), server.port("tcp"), http_port, hosts)
    stack.callback(discovery.withdraw)
    address = discovery.announce(config.session, ports)
    if config.mdns:
        from osc_bridge.mdns import Announcement  # noqa: PLC0415

        stack.enter_context(Announcement(address))
    return ports


def _controls(scenes: Scenes) -> Iterator[ControlNode]:
    """Yield every setting of every source of the newest scenes."""
    for scene in scenes.intact(newest=SHOWN_SCENES):
        for source in scene.sources:
            for field in ranges.SETTABLE:
                if field != "text" or source.kind == "text":
                    value = getattr(source, field)
                    yield ControlNode(scene.id, source.id, field, value)
