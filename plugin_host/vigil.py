"""Watching over one engine process: until it dies, or does not answer any more."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn, TypeVar

from osc_bridge.client import Client
from osc_bridge.errors import EngineUnreachable, ReplyTimeout, WildtrackError
from osc_bridge.schema import Status
from osc_bridge.transports.base import LOOPBACK
from plugin_host.child import Child, Said, ending

T = TypeVar("T")

_ASK_MIN_S: Final = 0.05


@dataclass(frozen=True)
class Patience:
    """How long is waited for an engine, in seconds."""

    serving_s: float = 60.0
    """From its start to its first line."""
    loading_s: float = 60.0
    """Without an answer while it loads its pack: loading libraries may hold Python up."""
    answer_s: float = 5.0
    """Without an answer from then on."""
    ask_s: float = 1.0
    """From one question to the next."""
    ending_s: float = 60.0
    """From its word that it ends to its end: a step of a render may have to end first."""


@dataclass(frozen=True)
class End:
    """How an engine ended, or why it was killed (then without an exit code)."""

    reason: str
    exit_code: int | None
    error: WildtrackError
    lived_s: float
    served_s: float
    """How long it served; 0 if it never did."""
    was_ready: bool
    last_lines: tuple[str, ...]
    """The end of its standard error."""


class _Gone(Exception):
    """The process has ended."""


class _Ending(Exception):
    """It has been asked to end, and says so: it answers no more."""


class _Hung(Exception):
    """It lives, but is of no use; the argument says why."""


class Vigil:
    """One engine from its start to its end; ``client`` is connected while it serves."""

    def __init__(self, child: Child, patience: Patience) -> None:
        self._child = child
        self._patience = patience
        self._port = 0
        self._client: Client | None = None
        self._began_s = time.monotonic()
        self._served_at_s = 0.0
        self._ready = False

    def keep(self, on_serving: Callable[[Said], None]) -> End:
        """Return when the engine is gone; it is killed if it hangs."""
        try:
            on_serving(self._wait_serving())
            self._watch()
        except _Ending:
            return self._see_off()
        except _Hung as hung:
            self._child.kill()
            return self._end(str(hung), None, EngineUnreachable(f"{hung}; it was ended."))
        except _Gone:
            return self._gone()
        finally:
            self._hang_up()

    def ask_to_quit(self, within_s: float) -> bool:
        """Whether the engine has promised to end."""
        try:
            self._connected(within_s).quit()
        except WildtrackError:
            return False
        finally:
            self._hang_up()
        return True

    def _see_off(self) -> End:
        """Wait for the end that it has promised; one that never comes is brought about."""
        limit_s = self._patience.ending_s
        if self._child.ended(limit_s):
            return self._gone()
        self._child.kill()
        sentence = f"it was asked to end and did not within {limit_s:g} s"
        return self._end(sentence, 0, EngineUnreachable(f"{sentence}; it was ended."))

    def _gone(self) -> End:
        error = self._child.error()
        code = self._child.process.returncode
        return self._end(ending(code), code, error)

    def _end(self, reason: str, code: int | None, error: WildtrackError) -> End:
        now_s = time.monotonic()
        return End(
            reason=reason,
            exit_code=code,
            error=error,
            lived_s=now_s - self._began_s,
            served_s=now_s - self._served_at_s if self._port else 0.0,
            was_ready=self._ready,
            last_lines=tuple(self._child.last_lines),
        )

    def _wait_serving(self) -> Said:
        limit_s = self._patience.serving_s
        deadline_s = time.monotonic() + limit_s
        while True:
            said = self._hear(deadline_s - time.monotonic())
            if said is None:
                raise _Hung(f"it did not serve within {limit_s:g} s")
            if said.get("serving") or said.get("ready"):
                self._port, self._served_at_s = int(said["tcp_port"]), time.monotonic()
                return said

    def _watch(self) -> NoReturn:
        """Ask again and again, until it is gone, ends, or has been silent for too long.

        Only the time counts that was meant to be waited, in parts: that a laptop slept, or that
        we were stopped with it, is no silence of the engine.
        """
        silent_s, pause_s = 0.0, self._patience.ask_s
        while True:
            silent_s += _timed(self._hear, pause_s)[1]
            limit_s = self._patience.answer_s if self._ready else self._patience.loading_s
            part_s = max(min(limit_s / 2, limit_s - silent_s), _ASK_MIN_S)
            answers, took_s = _timed(self._answers, part_s)
            silent_s = 0.0 if answers else silent_s + took_s
            if silent_s >= limit_s:
                raise _Hung(f"it did not answer for {limit_s:g} s")
            pause_s = max(self._patience.ask_s - took_s, 0.0)

    def _hear(self, within_s: float) -> Said | None:
        """The next line; None if none comes in this time."""
        try:
            said = self._child.said(within_s)
        except queue.Empty:
            return None
        if said is None:
            raise _Gone
        if said.get("ending"):
            raise _Ending
        self._ready = self._ready or bool(said.get("ready"))
        return said

    def _answers(self, within_s: float) -> bool:
        """Whether it answers in this time; a refusal is an answer."""
        try:
            self._connected(within_s).call(Status(), within_s)
        except ReplyTimeout:
            return False
        except EngineUnreachable:
            self._hang_up()
            return False
        except WildtrackError:
            return True
        return True

    def _connected(self, within_s: float) -> Client:
        if self._client is None:
            self._client = Client.connect(self._port, LOOPBACK, "tcp", "wildtrack up", within_s)
        return self._client

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def _timed(wait: Callable[[float], T], within_s: float) -> tuple[T, float]:
    """What ``wait`` returns, and how long it took: never longer than it was meant to."""
    began_s = time.monotonic()
    result = wait(within_s)
    return result, min(time.monotonic() - began_s, within_s)
