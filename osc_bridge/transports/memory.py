"""The test twin of the sockets: packets pass by a call, in order, on the sender's thread."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from osc_bridge.errors import EngineUnreachable, WildtrackError
from osc_bridge.transports.base import Peer, Sink


@dataclass(frozen=True, eq=False)
class MemoryKey:
    """Names a link for good: equal to itself alone, also where listeners number alike."""

    number: int


class MemoryPeer:
    """The server's view of a `MemoryLink`."""

    host = ""
    needs_token = False
    is_connected = True
    waiting_bytes = 0

    def __init__(self, number: int) -> None:
        self.key = MemoryKey(number)
        self.deliver: Callable[[bytes], None] | None = None

    def send(self, packet: bytes) -> None:
        """Hand the packet to the link, if it still listens."""
        if self.deliver is not None:
            self.deliver(packet)

    def admit(self) -> None:
        """Do nothing: room is never short."""

    def hold(self) -> None:
        """Do nothing: the sender's own thread delivers."""

    def release(self) -> None:
        """Do nothing."""


class MemoryListener:
    """A server without a port; `connect` makes the other end."""

    name = "memory"
    port = 0

    def __init__(self) -> None:
        self.sink: Sink | None = None
        self._numbers = itertools.count(1)
        self._links: list[MemoryLink] = []

    def start(self, sink: Sink) -> None:
        """Deliver to ``sink`` from now on."""
        self.sink = sink

    def connect(self) -> MemoryLink:
        """A new client's link."""
        link = MemoryLink(self, MemoryPeer(next(self._numbers)))
        self._links.append(link)
        return link

    def peer_at(self, host: str, port: int) -> Peer | None:
        """None: there are no addresses in memory."""
        return None

    def close(self) -> None:
        """Deliver no more and tell the links."""
        self.sink = None
        for link in self._links:
            link.cut()
        self._links.clear()


class MemoryLink:
    """A client's end in memory."""

    is_lossy = False

    def __init__(self, listener: MemoryListener, peer: MemoryPeer) -> None:
        self._listener = listener
        self._peer = peer
        self._lost: Callable[[WildtrackError], None] | None = None

    def start(
        self, received: Callable[[bytes], None], lost: Callable[[WildtrackError], None]
    ) -> None:
        """Receive from now on."""
        self._peer.deliver = received
        self._lost = lost

    def send(self, packet: bytes) -> None:
        """Hand the packet to the server.

        Raises:
            EngineUnreachable: the server is closed.
        """
        if self._listener.sink is None:
            raise _closed()
        self._listener.sink.received(self._peer, packet)

    def cut(self) -> None:
        """The server is gone."""
        if self._lost is not None and self._peer.deliver is not None:
            self._lost(_closed())

    def close(self) -> None:
        """Receive no more."""
        self._peer.deliver = None
        if self._listener.sink is not None:
            self._listener.sink.gone(self._peer)


def _closed() -> EngineUnreachable:
    return EngineUnreachable("The engine in memory is closed: start it again and connect anew.")
