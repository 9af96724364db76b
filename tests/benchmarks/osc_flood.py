"""Throw malformed datagrams at an engine and look what it makes of them.

    python tests/benchmarks/osc_flood.py [--count 1000000] [--seconds 1800] [--seed 1]

Each datagram is read by the engine before too many others are sent (a ping behind every batch is
awaited), each two hundred come from a new client, and another client pings over TCP all the
while. Prints JSON; ends with 1 when a bar is missed: an exception that the error map does not
know, more memory than after the warm-up, a ping without an answer, an engine that ended.
"""

from __future__ import annotations

import argparse
import itertools
import json
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine_process import RunningEngine, running_engine, tiny_pack
from malformed import malformed

from osc_bridge.client import Client
from osc_bridge.errors import WildtrackError
from osc_bridge.events import Done, Fail
from osc_bridge.schema import Ping
from osc_bridge.wire import encode_request, read_event

BATCH = 100
"""Datagrams before a ping is awaited: what the engine's receive buffer holds for certain."""
BATCHES_OF_A_CLIENT = 2
WARM_UP = 150_000
"""More than 512 clients, whose answers an engine remembers, send: what is bounded is full then."""
GROWTH_MAX_BYTES = 8 << 20
PING_EVERY_S = 0.1
PING_WAIT_S = 5.0
RESEND_S = 0.5
RESENDS = 20


@dataclass
class Flood:
    """Sends datagrams from ever new ports and counts what comes back."""

    port: int
    packets: Iterator[bytes]
    answers: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def send(self, count: int, until_s: float) -> None:
        """Send ``count`` datagrams, or fewer when the time is over.

        Raises:
            TimeoutError: the engine answers no ping any more.
        """
        goal = self.sent + count
        while self.sent < goal and time.monotonic() < until_s:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.connect(("127.0.0.1", self.port))
                sock.settimeout(RESEND_S)
                for _ in range(BATCHES_OF_A_CLIENT):
                    self._send_batch(sock, min(BATCH, goal - self.sent))

    def _send_batch(self, sock: socket.socket, count: int) -> None:
        for packet in itertools.islice(self.packets, count):
            sock.send(packet)
        self.sent += count
        ping_id = next(self._ids)
        for _ in range(RESENDS):
            sock.send(encode_request(ping_id, Ping()))
            if self._drain(sock, ping_id):
                return
        raise TimeoutError(f"no answer to a ping behind datagram {self.sent}")

    def _drain(self, sock: socket.socket, ping_id: int) -> bool:
        """Count answers until the ping's; False if none came for a while."""
        try:
            while True:
                event = read_event(sock.recv(65_536))
                if isinstance(event, Fail):
                    self.answers[event.name] += 1
                elif isinstance(event, Done) and event.request_id == ping_id:
                    return True
        except TimeoutError:
            return False


@dataclass
class Pings:
    """Pings over TCP from a client of their own, until the block ends."""

    port: int
    round_trips_ms: list[float] = field(default_factory=list)
    unanswered: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Pings:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with Client.connect(self.port) as client:
            while not self._stop.wait(PING_EVERY_S):
                begin_s = time.perf_counter()
                try:
                    client.ping(PING_WAIT_S)
                except WildtrackError:
                    self.unanswered += 1
                self.round_trips_ms.append((time.perf_counter() - begin_s) * 1e3)

    def summary(self) -> dict[str, Any]:
        parts = statistics.quantiles(self.round_trips_ms, n=100, method="inclusive")
        return {
            "sent": len(self.round_trips_ms),
            "unanswered": self.unanswered,
            "p50_ms": round(parts[49], 2),
            "p99_ms": round(parts[98], 2),
        }


def measure(engine: RunningEngine, count: int, seconds: float, seed: int) -> dict[str, Any]:
    """Warm up, flood, and return the figures."""
    until_s = time.monotonic() + seconds
    flood = Flood(engine.udp_port, malformed(seed))
    flood.send(min(WARM_UP, count), until_s)
    warm_bytes, warm_sent, begin_s = engine.resident_bytes(), flood.sent, time.monotonic()
    with Pings(engine.tcp_port) as pings:
        flood.send(count, until_s)
    took_s = time.monotonic() - begin_s
    return {
        "datagrams": flood.sent - warm_sent,
        "asked_for": count,
        "warm_up": warm_sent,
        "seconds": round(took_s, 1),
        "datagrams_per_s": round((flood.sent - warm_sent) / took_s),
        "answers": dict(flood.answers.most_common()),
        "exceptions": engine.log_text().count("Traceback") + flood.answers["InternalError"],
        "memory_warm_bytes": warm_bytes,
        "memory_end_bytes": engine.resident_bytes(),
        "pings": pings.summary(),
        "ended": engine.process.poll() is not None,
    }


def missed(figures: dict[str, Any]) -> list[str]:
    """The bars that these figures do not clear."""
    growth_bytes = figures["memory_end_bytes"] - figures["memory_warm_bytes"]
    bars = {
        "every datagram sent": figures["datagrams"] == figures["asked_for"],
        "no exception outside the error map": figures["exceptions"] == 0,
        f"memory grows at most {GROWTH_MAX_BYTES} bytes": growth_bytes <= GROWTH_MAX_BYTES,
        "every ping answered": figures["pings"]["unanswered"] == 0,
        "the engine goes on": not figures["ended"],
    }
    return [bar for bar, is_cleared in bars.items() if not is_cleared]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=1_000_000, help="datagrams after the warm-up")
    parser.add_argument("--seconds", type=float, default=1800.0, help="longest time in all")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pack = tiny_pack(folder / "tiny")
        with running_engine(folder / "session", pack) as engine:
            figures = measure(engine, options.count, options.seconds, options.seed)
    figures["missed"] = missed(figures)
    print(json.dumps(figures, indent=1))
    return 1 if figures["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
