"""An engine process of ours: how it is started, what it says, and that it is always ended.

It is ended by SIGTERM, then SIGKILL, also after an error. Should this process be killed, its end
of the child's standard input closes, which ends the child.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

from osc_bridge.errors import (
    EngineError,
    EngineUnreachable,
    InputError,
    ModelError,
    SceneError,
    WildtrackError,
)

QUIT_S: Final = 5.0
TERMINATE_S: Final = 5.0
LAST_LINES: Final = 20
_LINE_MAX_BYTES: Final = 8192
_DRAIN_S: Final = 2.0
_ROOT: Final = Path(__file__).resolve().parent.parent

Said = dict[str, Any]


def engine_command(options: Sequence[str]) -> list[str]:
    """The command line of an engine that ends with its parent."""
    return [sys.executable, "-P", "-m", "engine", "--until-stdin-closes", *options]


class Child:
    """A running engine; ``on_error_line`` gets each line of its standard error, on a thread."""

    def __init__(
        self, command: Sequence[str], on_error_line: Callable[[str], None] | None = None
    ) -> None:
        self.process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
            start_new_session=True,
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._said: queue.SimpleQueue[Said | None] = queue.SimpleQueue()
        self._pumps = (
            _started(self._hear, self.process.stdout),
            _started(self._complain, self.process.stderr, on_error_line),
        )

    def said(self, timeout_s: float) -> Said | None:
        """The next line of JSON; None when there will be no more, for it has ended.

        Raises:
            queue.Empty: it said nothing in this time.
        """
        said = self._said.get(timeout=max(timeout_s, 0.0))
        if said is None:
            self._said.put(None)
        return said

    def said_key(self, key: str, within_s: float) -> Said:
        """The first line of JSON in which ``key`` is true.

        Raises:
            WildtrackError: it ended before; its last words, as the class of its exit code.
            EngineUnreachable: it says no such thing in this time.
        """
        deadline_s = time.monotonic() + within_s
        while True:
            try:
                said = self.said(deadline_s - time.monotonic())
            except queue.Empty:
                raise EngineUnreachable(
                    f"the engine did not say {key!r} within {within_s:g} s; run `wildtrack doctor`"
                ) from None
            if said is None:
                raise self.error()
            if said.get(key):
                return said

    def error(self) -> WildtrackError:
        """Its last words, as an error with its exit code; it must have ended or be ending."""
        if not self.ended(TERMINATE_S):
            self.process.kill()
        self._drain()
        code = self.process.wait()
        sentence = self.last_lines[-1] if self.last_lines else f"{ending(code)} and said nothing"
        classes: dict[int, type[WildtrackError]] = {
            error.exit_code: error for error in (InputError, SceneError, ModelError, EngineError)
        }
        return classes.get(code, EngineUnreachable)(sentence)

    def kill(self) -> None:
        """End it now, whatever it does."""
        self.process.kill()
        self.process.wait()
        self._drain()

    def end(self, asked: bool) -> None:
        """Wait for the end that was ``asked`` for; if it does not come, bring it about."""
        try:
            if asked and self.ended(QUIT_S):
                return
            self.process.terminate()
            if not self.ended(TERMINATE_S):
                self.process.kill()
        finally:
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait()
            self._drain()
            for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
                if pipe is not None:
                    pipe.close()

    def ended(self, within_s: float) -> bool:
        """Whether it ends in this time."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(within_s)
        return self.process.poll() is not None

    def _drain(self) -> None:
        """Wait for what it has said last; a grandchild may hold the pipes open."""
        for pump in self._pumps:
            pump.join(_DRAIN_S)

    def _hear(self, stdout: IO[bytes]) -> None:
        for line in _lines(stdout):
            with suppress(ValueError, RecursionError):
                said = json.loads(line)
                if isinstance(said, dict):
                    self._said.put(said)
        self._said.put(None)

    def _complain(self, stderr: IO[bytes], on_line: Callable[[str], None] | None) -> None:
        for line in _lines(stderr):
            if line.strip():
                self.last_lines.append(line)
            if on_line is not None:
                on_line(line)


def ending(exit_code: int) -> str:
    """What an exit code says, for people.

    >>> ending(5), ending(-9)
    ('it ended with exit code 5', 'it was ended by SIGKILL')
    """
    if exit_code >= 0:
        return f"it ended with exit code {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    return f"it was ended by {name}"


def _lines(pipe: IO[bytes]) -> Iterator[str]:
    """Each line without its end, a long one in parts; reads on so that the child never blocks."""
    with suppress(OSError, ValueError):
        while line := pipe.readline(_LINE_MAX_BYTES):
            yield line.decode(errors="replace").rstrip("\r\n")


def _started(target: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments, name="engine's words", daemon=True)
    thread.start()
    return thread


def _environment() -> dict[str, str]:
    """Our own packages first and never the current folder: it may hold an ``engine/``."""
    inherited = os.environ.get("PYTHONPATH", "")
    paths = [str(_ROOT), *filter(None, inherited.split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
