"""One thread for what need not be done at once; it sleeps until it is woken or something is due."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

log = logging.getLogger(__name__)

Task = Callable[[], float | None]
"""Does what is due; returns in how many seconds something is due again, None = when woken."""


class Background:
    """Runs its tasks, in their order, whenever one of them is due."""

    def __init__(self, name: str, tasks: Sequence[Task]) -> None:
        self._tasks = tuple(tasks)
        self._woken = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to wait."""
        self._thread.start()

    def wake(self) -> None:
        """Run the tasks soon; from any thread."""
        if not self._woken.is_set():
            self._woken.set()

    def close(self) -> None:
        """Run the tasks a last time and stop; from any thread, also its own."""
        self._closing = True
        self._woken.set()
        if self._thread.ident is not None and threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        while True:
            is_last = self._closing
            self._woken.clear()
            due_s = [due for due in map(_done, self._tasks) if due is not None]
            if is_last:
                return
            self._woken.wait(min(due_s, default=None))


def _done(task: Task) -> float | None:
    try:
        return task()
    except Exception:
        log.exception("A task in the background failed; the others go on.")
        return None
