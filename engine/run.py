"""The life of an engine process: lock, ports, pack, warm-up, ready, serve, end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from types import FrameType
from typing import TypeVar

from engine.config import EngineConfig
from engine.lock import SessionLock
from engine.memory import resident_bytes
from engine.server import listening, serving

T = TypeVar("T")

_STDIN = 0
_WAKE_S = 0.5
"""How often a waiting main thread looks up, for systems where a signal does not wake it."""


@dataclass(frozen=True)
class Ready:
    """What an engine says once, on one line of JSON, when it can be used."""

    session: str
    pid: int
    udp_port: int
    tcp_port: int
    pack: str
    device: str
    load_s: float
    warm_up_s: float
    memory_bytes: int


def run_engine(
    config: EngineConfig, ready: Callable[[Ready], None], *, until_stdin_closes: bool = False
) -> None:
    """Serve the session until a client says quit or the process gets SIGINT, SIGTERM or SIGHUP.

    With ``until_stdin_closes`` the end of standard input ends it too, so that an engine which was
    started with a pipe never outlives its parent, however that one ends.

    The lock and the ports are taken before the pack is loaded, so what is in the way is said at
    once. Raises SessionNotWritable, PortInUse and what ``load_pack`` raises.
    """
    stop = threading.Event()
    if until_stdin_closes:
        stop_at_end_of(_STDIN, stop)
    with (
        stopped_by_signals(stop),
        SessionLock(config.session),
        listening(config.udp_port, config.tcp_port) as listeners,
    ):
        begin_s = time.perf_counter()
        from engine.models.loading import load_pack  # noqa: PLC0415
        from engine.service import EngineService  # noqa: PLC0415

        pack = _in_a_thread_of_its_own(lambda: load_pack(config.pack, config.device))
        load_s = time.perf_counter() - begin_s
        if stop.is_set():
            return
        service = EngineService(config, pack)
        warm_up_s = _in_a_thread_of_its_own(service.warm_up)
        with serving(service, listeners, stop) as server:
            ready(
                Ready(
                    session=str(config.session),
                    pid=os.getpid(),
                    udp_port=server.port("udp"),
                    tcp_port=server.port("tcp"),
                    pack=pack.manifest.name,
                    device=config.device,
                    load_s=round(load_s, 3),
                    warm_up_s=round(warm_up_s, 3),
                    memory_bytes=resident_bytes(),
                )
            )
            while not stop.wait(_WAKE_S):
                pass


def _in_a_thread_of_its_own(work: Callable[[], T]) -> T:
    """Return what ``work`` returns, leaving no OpenMP threads of torch behind.

    Each thread that computes keeps a team of its own; with the main thread's team idle beside it,
    the worker's renders took twice as long (0.9 s for 0.4 s, measured on 2 cores).
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(work).result()


def say_ready(ready: Ready) -> None:
    """Write the ready line to standard output; a reader that is gone is no error."""
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps({"ready": True, **asdict(ready)}) + "\n")
        sys.stdout.flush()


def stop_at_end_of(descriptor: int, stop: threading.Event) -> None:
    """Set ``stop`` when nobody can write into the pipe any more; returns at once.

    Reads the bare descriptor: a daemon thread inside a buffered reader breaks Python's own end.
    """

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(descriptor, 4096):
                pass
        stop.set()

    threading.Thread(target=watch, name="end of input", daemon=True).start()


@contextlib.contextmanager
def stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """Let SIGINT, SIGTERM and SIGHUP end the engine in order, when this is the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in _signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _signals() -> list[signal.Signals]:
    """SIGHUP only where the system has it and nobody (``nohup``) has asked to ignore it."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    return numbers
