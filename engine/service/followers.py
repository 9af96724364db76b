"""Who waits for a render that a crash of the engine cut off and that goes on now.

At first nobody does. A client that comes back and repeats its request follows the render from then
on, and is told at once when it has ended already.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable

from engine.jobs.job import Caller, JobTitle, Progress
from engine.jobs.record_file import JobRecord
from engine.jobs.records import Outcome
from engine.service.asking import Asking, TakeMade
from osc_bridge.errors import WildtrackError


class Followers:
    """``outcome`` tells how a render ended, None while it goes on; ``made`` where its take is."""

    def __init__(
        self, outcome: Callable[[str], Outcome | None], made: Callable[[str], TakeMade]
    ) -> None:
        self._outcome = outcome
        self._made = made
        self._of: dict[str, list[Caller[TakeMade]]] = {}
        self._lock = threading.Lock()

    def asking(self, record: JobRecord) -> Asking[TakeMade]:
        """Return the asking of a resumed render: everybody who follows it."""

        def report(progress: Progress) -> None:
            for caller in self._following(record.id):
                caller.report(progress)

        def done(_made: TakeMade) -> None:
            self._tell_end(record.id)

        def failed(_error: WildtrackError) -> None:
            self._tell_end(record.id)

        title = JobTitle(record.address, record.scene.id, "", record.client, record.request_id)
        return Asking(Caller(record.id, report, done, failed), title, record.arguments)

    def follow(self, record_id: str, caller: Caller[TakeMade]) -> None:
        """Tell this caller, too, how the render goes and ends."""
        with self._lock:
            self._of.setdefault(record_id, []).append(caller)
        self._tell_end(record_id)

    def followed_by(self, key: Hashable) -> str | None:
        """Return the render that the caller of that key follows, or None."""
        with self._lock:
            found = (r for r, callers in self._of.items() if any(c.key == key for c in callers))
            return next(found, None)

    def _following(self, record_id: str) -> list[Caller[TakeMade]]:
        with self._lock:
            return list(self._of.get(record_id, ()))

    def _tell_end(self, record_id: str) -> None:
        """Tell those who follow, once the render has ended."""
        outcome = self._outcome(record_id)
        if outcome is None:
            return
        with self._lock:
            callers = self._of.pop(record_id, [])
        for caller in callers:
            if outcome.error is not None:
                caller.failed(outcome.error)
            else:
                caller.done(self._made(outcome.take))
