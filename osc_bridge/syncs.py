"""The `Sync` requests that wait: pure bookkeeping, without sockets, threads or time."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable

from osc_bridge.errors import QueueFull
from osc_bridge.reply import Reply

CLIENT_SYNCS_MAX = 16
SYNCS_MAX = 256
PERIOD_S = 0.2
"""How often each tells that it still waits; the protocol promises 4 times a second."""


class Syncs:
    """Each waits until it is the oldest open request of its client."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[tuple[Reply, int]]] = {}
        self._count = 0

    def __bool__(self) -> bool:
        """Whether any waits."""
        return self._count > 0

    def add(self, reply: Reply, before: int) -> None:
        """Let a sync wait for ``before`` older requests.

        Raises:
            QueueFull: the client, or all together, wait for too many.
        """
        own = len(self._waiting.get(reply.client, ()))
        if own >= CLIENT_SYNCS_MAX or self._count >= SYNCS_MAX:
            raise QueueFull(
                f"{own} syncs of this client and {self._count} in all wait: at most "
                f"{CLIENT_SYNCS_MAX} of a client and {SYNCS_MAX} in all are allowed; wait for one."
            )
        self._waiting.setdefault(reply.client, deque()).append((reply, before))
        self._count += 1

    def remove(self, reply: Reply) -> None:
        """Forget one that has ended."""
        waiting = self._waiting.get(reply.client, deque())
        kept = deque(pair for pair in waiting if pair[0] is not reply)
        self._count -= len(waiting) - len(kept)
        if kept:
            self._waiting[reply.client] = kept
        else:
            self._waiting.pop(reply.client, None)

    def due(self, client: Hashable, oldest: Reply | None) -> Reply | None:
        """The client's first sync, if nothing older is open."""
        waiting = self._waiting.get(client)
        return waiting[0][0] if waiting and waiting[0][0] is oldest else None

    def waiting(self) -> list[tuple[Reply, int]]:
        """Each sync that waits, and how many requests were open before it."""
        return [pair for waiting in self._waiting.values() for pair in waiting]
