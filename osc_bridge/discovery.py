"""How a client finds the engine of a session: ``SESSION/engine.json``, checked by asking it.

The file alone proves nothing (a killed engine leaves it behind): its process must live and answer
a hello with the same session folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from osc_bridge.client import Client
from osc_bridge.errors import SessionNotWritable, WildtrackError
from osc_bridge.schema import API_MAJOR, API_MINOR
from osc_bridge.transports.base import LOOPBACK
from presets.files import write_whole

FILE_NAME = "engine.json"
_SIZE_MAX_BYTES = 4096
_ASK_S = 2.0


@dataclass(frozen=True)
class EngineAddress:
    """Where an engine of this machine listens; a port of 0 means not over this transport."""

    pid: int
    udp_port: int
    tcp_port: int
    api: str = f"{API_MAJOR}.{API_MINOR}"
    host: str = LOOPBACK

    def connect(self, name: str = "python", timeout_s: float = 10.0) -> Client:
        """A client of this engine, by TCP if it listens there.

        Raises:
            EngineUnreachable, ReplyTimeout, IncompatibleApi: see `Client.connect`.
        """
        if self.tcp_port:
            return Client.connect(self.tcp_port, self.host, "tcp", name, timeout_s)
        return Client.connect(self.udp_port, self.host, "udp", name, timeout_s)


def announce(session: Path, udp_port: int, tcp_port: int, host: str = LOOPBACK) -> EngineAddress:
    """Write the session's engine.json, as a whole, for this process.

    Raises:
        SessionNotWritable: the folder does not take it.
    """
    address = EngineAddress(os.getpid(), udp_port, tcp_port, host=host)
    try:
        write_whole(session / FILE_NAME, json.dumps(asdict(address), indent=2).encode() + b"\n")
    except OSError as error:
        raise SessionNotWritable(
            f"{session / FILE_NAME} cannot be written ({error.strerror}): a session folder that "
            "you may write is needed; change its rights or choose another with --session."
        ) from error
    return address


def withdraw(session: Path) -> None:
    """Remove engine.json if it is this process's own; a missing one is no error."""
    address = read_address(session)
    if address is not None and address.pid == os.getpid():
        with contextlib.suppress(OSError):
            (session / FILE_NAME).unlink(missing_ok=True)


def read_address(session: Path) -> EngineAddress | None:
    """What engine.json says, unchecked; None if there is none or it cannot be understood."""
    try:
        with (session / FILE_NAME).open("rb") as file:
            data = json.loads(file.read(_SIZE_MAX_BYTES))
        return _address(data)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def find_engine(session: Path, timeout_s: float = _ASK_S) -> EngineAddress | None:
    """The engine that serves this session now; None if it is stale, silent or another's."""
    address = read_address(session)
    if address is None or not _lives(address.pid):
        return None
    try:
        with address.connect("discovery", timeout_s) as client:
            theirs = Path(client.welcome.session)
    except WildtrackError:
        return None
    return address if theirs.resolve() == session.resolve() else None


def _address(data: dict[str, object]) -> EngineAddress:
    pid, udp_port, tcp_port = (data[key] for key in ("pid", "udp_port", "tcp_port"))
    if not (isinstance(pid, int) and isinstance(udp_port, int) and isinstance(tcp_port, int)):
        raise TypeError(data)
    if pid <= 0 or not (0 <= udp_port <= 65_535 and 0 <= tcp_port <= 65_535):
        raise ValueError(data)
    if not (udp_port or tcp_port):
        raise ValueError(data)
    return EngineAddress(pid, udp_port, tcp_port, str(data["api"]), str(data["host"]))


def _lives(pid: int) -> bool:
    """Whether the process exists; on Windows the hello alone decides (kill 0 would end it)."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
