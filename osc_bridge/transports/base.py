"""What a transport offers to either side."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Protocol

from osc_bridge.errors import WildtrackError

LOOPBACK = "127.0.0.1"


class Peer(Protocol):
    """One client as the server sees it; ``key`` names it for as long as it lives.

    ``host`` is the address that it sends from, empty where there is none. ``needs_token`` says
    that it came from outside this machine's loopback and must show the engine's token,
    ``is_connected`` that nobody else can ever have its key.
    """

    @property
    def key(self) -> Hashable: ...
    @property
    def host(self) -> str: ...
    @property
    def needs_token(self) -> bool: ...
    @property
    def is_connected(self) -> bool: ...
    @property
    def waiting_bytes(self) -> int:
        """Bytes that the client did not take so far; 0 where nothing waits."""

    def send(self, packet: bytes) -> None:
        """Send from any thread; a peer that is gone is no error.

        Raises:
            OutOfRange: the packet is larger than the transport carries.
        """

    def admit(self) -> None:
        """Note that it has shown the token: where room is short, strangers go first."""

    def hold(self) -> None:
        """Deliver nothing more from this peer for now; from any thread.

        On the listener's thread the next packet is held already. Only a transport that can make
        the client wait does it: over UDP and in memory nothing changes.
        """

    def release(self) -> None:
        """Deliver again what was held, in order; from any thread."""


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

    def peer_at(self, host: str, port: int) -> Peer | None:
        """A peer that was not heard so far, at an address as in `Peer.host`.

        None where only those can be answered who came (TCP, memory), or where this listener's
        socket does not reach the address.
        """


class Link(Protocol):
    """The client's end of a transport; ``is_lossy`` says whether packets may disappear."""

    is_lossy: bool

    def start(
        self, received: Callable[[bytes], None], lost: Callable[[WildtrackError], None]
    ) -> None: ...
    def send(self, packet: bytes) -> None: ...
    def close(self) -> None: ...
