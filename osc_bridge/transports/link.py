"""A client's socket, connected to one engine: what TCP and UDP have in common."""

from __future__ import annotations

import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from osc_bridge.errors import WildtrackError
from osc_bridge.transports.addresses import resolve, unreachable
from osc_bridge.transports.loop import READ, SocketLoop

RECEIVE_MAX = 65_536
BURST = 64
"""Reads from a socket that is ready before others of its loop get their turn."""
_CONNECT_S = 5.0


class SocketLink(ABC):
    """Receives on a thread of its own; `packets_of` and `loss` are the transport's part."""

    def __init__(
        self, kind: socket.SocketKind, host: str, port: int, *, beyond_loopback: bool
    ) -> None:
        """Connect.

        Raises:
            OutOfRange: not a loopback address (without ``beyond_loopback``), or no such port.
            EngineUnreachable: nobody listens there.
        """
        name = "TCP" if kind == socket.SOCK_STREAM else "UDP"
        family, address = resolve(host, port, beyond_loopback=beyond_loopback)
        self.where = f"{host}, {name} port {port}"
        self.sock = _connected(family, kind, address, self.where)
        self._loop = SocketLoop(f"osc-{name.lower()}-client")

    def start(
        self, received: Callable[[bytes], None], lost: Callable[[WildtrackError], None]
    ) -> None:
        """Deliver what arrives; ``lost`` once, when the engine is gone."""
        self._loop.watch(self.sock, READ, lambda _events: self._read(received, lost))
        self._loop.start()

    def _read(
        self, received: Callable[[bytes], None], lost: Callable[[WildtrackError], None]
    ) -> None:
        try:
            for _ in range(BURST):
                for packet in self.packets_of(self.sock.recv(RECEIVE_MAX)):
                    received(packet)
        except BlockingIOError:
            return
        except OSError as error:
            self._loop.forget(self.sock)
            lost(self.loss(error))

    @abstractmethod
    def packets_of(self, data: bytes) -> Sequence[bytes]:
        """The packets that end in what was read.

        Raises:
            OSError: the engine has closed the connection.
        """

    def loss(self, error: OSError) -> WildtrackError:
        """What the caller is told when the engine is gone."""
        return unreachable(self.where, error)

    def close(self) -> None:
        """Stop the thread and close the socket."""
        self._loop.close()
        self.sock.close()


def _connected(
    family: socket.AddressFamily, kind: socket.SocketKind, address: tuple[object, ...], where: str
) -> socket.socket:
    try:
        sock = socket.socket(family, kind)
    except OSError as error:
        raise unreachable(where, error) from error
    sock.settimeout(_CONNECT_S)
    try:
        sock.connect(address)
    except OSError as error:
        sock.close()
        raise unreachable(where, error) from error
    sock.setblocking(False)
    return sock
