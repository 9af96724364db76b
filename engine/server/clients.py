"""The names that clients gave in their hello, for lists, notices and the log."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

CLIENTS_MAX = 1024
"""Names that are remembered; the one that was told longest ago is forgotten first."""


class ClientNames:
    """Who is behind a client's key; used on the handler's thread alone."""

    def __init__(self) -> None:
        self._names: OrderedDict[Hashable, str] = OrderedDict()

    def note(self, client: Hashable, name: str) -> None:
        """Remember the name that a client gave."""
        self._names[client] = name
        self._names.move_to_end(client)
        if len(self._names) > CLIENTS_MAX:
            self._names.popitem(last=False)

    def of(self, client: Hashable) -> str:
        """Return the client's name, "" for one that said no hello."""
        return self._names.get(client, "")
