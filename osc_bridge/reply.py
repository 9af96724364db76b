"""The answer to one request, as the handler holds it; safe to use from any thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from typing import Any, Protocol

from osc_bridge.errors import Cancelled, InternalError, UnknownJob, WildtrackError
from osc_bridge.events import CancelledReply, Done, End, Fail, Progress, one_line
from osc_bridge.message import ROOT
from osc_bridge.schema import CancelRequested, Request, Result
from osc_bridge.transports.base import Peer

log = logging.getLogger(__name__)


class Desk(Protocol):
    """What a reply needs of the server."""

    def finish(self, reply: Reply, end: End) -> bool: ...
    def tell(self, reply: Reply, progress: Progress) -> None: ...
    def find(self, client: Hashable, request_id: int) -> Reply | None: ...


class Reply:
    """Ends its request exactly once: the first of `done`, `fail`, `cancelled` counts.

    A later one, and progress after the end, are dropped; the methods return or do nothing then.
    """

    def __init__(self, desk: Desk, peer: Peer, request_id: int, request: Request[Any]) -> None:
        self.peer = peer
        self.request_id = request_id
        self.request = request
        self.address = ROOT + request.address
        self._desk = desk
        self._cancel = threading.Event()
        self._lock = threading.Lock()
        self._on_cancel: list[Callable[[], None]] = []
        self._stopped: int | None = None

    @property
    def client(self) -> Hashable:
        """Names the client for as long as it lives; ids are unique for each client only."""
        return self.peer.key

    def progress(self, fraction: float, step: int, of: int, sentence: str) -> None:
        """Tell how far the work is: ``fraction`` 0 to 1 (clipped), ``step`` of ``of`` steps."""
        share = min(max(fraction, 0.0), 1.0)
        event = Progress(self.request_id, self.address, share, step, of, one_line(sentence))
        self._desk.tell(self, event)

    def done(self, result: Result) -> bool:
        """End with the result; True if this was the request's end.

        A result of another class than the request's reply is our own defect: the request fails
        with InternalError.
        """
        if not isinstance(result, self.request.reply):
            return self.fail(
                InternalError(
                    f"{self.address} was answered with {type(result).__name__} instead of "
                    f"{self.request.reply.__name__}: this is a defect; please report it."
                )
            )
        return self._desk.finish(self, Done(self.request_id, self.address, result))

    def fail(self, error: WildtrackError) -> bool:
        """End with an error (`Cancelled` ends as cancelled); True if this was the end."""
        if isinstance(error, Cancelled):
            return self.cancelled()
        return self._desk.finish(self, Fail.of(self.request_id, self.address, error))

    def cancelled(self) -> bool:
        """End as cancelled; True if this was the request's end."""
        return self._desk.finish(self, CancelledReply(self.request_id, self.address))

    @property
    def cancel_requested(self) -> bool:
        """Whether the client asked to stop: a step callback raises `Cancelled` then."""
        return self._cancel.is_set()

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once when the client asks to stop (now, if it did already).

        It runs on the asking thread and must return at once.
        """
        with self._lock:
            if not self._cancel.is_set():
                self._on_cancel.append(callback)
                return
        callback()

    def request_cancel(self) -> None:
        """Note that the client asked to stop; calls what `on_cancel` registered."""
        with self._lock:
            self._cancel.set()
            callbacks, self._on_cancel = self._on_cancel, []
        for callback in callbacks:
            try:
                callback()
            except Exception:
                log.exception("A callback of the cancelled %s failed.", self.address)

    def stop_job(self, job: int) -> bool:
        """Ask a job to stop on behalf of this reply's `CancelJob`; False if none is open.

        The job is the client's own open request of this id, or the only one of another client
        (oscsend has a new port each time). The server does this as soon as the message arrives.
        """
        reply = self._desk.find(self.client, job)
        if reply is None or reply is self:
            return False
        self._stopped = job
        reply.request_cancel()
        return True

    def cancel_job(self, job: int) -> CancelRequested:
        """The answer of a handler to the `CancelJob` that this reply belongs to.

        Raises:
            UnknownJob: no such request was open.
        """
        if self._stopped != job and not self.stop_job(job):
            raise UnknownJob(
                f"job {job} is not running: the request id of an open request is allowed; "
                "it may have ended already."
            )
        return CancelRequested(job)
