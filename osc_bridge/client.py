"""The client: what a DAW bridge, the command line or a script drives the engine with.

::

    with Client.connect(port=7770) as engine:
        scene = engine.new_scene("Alley", duration_s=4)
        engine.add_image(scene, "frame.png")
        rain = engine.add_text(scene, "rain on a tin roof")
        engine.set(scene, rain, gain_db=-6, pan=0.3)
        print(engine.render(scene).path)

A client lives as long as its connection. When the engine ends, each of its calls raises
EngineUnreachable (over UDP, where nobody may say so, ReplyTimeout); after a restart by
``wildtrack up`` connect a new one: scenes, revisions and takes are what they were, and renders
that waited run again.
"""

from __future__ import annotations

from typing import Literal, Self

from osc_bridge.calls.engine import EngineCalls
from osc_bridge.calls.renders import RENDER_S, RenderCalls
from osc_bridge.calls.scenes import SceneCalls, Snapshot
from osc_bridge.calls.sources import PERCEIVE_S, SourceCalls
from osc_bridge.schema import API_MAJOR, API_MINOR, Hello, Welcome
from osc_bridge.transports.base import LOOPBACK, Link
from osc_bridge.transports.tcp import TcpLink
from osc_bridge.transports.udp import UdpLink

__all__ = ["PERCEIVE_S", "RENDER_S", "Client", "Snapshot", "Transport"]

Transport = Literal["tcp", "udp"]


class Client(SceneCalls, SourceCalls, RenderCalls, EngineCalls):
    """One engine, connected; a context manager. ``welcome`` is what it said of itself."""

    def __init__(
        self, link: Link, name: str = "python", timeout_s: float = 10.0, token: str = ""
    ) -> None:
        """Say hello over ``link``.

        Raises:
            IncompatibleApi: the engine speaks another major version.
            NotAuthorised: the engine wants its token.
            ReplyTimeout, EngineUnreachable: nobody answers.
        """
        super().__init__(link)
        try:
            hello = Hello(API_MAJOR, API_MINOR, name, token)
            self.welcome: Welcome = self.call(hello, timeout_s)
        except BaseException:
            self.close()
            raise

    @classmethod
    def connect(
        cls,
        port: int,
        host: str = LOOPBACK,
        transport: Transport = "tcp",
        name: str = "python",
        timeout_s: float = 10.0,
        token: str = "",
    ) -> Self:
        """Connect to the engine that listens on a port.

        Raises:
            EngineUnreachable: nobody listens there.
            ReplyTimeout: something else does.
            IncompatibleApi: the engine speaks another major version.
            NotAuthorised: the engine wants its token (over another interface than loopback).
            OutOfRange: no such host or port.
        """
        make = TcpLink if transport == "tcp" else UdpLink
        link: Link = make(port, host, beyond_loopback=bool(token))
        return cls(link, name, timeout_s, token)
