"""How a client finds engines: one file for each in the user's runtime folder, checked by asking.

``engine-PID.json`` alone proves nothing (a killed engine leaves it behind, and its process id is
given to another program): its process must live, and answer a hello with the same session folder.
A file that fails this is removed; one whose process lives but is silent is kept, for the engine
may only be stopped for a while.

The engine writes it with ``announce(session, Ports(udp, tcp, http, hosts))`` when it serves and
removes it with ``withdraw()`` when it ends.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from osc_bridge.client import Client
from osc_bridge.errors import EngineUnreachable, ReplyTimeout, SessionNotWritable, WildtrackError
from osc_bridge.runtime import checked_runtime_folder, made_runtime_folder
from osc_bridge.schema import API_MAJOR, API_MINOR
from osc_bridge.transports.base import LOOPBACK
from presets.files import write_whole

_SIZE_MAX_BYTES = 8192
_HOSTS_MAX = 16
_ASK_S = 2.0
_NUMBERS = ("pid", "udp_port", "tcp_port", "http_port")

State = Literal["live", "silent", "stale"]


@dataclass(frozen=True)
class Ports:
    """Where an engine listens; 0 means not over this transport. ``http`` is OSCQuery."""

    udp: int
    tcp: int
    http: int = 0
    hosts: tuple[str, ...] = (LOOPBACK,)
    """Addresses of the interfaces, loopback first if it is among them."""


@dataclass(frozen=True)
class EngineAddress:
    """What an engine of this user says of itself; ``started`` is UTC in ISO 8601."""

    pid: int
    session: str
    udp_port: int
    tcp_port: int
    http_port: int
    hosts: tuple[str, ...]
    api: str
    started: str

    @property
    def host(self) -> str:
        """The address to connect to from this machine: loopback if the engine listens there."""
        addresses = [ipaddress.ip_address(host) for host in self.hosts]
        own = next((a for a in addresses if a.is_loopback), addresses[0])
        if not own.is_unspecified:
            return str(own)
        return LOOPBACK if own.version == 4 else "::1"

    def connect(self, name: str = "python", timeout_s: float = 10.0) -> Client:
        """A client of this engine, by TCP if it listens there.

        Raises:
            EngineUnreachable, ReplyTimeout, IncompatibleApi: see `Client.connect`.
        """
        if self.tcp_port:
            return Client.connect(self.tcp_port, self.host, "tcp", name, timeout_s)
        return Client.connect(self.udp_port, self.host, "udp", name, timeout_s)


def announce(session: Path, ports: Ports) -> EngineAddress:
    """Write the file of this process, as a whole; those of dead processes are removed.

    Raises:
        SessionNotWritable: the runtime folder is not the user's own, or takes no file.
    """
    address = EngineAddress(
        pid=os.getpid(),
        session=str(session.resolve()),
        udp_port=ports.udp,
        tcp_port=ports.tcp,
        http_port=ports.http,
        hosts=ports.hosts,
        api=f"{API_MAJOR}.{API_MINOR}",
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    path = made_runtime_folder() / _name(address.pid)
    try:
        write_whole(path, json.dumps(asdict(address), indent=2).encode() + b"\n")
    except OSError as error:
        raise SessionNotWritable(
            f"{path} cannot be written ({error.strerror}): clients find the engine by this file; "
            "free some space there, or set XDG_RUNTIME_DIR to another folder of your own."
        ) from error
    for other in _announced():
        if not _lives(other.pid):
            _remove(path.with_name(_name(other.pid)))
    return address


def withdraw() -> None:
    """Remove the file of this process; a missing one is no error."""
    with contextlib.suppress(OSError, SessionNotWritable):
        folder = checked_runtime_folder()
        if folder is not None:
            (folder / _name(os.getpid())).unlink(missing_ok=True)


def engines(timeout_s: float = _ASK_S) -> list[EngineAddress]:
    """All engines of this user that answer now, oldest first; stale files are removed.

    Raises:
        SessionNotWritable: the runtime folder is not the user's own.
    """
    live = [address for address in _announced() if _checked(address, timeout_s) == "live"]
    return sorted(live, key=lambda address: (address.started, address.pid))


def find_engine(session: Path, timeout_s: float = _ASK_S) -> EngineAddress | None:
    """The engine that serves this session now; None if there is none or it is silent.

    Raises:
        SessionNotWritable: the runtime folder is not the user's own.
    """
    of_session = announced(session)
    return next((a for a in of_session if _checked(a, timeout_s) == "live"), None)


def announced(session: Path) -> list[EngineAddress]:
    """What the files say of this session, unchecked: also of engines that are gone or silent.

    Raises:
        SessionNotWritable: the runtime folder is not the user's own.
    """
    wanted = session.resolve()
    return [address for address in _announced() if Path(address.session) == wanted]


def _announced() -> list[EngineAddress]:
    folder = checked_runtime_folder()
    if folder is None:
        return []
    read = [_read(path) for path in sorted(folder.glob("engine-*.json"))]
    return [address for address in read if address is not None]


def _read(path: Path) -> EngineAddress | None:
    """What a file says; None, and no file any more, when it cannot be understood."""
    try:
        with path.open("rb") as file:
            return _address(json.loads(file.read(_SIZE_MAX_BYTES)), path.name)
    except OSError:
        return None
    except (ValueError, KeyError, TypeError, RecursionError):
        _remove(path)
        return None


def _address(data: dict[str, Any], name: str) -> EngineAddress:
    pid, udp_port, tcp_port, http_port = numbers = [data[key] for key in _NUMBERS]
    if not all(isinstance(n, int) and not isinstance(n, bool) for n in numbers):
        raise TypeError(data)
    if not all(0 <= port <= 65_535 for port in numbers[1:]) or not (udp_port or tcp_port):
        raise ValueError(data)
    if pid <= 0 or name != _name(pid):
        raise ValueError(data)
    return EngineAddress(
        pid=pid,
        session=str(data["session"]),
        udp_port=udp_port,
        tcp_port=tcp_port,
        http_port=http_port,
        hosts=_hosts(data["hosts"]),
        api=str(data["api"]),
        started=str(data["started"]),
    )


def _hosts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= _HOSTS_MAX:
        raise TypeError(value)
    return tuple(str(ipaddress.ip_address(str(host))) for host in value)


def _checked(address: EngineAddress, timeout_s: float) -> State:
    """Ask the engine; a stale file is removed."""
    state = _state(address, timeout_s) if _lives(address.pid) else "stale"
    if state == "stale":
        with contextlib.suppress(SessionNotWritable):
            folder = checked_runtime_folder()
            if folder is not None:
                _remove_if(folder / _name(address.pid), address)
    return state


def _state(address: EngineAddress, timeout_s: float) -> State:
    """Live with the same session, silent, or no engine of this session behind these ports."""
    try:
        with address.connect("discovery", timeout_s) as client:
            theirs = Path(client.welcome.session)
    except ReplyTimeout:
        return "silent"
    except EngineUnreachable:
        return "stale"
    except WildtrackError:
        return "live"  # it answers, but not us: another API version, or it wants a token
    return "live" if theirs.resolve() == Path(address.session) else "stale"


def _remove_if(path: Path, address: EngineAddress) -> None:
    """Remove a file unless a new engine with this process id has just written its own."""
    if _read(path) == address:
        _remove(path)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _name(pid: int) -> str:
    return f"engine-{pid}.json"


def _lives(pid: int) -> bool:
    """Whether the process exists; on Windows the hello alone decides (kill 0 would end it)."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
