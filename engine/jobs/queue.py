"""One worker thread for one device, fed by a bounded priority queue.

A second thread tells those who wait that they wait, so that silence means trouble.
"""

from __future__ import annotations

import heapq
import logging
import threading
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from engine.jobs.job import Job, Progress, Reporter
from osc_bridge.errors import Cancelled, EngineUnreachable, QueueFull

MAX_WAITING = 64
WAITING_REPORT_S = 2.0
"""Seconds between two reports to a job that waits."""

_log = logging.getLogger(__name__)


@dataclass(order=True)
class _Ticket:
    priority: int
    number: int
    job: Job[Any] = field(compare=False)
    cancelled: threading.Event = field(compare=False, default_factory=threading.Event)
    telling: threading.Lock = field(compare=False, default_factory=threading.Lock)
    has_left: bool = field(compare=False, default=False)

    def tell_place(self, ahead: int) -> None:
        """Report that the job waits, unless it has left the queue meanwhile."""
        with self.telling:
            if not self.has_left:
                _call(self.job.report, _waits_for(ahead))

    def leave(self) -> None:
        """After this the job is not told any more that it waits."""
        with self.telling:
            self.has_left = True


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
        self._teller = threading.Thread(target=self._tell, name=f"{name}-waiting", daemon=True)
        self._silence_over = threading.Event()

    def start(self) -> None:
        """Start the worker thread."""
        self._thread.start()
        self._teller.start()

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
            self._silence_over.set()
            waiting, self._waiting = self._waiting, []
            if self._running is not None:
                self._running.cancelled.set()
            self._changed.notify_all()
        for ticket in waiting:
            _end_cancelled(ticket)
        for thread in (self._thread, self._teller):
            if thread.is_alive() and thread is not threading.current_thread():
                thread.join()

    def _find(self, key: Hashable) -> _Ticket | None:
        running = [self._running] if self._running is not None else []
        return next((t for t in (*running, *self._waiting) if t.job.key == key), None)

    def _run(self) -> None:
        while (ticket := self._next()) is not None:
            _run_one(ticket)
            with self._changed:
                self._running = None
                self._changed.notify_all()

    def _tell(self) -> None:
        while not self._silence_over.wait(WAITING_REPORT_S):
            with self._changed:
                waiting = sorted(self._waiting)
                ahead = int(self._running is not None)
            for place, ticket in enumerate(waiting, start=ahead):
                ticket.tell_place(place)

    def _next(self) -> _Ticket | None:
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting) or self._closed)
            if self._closed:
                return None
            self._running = heapq.heappop(self._waiting)
            return self._running


def _run_one(ticket: _Ticket) -> None:
    """Run a job to its end; whatever it raises goes to its ``failed``."""
    ticket.leave()
    job = ticket.job
    reporter = Reporter(job.report, ticket.cancelled)
    try:
        reporter.check()
        result = job.work(reporter)
    except BaseException as error:
        _call(job.failed, error)
    else:
        _call(job.done, result)


def _waits_for(ahead: int) -> Progress:
    jobs = "1 other job" if ahead == 1 else f"{ahead} other jobs"
    return Progress(0.0, 0, 1, f"Waiting for {jobs}.")


def _end_cancelled(ticket: _Ticket) -> None:
    ticket.leave()
    error = Cancelled("The job was cancelled before it began; nothing was written.")
    _call(ticket.job.failed, error)


def _call(tell: Any, value: Any) -> None:
    """Tell the caller; a caller that is gone must not stop the worker."""
    try:
        tell(value)
    except Exception:
        _log.exception("A caller could not be told of its job")
