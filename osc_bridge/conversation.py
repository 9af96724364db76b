"""Which requests are open and how they ended: pure bookkeeping, without sockets, threads or time.

Server: a request id is open from its first arrival until its one end; asked again, it gets the
first answer. Client: a request is pending until its end arrives or it is forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from osc_bridge.errors import BadArguments, QueueFull
from osc_bridge.events import Event
from osc_bridge.wire import is_end

ANSWERS_MAX = 64
"""Answers remembered for each client."""
CLIENTS_MAX = 512
"""Clients whose answers are remembered; one with open requests is never forgotten."""
OPEN_MAX = 16_384
"""Open requests of all clients together."""
CLIENT_OPEN_MAX = 2048
"""Open requests of one client."""
PRESENT_S = 60.0
"""A client that was silent for longer is not counted."""

Token = TypeVar("Token")


@dataclass(frozen=True, slots=True)
class Begun:
    """What a request id means: new, or a repetition with or without its answer (the packet)."""

    is_new: bool
    answer: bytes | None = None


_NEW = Begun(is_new=True)
_OPEN = Begun(is_new=False)


@dataclass(slots=True)
class _Client(Generic[Token]):
    open: dict[int, tuple[str, Token]] = field(default_factory=dict)
    answers: OrderedDict[int, tuple[str, bytes]] = field(default_factory=OrderedDict)
    is_gone: bool = False
    heard_s: float = 0.0


class ServerConversation(Generic[Token]):
    """The requests of every client; ``Token`` is what the server keeps for an open one."""

    def __init__(self) -> None:
        self._clients: OrderedDict[Hashable, _Client[Token]] = OrderedDict()
        self._open_count = 0

    def begin(
        self, client: Hashable, request_id: int, address: str, token: Token, now_s: float
    ) -> Begun:
        """Note the arrival of a request at ``now_s`` (seconds of any steady clock).

        Raises:
            BadArguments: the id already belongs to a request of another address.
            QueueFull: too many requests are open.
        """
        book = self._book(client)
        book.heard_s = now_s
        if request_id in book.open:
            _check_same(request_id, address, book.open[request_id][0])
            return _OPEN
        if request_id in book.answers:
            first, packet = book.answers[request_id]
            _check_same(request_id, address, first)
            return Begun(is_new=False, answer=packet)
        self._check_room(len(book.open))
        book.open[request_id] = (address, token)
        self._open_count += 1
        return _NEW

    def is_open(self, client: Hashable, request_id: int) -> bool:
        """Whether the request has no end so far."""
        book = self._clients.get(client)
        return book is not None and request_id in book.open

    def finish(self, client: Hashable, request_id: int, packet: bytes) -> bool:
        """Record the end of a request, as it is on the wire; False if it had one already.

        The end of a negative id, which the server gave, is not remembered.
        """
        book = self._clients.get(client)
        if book is None or request_id not in book.open:
            return False
        address, _ = book.open.pop(request_id)
        self._open_count -= 1
        if request_id > 0:
            book.answers[request_id] = (address, packet)
        if len(book.answers) > ANSWERS_MAX:
            book.answers.popitem(last=False)
        if book.is_gone and not book.open:
            del self._clients[client]
        return True

    def find(self, client: Hashable, request_id: int) -> Token | None:
        """The open request of this id: the client's own, else the only one of another client."""
        book = self._clients.get(client)
        if book is not None and request_id in book.open:
            return book.open[request_id][1]
        found = [b.open[request_id][1] for b in self._clients.values() if request_id in b.open]
        return found[0] if len(found) == 1 else None

    def oldest(self, client: Hashable) -> Token | None:
        """The client's open request that arrived first."""
        book = self._clients.get(client)
        return next(iter(book.open.values()))[1] if book is not None and book.open else None

    def count_before(self, client: Hashable, request_id: int) -> int:
        """How many open requests of the client arrived before this open one."""
        book = self._clients.get(client)
        if book is None or request_id not in book.open:
            return 0
        return next(i for i, other in enumerate(book.open) if other == request_id)

    def restart(self, client: Hashable) -> None:
        """Forget the client's answers: another program may have its port now."""
        self._book(client).answers.clear()

    def forget(self, client: Hashable) -> None:
        """Drop a client that is gone, as soon as its open requests have ended.

        Until then another client can find them, to cancel them.
        """
        book = self._clients.get(client)
        if book is None:
            return
        book.is_gone = True
        if not book.open:
            del self._clients[client]

    def present(self, now_s: float) -> set[Hashable]:
        """Clients that were heard in the last minute, or have open requests."""
        return {
            client
            for client, book in self._clients.items()
            if not book.is_gone and (book.open or now_s - book.heard_s <= PRESENT_S)
        }

    def open_tokens(self) -> list[Token]:
        """Of every open request, what the server keeps."""
        return [token for b in self._clients.values() for _, token in b.open.values()]

    def _check_room(self, open_of_client: int) -> None:
        if open_of_client >= CLIENT_OPEN_MAX or self._open_count >= OPEN_MAX:
            raise QueueFull(
                f"{open_of_client} requests of this client and {self._open_count} in all are "
                f"open: at most {CLIENT_OPEN_MAX} of a client and {OPEN_MAX} in all are allowed; "
                "wait for answers before sending more."
            )

    def _book(self, client: Hashable) -> _Client[Token]:
        book = self._clients.get(client)
        if book is None:
            self._make_room()
            book = self._clients[client] = _Client()
        else:
            self._clients.move_to_end(client)
        return book

    def _make_room(self) -> None:
        idle = (key for key, book in self._clients.items() if not book.open)
        if len(self._clients) >= CLIENTS_MAX and (oldest := next(idle, None)) is not None:
            del self._clients[oldest]


def _check_same(request_id: int, address: str, first: str) -> None:
    if address != first:
        raise BadArguments(
            f"request id {request_id} belongs to an earlier {first}: an id is allowed once for "
            f"each client; choose a new one for {address}."
        )


class ClientConversation(Generic[Token]):
    """The requests of one client; ``Token`` is what it keeps for a pending one."""

    def __init__(self, first_id: int) -> None:
        self._next_id = first_id
        self._pending: dict[int, tuple[str, Token]] = {}

    def begin(self, address: str, token: Token) -> int:
        """Register a request; returns its id."""
        request_id = self._next_id
        self._next_id += 1
        self._pending[request_id] = (address, token)
        return request_id

    def feed(self, event: Event) -> Token | None:
        """Whose event this is; its end unregisters it. None for one that nobody waits for."""
        address, token = self._pending.get(event.request_id, ("", None))
        if token is None or event.request_address != address:
            return None
        if is_end(event):
            del self._pending[event.request_id]
        return token

    def forget(self, request_id: int) -> None:
        """Wait for it no longer, after a time-out or an interruption."""
        self._pending.pop(request_id, None)

    def forget_all(self) -> list[Token]:
        """Wait for nothing any longer; returns what was kept for each."""
        tokens = [token for _, token in self._pending.values()]
        self._pending.clear()
        return tokens

    @property
    def pending_count(self) -> int:
        """How many requests have no end so far."""
        return len(self._pending)
