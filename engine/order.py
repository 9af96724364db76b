"""Additions to one scene happen in the order in which they were asked for, however long each takes.

Whoever adds takes a turn at once, works for as long as it must, and then hands in what remains to
be done: the commit. Commits run one after the other, in the order of the turns, on the thread of
whoever completes the line; nobody waits. So ids and seeds do not depend on timing.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable

Commit = Callable[[], None]
"""Ends an addition and tells its caller how; raises nothing."""


class Turn:
    """A place in the line of one scene."""

    def __init__(
        self, order: AddingOrder, scene_id: str, key: Hashable, waits: Callable[[], None]
    ) -> None:
        self.key = key
        self.waits = waits
        self.commit: Commit | None = None
        self.instead: Commit | None = None
        self._order = order
        self._scene_id = scene_id

    def ready(self, commit: Commit, cancelled: Commit) -> None:
        """Hand in the commit, and what to do instead if it is cancelled before its turn."""
        self._order.hand_in(self._scene_id, self, commit, cancelled)

    def give_up(self) -> None:
        """Leave the line: nothing is added. After `ready` this does nothing."""
        self._order.hand_in(self._scene_id, self, _nothing, _nothing)

    def goes_on(self) -> None:
        """Say that the work is not done yet: those that only wait for it tell their callers."""
        self._order.tell_waiting(self._scene_id, self)


class AddingOrder:
    """The lines of all scenes. Methods may be called from any thread."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[Turn]] = {}
        self._committing: set[str] = set()
        self._lock = threading.Lock()

    def turn(self, scene_id: str, key: Hashable, waits: Callable[[], None]) -> Turn:
        """Take the next place in the line of a scene; ``key`` is what `cancel` knows it by.

        ``waits`` is called as often as the first in line says that it goes on, while this one has
        nothing to do but to wait for its turn.
        """
        turn = Turn(self, scene_id, key, waits)
        with self._lock:
            self._lines.setdefault(scene_id, deque()).append(turn)
        return turn

    def has_line(self, scene_id: str) -> bool:
        """Whether additions to the scene are under way."""
        with self._lock:
            return scene_id in self._lines

    def cancel(self, key: Hashable) -> bool:
        """Do without the commit of that key, if it waits for its turn; False otherwise."""
        with self._lock:
            turns = [turn for line in self._lines.values() for turn in line]
            found = next((t for t in turns if t.key == key and t.instead is not None), None)
            if found is None:
                return False
            instead, found.commit, found.instead = found.instead, _nothing, None
        if instead is not None:
            instead()
        return True

    def tell_waiting(self, scene_id: str, turn: Turn) -> None:
        """Call ``waits`` of each turn that is ready and waits, if ``turn`` is first in line."""
        with self._lock:
            line = self._lines.get(scene_id)
            waiting = list(line)[1:] if line and line[0] is turn else []
            ready = [other for other in waiting if other.instead is not None]
        for other in ready:
            other.waits()

    def hand_in(self, scene_id: str, turn: Turn, commit: Commit, cancelled: Commit) -> None:
        """Let the turn be ended by ``commit``; run what has its turn now."""
        with self._lock:
            if turn.commit is None:
                turn.commit, turn.instead = commit, cancelled
            if scene_id in self._committing:
                return
            self._committing.add(scene_id)
            due = self._due(scene_id)
        while due is not None:
            due()
            with self._lock:
                due = self._due(scene_id)

    def _due(self, scene_id: str) -> Commit | None:
        """Take the commit that has its turn out of the line; None ends the committing."""
        line = self._lines.get(scene_id)
        if line and line[0].commit is not None:
            return line.popleft().commit
        if not line:
            self._lines.pop(scene_id, None)
        self._committing.discard(scene_id)
        return None


def _nothing() -> None:
    """Commit nothing."""
