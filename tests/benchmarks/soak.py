"""A long day in short: many small renders while clients come and go, and what is left of it.

    python tests/benchmarks/soak.py [--renders 10000] [--warm-up 500]

Each render has seeds of its own, so that it is really rendered; its take is deleted and the trash
emptied, so that the disk stays bounded and the stem cache has to make room. Meanwhile a hundred
clients are connected, over TCP and UDP, most of them subscribed; with each render one leaves,
politely, without a word or in the middle of a message, and another comes. Compared are the engine
after the warm-up and at the end, both times without guests. Needs Linux's /proc.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import socket
import struct
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine_process import RunningEngine, running_engine, tiny_pack

from osc_bridge.client import Client
from osc_bridge.schema import Render, Subscribe
from osc_bridge.wire import encode_request

DURATION_S = 0.3
GUESTS = 100
LIFETIME_S = 5.0
"""Of a guest's subscription: those that leave without a word are forgotten after it."""
STEMS_GB = 0.005
GROWTH_ALLOWED = 1.05
_QUIET_S = 60.0
_SAY_EVERY = 100

Leave = Callable[[], None]


@dataclass(frozen=True)
class Level:
    """What an engine holds of its machine."""

    memory_bytes: int
    threads: int
    files: int
    sockets: int
    subscribers: int
    stems_bytes: int


def tcp_guest(engine: RunningEngine) -> Leave:
    """One that subscribes, unsubscribes and closes."""
    client = Client.connect(engine.tcp_port, name="polite")
    client.call(Subscribe(0, LIFETIME_S))

    def leave() -> None:
        client.unsubscribe()
        client.close()

    return leave


def udp_guest(engine: RunningEngine) -> Leave:
    """One that subscribes and is not heard of again."""
    client = Client.connect(engine.udp_port, transport="udp", name="silent")
    client.call(Subscribe(0, LIFETIME_S))
    return client.close


def abrupt_guest(engine: RunningEngine) -> Leave:
    """One that subscribes, reads nothing, and resets the connection in the middle of a message."""
    connection = socket.create_connection(("127.0.0.1", engine.tcp_port))
    packet = encode_request(1, Subscribe(0, LIFETIME_S))
    connection.sendall(b"\xc0" + packet + b"\xc0" + b"\xc0" + packet[:9])

    def leave() -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    return leave


def passing_guest(engine: RunningEngine) -> Leave:
    """One that asks how the engine is and closes without a word."""
    client = Client.connect(engine.tcp_port, name="passing")
    client.status()
    return client.close


class Guests:
    """The clients beside the artist: the oldest leaves when there are too many."""

    def __init__(self, engine: RunningEngine) -> None:
        self._engine = engine
        self._there: deque[Leave] = deque()
        self._kinds = itertools.cycle((tcp_guest, udp_guest, abrupt_guest, passing_guest))
        self.seen = 0

    def change(self) -> None:
        """Let one come, and one go when the house is full."""
        if len(self._there) >= GUESTS:
            self._there.popleft()()
        self._there.append(next(self._kinds)(self._engine))
        self.seen += 1

    def all_leave(self) -> None:
        """Let everybody go."""
        while self._there:
            self._there.popleft()()


class Soak:
    """An artist who renders, and the guests."""

    def __init__(self, engine: RunningEngine, session: Path, client: Client) -> None:
        self._engine = engine
        self._session = session
        self._client = client
        self._scene = client.new_scene("Soak", duration_s=DURATION_S)
        self._source = client.add_text(self._scene, "rain")
        self._seeds = itertools.count(1)
        self.guests = Guests(engine)
        self.stems_bytes_max = 0

    def render(self) -> None:
        """Render what was never rendered before, while a guest comes; then throw it away."""
        seed = next(self._seeds)
        self._client.set_scene(self._scene, seed=seed)
        self._client.set(self._scene, self._source, seed=seed)
        call = self._client.start(Render(self._scene, "independent", "preview"))
        self.guests.change()
        made = call.result(_QUIET_S)
        self._client.delete_take(made.take)
        shutil.rmtree(self._session / "trash" / made.take)
        if seed % _SAY_EVERY == 0:
            self.stems_bytes_max = max(self.stems_bytes_max, self._client.status().stems_bytes)

    def level(self) -> Level:
        """Let every guest leave and be forgotten, then look at the engine."""
        self.guests.all_leave()
        end_s = time.monotonic() + LIFETIME_S + _QUIET_S
        while (status := self._client.status()).subscribers and time.monotonic() < end_s:
            time.sleep(0.2)
        process = Path("/proc") / str(self._engine.pid)
        opened = list(_targets(process / "fd"))
        return Level(
            memory_bytes=self._engine.resident_bytes(),
            threads=len(list((process / "task").iterdir())),
            files=len(opened),
            sockets=sum(target.startswith("socket:") for target in opened),
            subscribers=status.subscribers,
            stems_bytes=status.stems_bytes,
        )


def _targets(descriptors: Path) -> Iterator[str]:
    for descriptor in descriptors.iterdir():
        with suppress(FileNotFoundError):
            yield str(descriptor.readlink())


def measure(folder: Path, renders: int, warm_up: int) -> dict[str, Any]:
    """Return the figures of one soak."""
    session, pack = folder / "session", tiny_pack(folder / "pack")
    options = ("--stems-gb", str(STEMS_GB))
    with (
        running_engine(session, pack, *options) as engine,
        Client.connect(engine.tcp_port) as client,
    ):
        soak = Soak(engine, session, client)
        begin_s = time.monotonic()
        for number in range(1, warm_up + 1):
            soak.render()
            _say(number, renders, engine)
        warm = soak.level()
        for number in range(warm_up + 1, renders + 1):
            soak.render()
            _say(number, renders, engine)
        return {
            "renders": renders,
            "guests": soak.guests.seen,
            "seconds": round(time.monotonic() - begin_s, 1),
            "warm": asdict(warm),
            "end": asdict(soak.level()),
            "stems_bytes_max": soak.stems_bytes_max,
            "left": sorted(_left(session)),
        }


def _left(session: Path) -> Iterator[str]:
    """Yield what is there of takes and jobs, which all have ended and been deleted."""
    for name in ("takes", "trash", "jobs"):
        yield from (f"{name}/{path.name}" for path in (session / name).glob("[tj]0*"))


def _say(number: int, renders: int, engine: RunningEngine) -> None:
    if number % _SAY_EVERY == 0:
        memory_mb = engine.resident_bytes() / 1e6
        print(f"{number} of {renders} renders, {memory_mb:.1f} MB", file=sys.stderr)


def missed(figures: dict[str, Any]) -> list[str]:
    """Return the promises that were not kept."""
    warm, end = figures["warm"], figures["end"]
    same = [name for name in ("threads", "files", "sockets") if warm[name] != end[name]]
    checks = {
        "memory": end["memory_bytes"] <= GROWTH_ALLOWED * warm["memory_bytes"],
        "subscribers": end["subscribers"] == 0,
        "stems": max(figures["stems_bytes_max"], end["stems_bytes"]) <= STEMS_GB * 1e9,
        "left": not figures["left"],
    }
    return same + [name for name, kept in checks.items() if not kept]


def main() -> None:
    """Soak, print the figures, and fail when a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--renders", type=int, default=10_000)
    parser.add_argument("--warm-up", type=int, default=500)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), given.renders, given.warm_up)
    warm, end = figures["warm"], figures["end"]
    figures["growth"] = round(end["memory_bytes"] / warm["memory_bytes"] - 1, 4)
    figures["missed"] = missed(figures)
    print(json.dumps(figures, indent=1))
    sys.exit(bool(figures["missed"]))


if __name__ == "__main__":
    main()
