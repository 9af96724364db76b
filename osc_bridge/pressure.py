"""How many requests of each client wait for the handler, and whom to hold: pure bookkeeping.

A held client is read no further (TCP), so that one that sends faster than the engine works
waits itself, and neither the engine's memory nor the turn of others pays for it.
"""

from __future__ import annotations

from collections.abc import Hashable

HOLD_AT = 512
"""A client with this many requests that wait is held."""
RELEASE_BELOW = 256
"""A held client with fewer requests that wait is read again."""


class Pressure:
    """Requests of each client that the handler has not taken care of so far."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, int] = {}
        self._held: set[Hashable] = set()
        self.total = 0
        """Of all clients together."""

    def add(self, client: Hashable) -> bool:
        """Note one more that waits; True if the client must be held from now on."""
        count = self._waiting.get(client, 0) + 1
        self._waiting[client] = count
        self.total += 1
        if count < HOLD_AT or client in self._held:
            return False
        self._held.add(client)
        return True

    def remove(self, client: Hashable) -> bool:
        """Note one fewer that waits; True if the client must be released."""
        count = self._waiting[client] - 1
        self.total -= 1
        if count:
            self._waiting[client] = count
        else:
            del self._waiting[client]
        if count >= RELEASE_BELOW or client not in self._held:
            return False
        self._held.remove(client)
        return True

    def count(self, client: Hashable) -> int:
        """How many requests of the client wait."""
        return self._waiting.get(client, 0)
