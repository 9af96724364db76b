"""One worker thread for one device, fed by a bounded priority queue."""

from __future__ import annotations

import heapq
import logging
import threading
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from engine.jobs.job import Job, Reporter
from osc_bridge.errors import Cancelled, EngineUnreachable, QueueFull

MAX_WAITING = 64

_log = logging.getLogger(__name__)


@dataclass(order=True)
class _Ticket:
    priority: int
    number: int
    job: Job[Any] = field(compare=False)
    cancelled: threading.Event = field(compare=False, default_factory=threading.Event)


class JobQueue:
    """Runs one job at a time: previews before finals, each within its priority in order."""

    def __init__(self, name: str, limit: int = MAX_WAITING) -> None:
        self._limit = limit
        self._waiting: list[_Ticket] = []
        self._running: _Ticket | None = None
        self._numbers = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the worker thread."""
        self._thread.start()

    def submit(self, job: Job[Any]) -> None:
        """Queue a job; raise QueueFull when there is no room."""
        with self._changed:
            if self._closed:
                raise EngineUnreachable("The engine is closing and takes no more work; restart it.")
            if len(self._waiting) >= self._limit:
                raise QueueFull(
                    f"{len(self._waiting)} jobs are waiting; the allowed range is 0 to "
                    f"{self._limit} jobs: wait for one to end or cancel one."
                )
            self._numbers += 1
            heapq.heappush(self._waiting, _Ticket(int(job.priority), self._numbers, job))
            self._changed.notify_all()

    def cancel(self, key: Hashable) -> bool:
        """Cancel the waiting or running job of that key; False when there is none.

        A waiting job ends at once on the caller's thread, a running one at its next step.
        """
        with self._changed:
            ticket = self._find(key)
            if ticket is None:
                return False
            ticket.cancelled.set()
            waiting = ticket in self._waiting
            if waiting:
                self._waiting.remove(ticket)
                heapq.heapify(self._waiting)
                self._changed.notify_all()
        if waiting:
            _end_cancelled(ticket)
        return True

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        with self._changed:
            return len(self._waiting)

    @property
    def running(self) -> int:
        """How many jobs run: 0 or 1."""
        with self._changed:
            return int(self._running is not None)

    def close(self) -> None:
        """Cancel everything and wait for the worker to end; done twice it does nothing."""
        with self._changed:
            self._closed = True
            waiting, self._waiting = self._waiting, []
            if self._running is not None:
                self._running.cancelled.set()
            self._changed.notify_all()
        for ticket in waiting:
            _end_cancelled(ticket)
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def _find(self, key: Hashable) -> _Ticket | None:
        running = [self._running] if self._running is not None else []
        return next((t for t in (*running, *self._waiting) if t.job.key == key), None)

    def _run(self) -> None:
        while (ticket := self._next()) is not None:
            _run_one(ticket)
            with self._changed:
                self._running = None
                self._changed.notify_all()

    def _next(self) -> _Ticket | None:
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting) or self._closed)
            if self._closed:
                return None
            self._running = heapq.heappop(self._waiting)
            return self._running


def _run_one(ticket: _Ticket) -> None:
    """Run a job to its end; whatever it raises goes to its ``failed``."""
    job = ticket.job
    reporter = Reporter(job.report, ticket.cancelled)
    try:
        reporter.check()
        result = job.work(reporter)
    except BaseException as error:
        _call(job.failed, error)
    else:
        _call(job.done, result)


def _end_cancelled(ticket: _Ticket) -> None:
    error = Cancelled("The job was cancelled before it began; nothing was written.")
    _call(ticket.job.failed, error)


def _call(end: Any, value: Any) -> None:
    """Tell the caller; a caller that is gone must not stop the worker."""
    try:
        end(value)
    except Exception:
        _log.exception("A job's end could not be told")
