"""The handler's thread: takes requests in the order of their arrival, edits in batches."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from osc_bridge.errors import EngineUnreachable, InternalError, WildtrackError
from osc_bridge.events import End
from osc_bridge.message import ROOT
from osc_bridge.reply import Reply
from osc_bridge.schema import Request, Result

log = logging.getLogger(__name__)

EDITS_MAX = 512
"""Edits that the handler gets at once."""
_JOIN_S = 5.0


class Handler(Protocol):
    """What answers requests, always on the worker's thread."""

    def answer(self, request: Request[Any], reply: Reply) -> Result | None:
        """The result, or None to keep ``reply`` and end it later, from any thread.

        A `WildtrackError` becomes a fail of its code, anything else that is raised an
        InternalError and a trace in the log.
        """

    def edit(self, replies: Sequence[Reply]) -> Sequence[Result | WildtrackError | None]:
        """The outcome of each of these requests, in their order; all have ``edits``.

        They are answered after this returns, but for None, whose reply is kept and ended later;
        what it raises fails every one of them.
        """


class Desk(Protocol):
    """What the worker needs of the server."""

    def finish_all(self, ends: Sequence[tuple[Reply, End]]) -> int: ...
    def served(self, replies: Sequence[Reply]) -> None: ...


class Worker:
    """Hands requests to the handler, one by one or, if they are edits, many at once."""

    def __init__(self, handler: Handler, desk: Desk) -> None:
        self._handler = handler
        self._desk = desk
        self._queue: queue.SimpleQueue[Reply | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="osc-handler", daemon=True)
        self._closing = False
        self._ended = False

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def put(self, reply: Reply) -> None:
        """Queue a request; the server bounds how many."""
        self._queue.put(reply)

    def close(self) -> None:
        """Finish what the handler is at, fail what waits; from any thread, also its own."""
        self._closing = True
        self._queue.put(None)
        if self._thread.ident is None or threading.current_thread() is self._thread:
            return
        self._thread.join(_JOIN_S)
        if self._thread.is_alive():
            log.error("The handler still runs after %g s; its thread is left behind.", _JOIN_S)

    def _run(self) -> None:
        while not self._ended:
            for group in _groups(self._take()):
                try:
                    self._serve(group)
                except Exception:
                    log.exception("Answers of the handler could not be given.")
                self._desk.served(group)

    def _take(self) -> list[Reply]:
        """What waits now, at most `EDITS_MAX`; waits for the first."""
        batch: list[Reply] = []
        reply = self._queue.get()
        while reply is not None:
            batch.append(reply)
            if len(batch) == EDITS_MAX or self._queue.empty():
                return batch
            reply = self._queue.get_nowait()
        self._ended = True
        return batch

    def _serve(self, group: list[Reply]) -> None:
        """Answer one request, or several edits."""
        todo = [reply for reply in group if self._is_wanted(reply)]
        if todo and todo[0].request.edits:
            self._desk.finish_all(self._edit(todo))
        elif todo:
            self._answer(todo[0])

    def _is_wanted(self, reply: Reply) -> bool:
        if self._closing:
            reply.fail(ending())
        elif reply.cancel_requested:
            reply.cancelled()
        else:
            return True
        return False

    def _answer(self, reply: Reply) -> None:
        try:
            result = self._handler.answer(reply.request, reply)
        except (Exception, SystemExit) as error:
            reply.fail(_told(reply.address, error))
        else:
            if result is not None:
                reply.done(result)

    def _edit(self, replies: list[Reply]) -> list[tuple[Reply, End]]:
        try:
            outcomes = self._handler.edit(replies)
            return [
                (reply, reply.end_of(outcome))
                for reply, outcome in zip(replies, outcomes, strict=True)
                if outcome is not None
            ]
        except (Exception, SystemExit) as error:
            told = _told(replies[0].address, error)
            return [(reply, reply.end_of(told)) for reply in replies]


def ending() -> EngineUnreachable:
    """The error of what arrives, or still waits, when the engine ends."""
    return EngineUnreachable(
        "The engine is ending: start it again with 'wildtrack engine --session DIR' and repeat."
    )


def defect(address: str, error: BaseException) -> InternalError:
    """The error of a request that met a defect of ours."""
    return InternalError(
        f"{address.removeprefix(ROOT)} met a defect ({type(error).__name__}): the engine goes on; "
        "its log has the trace, please report it."
    )


def _told(address: str, error: BaseException) -> WildtrackError:
    """The error that the client gets; a defect is also logged, within the ``except`` clause."""
    if isinstance(error, WildtrackError):
        return error
    log.exception("The handler of %s failed.", address)
    return defect(address, error)


def _groups(batch: Sequence[Reply]) -> Iterator[list[Reply]]:
    """Consecutive edits together, every other request by itself, in order."""
    edits: list[Reply] = []
    for reply in batch:
        if reply.request.edits:
            edits.append(reply)
            continue
        if edits:
            yield edits
            edits = []
        yield [reply]
    if edits:
        yield edits
