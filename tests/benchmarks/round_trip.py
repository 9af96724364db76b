"""How fast the engine answers while it renders, and how many settings a second it takes.

    python tests/benchmarks/round_trip.py [--pings 10000] [--seconds 10] [--rate 10000]

1. `ping` over UDP and TCP, one after the other, on an engine at rest and while a real render of the
   starter pack runs in a loop.
2. `source/set` over TCP from this process, sent at a steady pace and answered each; then the engine
   is killed with SIGKILL and the session opened anew: what was answered last must be there.

Prints JSON. Exits 1 when a setting is lost, or when the rate is not reached.
"""

from __future__ import annotations

import argparse
import json
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine_process import ROOT, RunningEngine, running_engine

from osc_bridge.client import Client
from osc_bridge.errors import Cancelled
from osc_bridge.schema import Ping, Render, SetSource
from osc_bridge.transports.framing import SlipFraming
from osc_bridge.wire import encode_request

FADERS = 8
"""Sources whose gain is set in turn."""
PAUSE_S = 0.001
"""Between two pings, so that they meet every phase of a render."""
BURSTS_A_SECOND = 200
RATE_TOLERANCE = 0.99
_WAIT_S = 60.0
_DONE = b"/wildtrack/done\0"


@dataclass(frozen=True)
class Pings:
    """Round trips of one transport, in milliseconds."""

    transport: str
    while_rendering: bool
    count: int
    p50_ms: float
    p99_ms: float
    worst_ms: float


@dataclass(frozen=True)
class Settings:
    """What became of a stream of settings."""

    seconds: float
    sent: int
    answered: int
    failed: int
    rate_hz: float
    last_answer_s: float
    """After the last one was sent."""
    lost: int
    last_value_in_journal: bool


def measure_pings(engine: RunningEngine, count: int) -> Iterator[Pings]:
    """Ping over both transports, at rest and during renders."""
    for transport, dial in (("udp", _udp), ("tcp", _tcp)):
        with dial(engine) as ask:
            yield _pings(transport, False, ask, count)
            with _rendering(engine.tcp_port):
                yield _pings(transport, True, ask, count)


def _pings(
    transport: str, while_rendering: bool, ask: Callable[[bytes], None], count: int
) -> Pings:
    took_s = []
    for number in range(1, count + 1):
        packet = encode_request(number + count * while_rendering, Ping())
        begin_s = time.perf_counter()
        ask(packet)
        took_s.append(time.perf_counter() - begin_s)
        time.sleep(PAUSE_S)
    took_s.sort()
    p50, p99, worst = (1000 * took_s[int(share * (count - 1))] for share in (0.5, 0.99, 1.0))
    return Pings(transport, while_rendering, count, round(p50, 3), round(p99, 3), round(worst, 3))


@contextmanager
def _udp(engine: RunningEngine) -> Iterator[Callable[[bytes], None]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", engine.udp_port))
        sock.settimeout(_WAIT_S)

        def ask(packet: bytes) -> None:
            sock.send(packet)
            _check(sock.recv(2048))

        yield ask


@contextmanager
def _tcp(engine: RunningEngine) -> Iterator[Callable[[bytes], None]]:
    with _connected(engine.tcp_port) as sock:
        framing = SlipFraming()

        def ask(packet: bytes) -> None:
            sock.sendall(framing.frame(packet))
            while not (frames := framing.feed(sock.recv(65_536))):
                pass
            _check(frames[0])

        yield ask


def _check(answer: object) -> None:
    if not isinstance(answer, bytes) or not answer.startswith(_DONE):
        raise RuntimeError(f"a ping was answered with {answer!r}")


def _connected(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), _WAIT_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


@contextmanager
def _rendering(tcp_port: int) -> Iterator[None]:
    """Render one scene after the other, each with seeds of its own, until the block ends."""
    stop, busy = threading.Event(), threading.Event()

    def render() -> None:
        with Client.connect(tcp_port) as client:
            scene = client.new_scene("Busy", duration_s=4.0)
            client.add_text(scene, "rain on a tin roof")
            seed = 0
            while not stop.is_set():
                seed += 1
                client.set(scene, "s1", seed=seed)
                call = client.start(Render(scene, "independent", "final"))
                try:
                    call.result(_WAIT_S, lambda _progress: busy.set())
                except Cancelled:
                    return

    thread = threading.Thread(target=render)
    thread.start()
    if not busy.wait(_WAIT_S):
        raise RuntimeError("no render began")
    try:
        yield
    finally:
        stop.set()
        thread.join()


class _Answers(threading.Thread):
    """Counts answers as they come; parses nothing that it need not."""

    def __init__(self, sock: socket.socket, wanted: int) -> None:
        super().__init__(daemon=True)
        self._sock = sock
        self._wanted = wanted
        self.done: list[int] = []
        self.failed: list[bytes] = []
        self.last_s = 0.0

    def run(self) -> None:
        framing = SlipFraming()
        while len(self.done) + len(self.failed) < self._wanted:
            data = self._sock.recv(1 << 18)
            if not data:
                return
            for frame in framing.feed(data):
                if isinstance(frame, bytes):
                    self._count(frame)
            self.last_s = time.perf_counter()

    def _count(self, frame: bytes) -> None:
        """``/wildtrack/done`` is 16 bytes, then the type tags, padded, then the id."""
        if not frame.startswith(_DONE):
            self.failed.append(frame)
            return
        end = frame.index(b"\0", len(_DONE))
        (request_id,) = struct.unpack_from(">q", frame, end + 4 - end % 4)
        self.done.append(request_id)


def measure_settings(session: Path, seconds: float, rate_hz: int) -> Settings:
    """Send settings at a steady pace, kill the engine after the last answer, look what is left."""
    with running_engine(session, ROOT / "presets" / "packs" / "starter") as engine:
        with Client.connect(engine.tcp_port) as client:
            scene = client.new_scene("Faders")
            sources = [client.add_text(scene, f"sound {number}") for number in range(FADERS)]
        values = _values(round(seconds * rate_hz))
        frames = _frames(scene, sources, values)
        with _connected(engine.tcp_port) as sock:
            answers = _Answers(sock, len(frames))
            answers.start()
            begin_s, end_s = _send(sock, frames, rate_hz)
            answers.join(_WAIT_S)
        engine.process.kill()
        engine.process.wait()
    left = _gains(session, scene)
    last = dict(zip(_turns(sources, values), values, strict=True))
    took_s = max(answers.last_s, end_s) - begin_s
    return Settings(
        seconds=seconds,
        sent=len(frames),
        answered=len(answers.done),
        failed=len(answers.failed),
        rate_hz=round(len(answers.done) / took_s, 1),
        last_answer_s=round(answers.last_s - end_s, 3),
        lost=len(set(range(1, len(frames) + 1)) - set(answers.done)),
        last_value_in_journal=left == last,
    )


def _values(count: int) -> list[float]:
    """Gains in dB that are exact in OSC's doubles, no two of them alike next to each other."""
    return [-60.0 + (number * 7 % 4608) / 64 for number in range(count)]


def _turns(sources: list[str], values: list[float]) -> list[str]:
    return [sources[number % len(sources)] for number in range(len(values))]


def _frames(scene: str, sources: list[str], values: list[float]) -> list[bytes]:
    """Every request as it stands on the wire, made before the clock starts."""
    turns = enumerate(zip(_turns(sources, values), values, strict=True), start=1)
    return [
        SlipFraming().frame(encode_request(number, SetSource(scene, source, "gain_db", value)))
        for number, (source, value) in turns
    ]


def _send(sock: socket.socket, frames: list[bytes], rate_hz: int) -> tuple[float, float]:
    """Send in bursts that keep the pace; return when it began and ended."""
    burst = max(1, rate_hz // BURSTS_A_SECOND)
    begin_s = time.perf_counter()
    for first in range(0, len(frames), burst):
        ahead_s = begin_s + first / rate_hz - time.perf_counter()
        if ahead_s > 0:
            time.sleep(ahead_s)
        sock.sendall(b"".join(frames[first : first + burst]))
    return begin_s, time.perf_counter()


def _gains(session: Path, scene: str) -> dict[str, float]:
    """What the killed engine's session holds, read as an engine that starts would."""
    from engine.scene.book import SceneBook

    return {
        source.id: source.gain_db for source in SceneBook(session / "scenes").get(scene).sources
    }


def main() -> int:
    """Measure, print, and say by the exit code whether it was good enough."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pings", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pack = ROOT / "presets" / "packs" / "starter"
        with running_engine(Path(folder) / "pings", pack) as engine:
            pings = list(measure_pings(engine, given.pings))
        settings = measure_settings(Path(folder) / "settings", given.seconds, given.rate)
    is_good = (
        settings.lost == settings.failed == 0
        and settings.last_value_in_journal
        and settings.rate_hz >= RATE_TOLERANCE * given.rate
    )
    print(json.dumps(_report(pings, settings, is_good), indent=1))
    return 0 if is_good else 1


def _report(pings: list[Pings], settings: Settings, is_good: bool) -> dict[str, Any]:
    p99 = {(p.transport, p.while_rendering): p.p99_ms for p in pings}
    return {
        "pings": [asdict(p) for p in pings],
        "p99_ratio": {
            name: round(p99[name, True] / p99[name, False], 2) for name in ("udp", "tcp")
        },
        "settings": asdict(settings),
        "ok": is_good,
    }


if __name__ == "__main__":
    sys.exit(main())
