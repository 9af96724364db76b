"""An engine for one call: the one that already serves the session, or a child of ours.

A child is always ended: by ``quit``, then SIGTERM, then SIGKILL, also after Ctrl-C or an error.
Should this process be killed, its end of the child's standard input closes, which ends the child.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Final

from osc_bridge.client import Client
from osc_bridge.discovery import find_engine
from osc_bridge.errors import (
    EngineError,
    EngineUnreachable,
    InputError,
    ModelError,
    SceneError,
    WildtrackError,
)

START_S: Final = 180.0
"""A cold disk may need a minute to load torch and a large pack."""
QUIT_S: Final = 5.0
TERMINATE_S: Final = 5.0
_ROOT: Final = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Launch:
    """How to start an engine; empty fields are left to its own defaults."""

    session: Path
    pack: str = ""
    device: str = ""

    def command(self) -> list[str]:
        command = [sys.executable, "-P", "-m", "engine", "--until-stdin-closes"]
        command += ["--session", str(self.session)]
        command += ["--pack", self.pack] if self.pack else []
        return command + (["--device", self.device] if self.device else [])


@dataclass(frozen=True)
class Engine:
    """A connected engine; ``started_s`` is 0 for one that was already there."""

    client: Client
    started_s: float


@contextmanager
def engine_for(launch: Launch, name: str = "wildtrack") -> Iterator[Engine]:
    """The session's running engine, or a new one that ends with the block.

    Raises what the engine said when it cannot start, EngineUnreachable when it says nothing.
    """
    address = find_engine(launch.session)
    if address is not None:
        with address.connect(name) as client:
            yield Engine(client, 0.0)
        return
    begin_s = time.perf_counter()
    with (
        _terminated_like_interrupted(),
        _child(launch) as port,
        Client.connect(port, name=name) as client,
    ):
        yield Engine(client, time.perf_counter() - begin_s)
        with suppress(WildtrackError):
            client.quit()


@contextmanager
def _child(launch: Launch) -> Iterator[int]:
    """Start the process, yield its TCP port when ready, and see it dead at the end."""
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            launch.command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=_environment(),
            start_new_session=True,
        )
        asked = False
        try:
            yield _wait_ready(process, complaints)
            asked = True
        finally:
            _end(process, asked)


def _environment() -> dict[str, str]:
    """Our own packages first and never the current folder: it may hold an ``engine/``."""
    inherited = os.environ.get("PYTHONPATH", "")
    paths = [str(_ROOT), *filter(None, inherited.split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _wait_ready(process: subprocess.Popen[bytes], complaints: IO[bytes]) -> int:
    """The TCP port from the engine's one line of JSON."""
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    assert process.stdout is not None
    stdout = process.stdout
    threading.Thread(target=lambda: _pump(stdout, lines), daemon=True).start()
    deadline_s = time.monotonic() + START_S
    while True:
        try:
            line = lines.get(timeout=max(deadline_s - time.monotonic(), 0.0))
        except queue.Empty:
            raise EngineUnreachable(
                f"the engine was not ready within {START_S:g} s; run `wildtrack doctor`"
            ) from None
        if not line:
            raise _start_error(process, complaints)
        port = _port(line)
        if port:
            return port


def _pump(stdout: IO[bytes], lines: queue.SimpleQueue[bytes]) -> None:
    """Hand on each line, then an empty one: reads on so that the engine never blocks."""
    with suppress(OSError, ValueError):
        for line in stdout:
            lines.put(line)
    lines.put(b"")


def _port(line: bytes) -> int:
    try:
        ready = json.loads(line)
    except ValueError:
        return 0
    port = ready.get("tcp_port", 0) if isinstance(ready, dict) else 0
    return port if isinstance(port, int) else 0


def _start_error(process: subprocess.Popen[bytes], complaints: IO[bytes]) -> WildtrackError:
    """The engine's last words, as an error with its exit code."""
    code = process.wait(timeout=TERMINATE_S)
    complaints.seek(0)
    lines = complaints.read().decode(errors="replace").strip().splitlines()
    sentence = lines[-1] if lines else f"the engine ended with exit code {code} and said nothing"
    classes: dict[int, type[WildtrackError]] = {
        error.exit_code: error for error in (InputError, SceneError, ModelError, EngineError)
    }
    return classes.get(code, EngineUnreachable)(sentence)


def _end(process: subprocess.Popen[bytes], asked: bool) -> None:
    """Wait for the end that was asked for; otherwise, or when it does not come, bring it about."""
    try:
        if asked and _ended(process, QUIT_S):
            return
        process.terminate()
        if not _ended(process, TERMINATE_S):
            process.kill()
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _ended(process: subprocess.Popen[bytes], within_s: float) -> bool:
    with suppress(subprocess.TimeoutExpired):
        process.wait(within_s)
    return process.poll() is not None


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does, so that no child and no file is left."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, on_signal) for number in _ending_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ending_signals() -> list[signal.Signals]:
    """SIGHUP only where the system has it and nobody (``nohup``) has asked to ignore it."""
    if sys.platform == "win32" or signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return [signal.SIGTERM]
    return [signal.SIGTERM, signal.SIGHUP]
