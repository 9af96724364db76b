"""How many requests of each client wait for the handler, and whom to hold: pure bookkeeping.

A held client is read no further (TCP), so that one that sends faster than the engine works
waits itself, and neither the engine's memory nor the turn of others pays for it.
"""

from __future__ import annotations

from collections.abc import Hashable

HOLD_AT = 512
"""A client with this many requests that wait is held until half of them are done."""
CROWDED_AT = 8192
"""With this many of all clients together, each is held at a sixteenth of `HOLD_AT`."""


class Pressure:
    """Requests of each client that the handler has not taken care of so far."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, int] = {}
        self._held: set[Hashable] = set()
        self._total = 0

    def add(self, client: Hashable) -> bool:
        """Note one more that waits; True if the client must be held from now on."""
        count = self._waiting.get(client, 0) + 1
        self._waiting[client] = count
        self._total += 1
        if count < self._limit or client in self._held:
            return False
        self._held.add(client)
        return True

    def remove(self, client: Hashable) -> bool:
        """Note one fewer that waits; True if the client must be released."""
        count = self._waiting[client] - 1
        self._total -= 1
        if count:
            self._waiting[client] = count
        else:
            del self._waiting[client]
        if 2 * count >= self._limit or client not in self._held:
            return False
        self._held.remove(client)
        return True

    @property
    def _limit(self) -> int:
        return HOLD_AT if self._total < CROWDED_AT else HOLD_AT // 16
