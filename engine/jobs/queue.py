"""One worker thread for one device, fed by a bounded priority queue.

A second thread repeats to every job in the queue how far it is, so that silence means trouble; it
sleeps while there are none. The queue keeps nothing of a job that has ended.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Hashable
from typing import Any

from engine.jobs.job import Job, JobNews, Priority
from engine.jobs.ticket import Ticket
from osc_bridge.errors import Cancelled, EngineUnreachable, QueueFull

MAX_WAITING = 64
REPEAT_S = 0.2
"""Seconds between two reports to a job that waits, or that runs and takes no step."""

_log = logging.getLogger(__name__)


def tell_nobody(_news: JobNews) -> None:
    """Ignore the news of a job."""


class JobQueue:
    """Runs one job at a time: the lowest priority number first, equals in the order they came.

    ``told`` hears of each state of each job, and of its fraction at most four times a second; it
    must not wait, nor call the queue.
    """

    def __init__(
        self,
        name: str,
        limit: int = MAX_WAITING,
        told: Callable[[JobNews], None] = tell_nobody,
    ) -> None:
        self._limit = limit
        self._told = told
        self._waiting: list[Ticket] = []
        self._running: Ticket | None = None
        self._numbers = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._teller = threading.Thread(target=self._tell, name=f"{name}-telling", daemon=True)
        self._over = threading.Event()

    def start(self) -> None:
        """Start the worker thread."""
        self._thread.start()
        self._teller.start()

    def submit(self, job: Job[Any]) -> None:
        """Queue a job; raise QueueFull when there is no room."""
        ticket = Ticket(job, 0, self._told)
        with ticket.speaking:  # nothing is said of it before its first word, that it waits
            with self._changed:
                replaced = self._enter(ticket)
                ahead = self._ahead(ticket)
            ticket.waits(ahead)
        for old in replaced:
            old.fail(
                Cancelled("A newer job took the place of this one before it began."), "replaced"
            )

    def _enter(self, ticket: Ticket) -> list[Ticket]:
        """Put it in line; return those that it replaces."""
        if self._closed:
            raise EngineUnreachable("The engine is closing and takes no more work; restart it.")
        same = ticket.job.replaces
        replaced = [t for t in self._waiting if same is not None and t.job.replaces == same]
        if len(self._waiting) - len(replaced) >= self._limit:
            raise QueueFull(
                f"{len(self._waiting)} jobs are waiting; the allowed range is 0 to "
                f"{self._limit} jobs: wait for one to end or cancel one."
            )
        self._numbers += 1
        ticket.number = min((t.number for t in replaced), default=self._numbers)
        self._waiting = [t for t in self._waiting if t not in replaced]
        self._waiting.append(ticket)
        self._changed.notify_all()
        return replaced

    def _ahead(self, ticket: Ticket) -> int:
        """How many jobs end before this one begins, as things are now."""
        before = sum(other.place < ticket.place for other in self._waiting)
        return before + int(self._running is not None)

    def cancel(self, key: Hashable) -> bool:
        """Cancel the waiting or running job of that key; False when there is none.

        A waiting job ends at once on the caller's thread, a running one at its next step.
        """
        with self._changed:
            ticket = self._find(key)
            if ticket is None:
                return False
            ticket.cancelled.set()
            waits = ticket in self._waiting
            if waits:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        if waits:
            _end_cancelled(ticket)
        return True

    def prioritise(self, key: Hashable, priority: Priority) -> bool:
        """Give the job of that key another priority; False when there is none.

        Among those of its new priority it keeps the order of asking. One that runs is not stopped.
        """
        with self._changed:
            ticket = self._find(key)
            if ticket is not None:
                ticket.priority = priority
            return ticket is not None

    def rows(self) -> list[JobNews]:
        """Return the jobs as they are now: the running one, then those that wait, next first."""
        with self._changed:
            return [ticket.row() for ticket in self._all()]

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
        self._over.set()
        for ticket in waiting:
            _end_cancelled(ticket)
        for thread in (self._thread, self._teller):
            if thread.is_alive() and thread is not threading.current_thread():
                thread.join()

    def _is_busy(self) -> bool:
        return bool(self._waiting) or self._running is not None

    def _all(self) -> list[Ticket]:
        running = [self._running] if self._running is not None else []
        return [*running, *sorted(self._waiting, key=lambda ticket: ticket.place)]

    def _find(self, key: Hashable) -> Ticket | None:
        return next((ticket for ticket in self._all() if ticket.job.key == key), None)

    def _run(self) -> None:
        goes_on = True
        while goes_on:
            try:
                goes_on = self._run_next()
            except BaseException:
                with contextlib.suppress(BaseException):
                    _log.exception("A defect of the job queue; it goes on")

    def _run_next(self) -> bool:
        """Wait for a job and run it to its end; False when the queue is closed.

        The job is known only in here, so that nothing of it outlives its end.
        """
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting) or self._closed)
            if self._closed:
                return False
            ticket = min(self._waiting, key=lambda waiting: waiting.place)
            self._waiting.remove(ticket)
            self._running = ticket
        ticket.run(self._let_go)
        return True

    def _let_go(self) -> None:
        with self._changed:
            self._running = None
            self._changed.notify_all()

    def _tell(self) -> None:
        while self._has_jobs():
            self._repeat()
            self._over.wait(REPEAT_S)

    def _has_jobs(self) -> bool:
        """Wait until there are jobs; False when the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_busy() or self._closed)
            return not self._closed

    def _repeat(self) -> None:
        with self._changed:
            running = self._running
            tickets = self._all()
        for place, ticket in enumerate(tickets):
            if ticket is running:
                ticket.repeat()
            else:
                ticket.waits(place)


def _end_cancelled(ticket: Ticket) -> None:
    ticket.fail(Cancelled("The job was cancelled before it began; nothing was written."))
