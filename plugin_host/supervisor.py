"""``wildtrack up``: an engine that is started again when it dies or hangs.

Its ports stay the same, so that clients find it again where it was, unless another program takes
them meanwhile. The wait before a start grows
with each one in a row, and is short again after a while of health.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from osc_bridge.discovery import find_engine
from osc_bridge.errors import SessionNotWritable
from plugin_host.child import Child, Said, engine_command
from plugin_host.engine_log import EngineLog
from plugin_host.interrupts import terminated_like_interrupted
from plugin_host.restarts import Restart, note_restart
from plugin_host.vigil import End, Patience, Vigil

PORT_OPTIONS: Final = {
    "udp_port": "--port",
    "tcp_port": "--tcp-port",
    "http_port": "--http-port",
}
"""The engine's option for each port of its first line."""
USAGE: Final = 2
_LASTING: Final = range(USAGE, 6)
"""Exit codes of what another start would not change: usage, input, scene, model."""
_QUIT_S: Final = 2.0


@dataclass(frozen=True)
class Backoff:
    """When an engine that has ended is started again, in seconds; and when no more."""

    first_s: float = 0.5
    longest_s: float = 30.0
    healthy_s: float = 60.0
    """After serving so long the wait is the first one again."""
    failures_max: int = 5
    """Starts in a row that never served..."""
    failures_s: float = 300.0
    """... within this time: then it is given up."""
    ports_kept: int = 3
    """After so many of them in a row it may have other ports: another program may have taken
    them."""


@dataclass(frozen=True)
class Voice:
    """Where the supervisor speaks: objects for programs, sentences for people."""

    report: Callable[[dict[str, Any]], None]
    tell: Callable[[str], None]


@dataclass
class Supervisor:
    """Runs the engine of one session until that, or this process, is asked to end.

    ``options`` are those of ``wildtrack engine``, with its session.
    """

    session: Path
    options: Sequence[str]
    voice: Voice
    patience: Patience = field(default_factory=Patience)
    backoff: Backoff = field(default_factory=Backoff)
    restarts: int = 0

    def __post_init__(self) -> None:
        """Begin with the first wait."""
        self._ports: list[str] = []
        self._wait_s = self.backoff.first_s
        self._failed_s: deque[float] = deque(maxlen=self.backoff.failures_max)
        self._reason = ""

    def run(self) -> None:
        """Return when the engine was asked to end, or this process by a signal.

        Raises:
            SessionNotWritable: an engine serves the session already, or there can be no log.
            WildtrackError, click.UsageError: what the engine said, with its exit code, when
                another start would not help.
        """
        _refuse_second(self.session)
        with (
            EngineLog(self.session) as log,
            suppress(KeyboardInterrupt),
            terminated_like_interrupted(),
        ):
            while (end := self._live(log)).exit_code != 0:
                self._refuse_lasting(end)
                self._note(end, log)
                self._give_up_in_time(end)
                self._pause(end, log)

    def _live(self, log: EngineLog) -> End:
        """Start an engine and stay with it to its end."""
        child = Child(engine_command([*self.options, *self._ports]), log.line)
        vigil = Vigil(child, self.patience)
        asked = False
        try:
            log.line(f"wildtrack up: started process {child.process.pid}")
            return vigil.keep(self._serving)
        except KeyboardInterrupt:
            log.line("wildtrack up: asked to end")
            asked = vigil.ask_to_quit(_QUIT_S)
            raise
        finally:
            child.end(asked)

    def _serving(self, said: Said) -> None:
        """Keep the ports for the next start, and say where it serves."""
        self._ports = [
            word
            for key, option in PORT_OPTIONS.items()
            if said.get(key)
            for word in (option, str(said[key]))
        ]
        known = {key: value for key, value in said.items() if key not in ("serving", "ready")}
        self.voice.tell(f"the engine serves {self.session} (process {said.get('pid', '?')})")
        self.voice.report({"up": True, "restarts": self.restarts, "reason": self._reason} | known)

    def _refuse_lasting(self, end: End) -> None:
        """Raise what the engine said at its first start if it would say the same again."""
        if end.exit_code in _LASTING and not end.was_ready and not self.restarts:
            if end.exit_code == USAGE:
                raise click.UsageError(str(end.error))
            raise end.error

    def _note(self, end: End, log: EngineLog) -> None:
        """Say and write down why the engine is gone."""
        self._reason = end.reason
        sentence = f"{end.reason}, after {end.lived_s:.1f} s"
        log.line(f"wildtrack up: {sentence}")
        self.voice.tell(f"the engine is gone: {sentence}")
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        restart = Restart(now, end.reason, end.exit_code, round(end.lived_s, 3), end.last_lines)
        try:
            note_restart(self.session, restart)
        except SessionNotWritable as error:
            self.voice.tell(str(error))

    def _give_up_in_time(self, end: End) -> None:
        """Raise what the engine said if too many starts in a row never served."""
        if end.served_s:
            self._failed_s.clear()
            return
        self._failed_s.append(time.monotonic())
        if len(self._failed_s) >= self.backoff.ports_kept:
            self._ports = []
        in_time = self._failed_s[-1] - self._failed_s[0] <= self.backoff.failures_s
        if len(self._failed_s) == self.backoff.failures_max and in_time:
            self.voice.tell(f"given up after {len(self._failed_s)} starts; see wildtrack doctor")
            raise end.error

    def _pause(self, end: End, log: EngineLog) -> None:
        """Wait before the next start, longer each time in a row."""
        if end.served_s >= self.backoff.healthy_s:
            self._wait_s = self.backoff.first_s
        self.restarts += 1
        log.line(f"wildtrack up: starting it again in {self._wait_s:g} s")
        threading.Event().wait(self._wait_s)
        self._wait_s = min(2 * self._wait_s, self.backoff.longest_s)


def _refuse_second(session: Path) -> None:
    engine = find_engine(session)
    if engine is not None:
        raise SessionNotWritable(
            f"The session folder {session} is served by the engine with process id {engine.pid} "
            f"(udp port {engine.udp_port}, tcp port {engine.tcp_port}); use that engine, or end "
            "it before wildtrack up."
        )
