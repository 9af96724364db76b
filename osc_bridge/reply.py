"""The answer to one request, as the handler holds it; safe to use from any thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from typing import Any, Protocol

from osc_bridge.errors import Cancelled, InternalError, UnknownJob, WildtrackError
from osc_bridge.events import CancelledReply, Done, End, Fail, Progress, one_line
from osc_bridge.schema import CancelRequested, Request, Result
from osc_bridge.transports.base import Peer

log = logging.getLogger(__name__)


class Desk(Protocol):
    """What a reply needs of the server; ``lock`` also guards what is asked to stop."""

    lock: threading.Lock

    def finish(self, reply: Reply, end: End) -> bool: ...
    def report(self, reply: Reply, progress: Progress) -> None: ...
    def find(self, client: Hashable, request_id: int) -> Reply | None: ...


class Reply:
    """Ends its request exactly once: the first of `done`, `fail`, `cancelled` counts.

    A later one, and progress after the end, are dropped; the methods return or do nothing then.
    ``client`` names the client for as long as it lives; ids are unique for each client only.
    """

    __slots__ = (
        "_callbacks",
        "_desk",
        "_stopped",
        "address",
        "cancel_requested",
        "client",
        "key",
        "peer",
        "request",
        "request_id",
    )

    def __init__(
        self, desk: Desk, peer: Peer, request_id: int, address: str, request: Request[Any]
    ) -> None:
        self.peer = peer
        self.client = peer.key
        self.request_id = request_id
        self.key = request_id
        """Names the request among those of its client, also a control message, whose id is 0."""
        self.address = address
        self.request = request
        self.cancel_requested = False
        """Whether the client asked to stop: a step callback raises `Cancelled` then."""
        self._desk = desk
        self._callbacks: list[Callable[[], object]] | None = None
        self._stopped: int | None = None

    def progress(self, fraction: float, step: int, of: int, sentence: str) -> None:
        """Tell how far the work is: ``fraction`` 0 to 1 (clipped), ``step`` of ``of`` steps."""
        share = min(max(fraction, 0.0), 1.0)
        event = Progress(self.request_id, self.address, share, step, of, one_line(sentence))
        self._desk.report(self, event)

    def done(self, result: Result) -> bool:
        """End with the result; True if this was the request's end.

        A result of another class than the request's reply is our own defect: the request fails
        with InternalError.
        """
        return self._desk.finish(self, self.end_of(result))

    def fail(self, error: WildtrackError) -> bool:
        """End with an error (`Cancelled` ends as cancelled); True if this was the end."""
        return self._desk.finish(self, self.end_of(error))

    def cancelled(self) -> bool:
        """End as cancelled; True if this was the request's end."""
        return self._desk.finish(self, CancelledReply(self.request_id, self.address))

    def end_of(self, outcome: Result | WildtrackError) -> End:
        """The end that this outcome means for the request."""
        if isinstance(outcome, self.request.reply):
            return Done(self.request_id, self.address, outcome)
        if isinstance(outcome, Cancelled):
            return CancelledReply(self.request_id, self.address)
        if not isinstance(outcome, WildtrackError):
            outcome = InternalError(
                f"{self.address} was answered with {type(outcome).__name__} instead of "
                f"{self.request.reply.__name__}: this is a defect; please report it."
            )
        return Fail.of(self.request_id, self.address, outcome)

    def on_cancel(self, callback: Callable[[], object]) -> None:
        """Call ``callback`` once when the client asks to stop (now, if it did already).

        It runs on the asking thread and must return at once.
        """
        with self._desk.lock:
            if not self.cancel_requested:
                self._callbacks = [*(self._callbacks or ()), callback]
                return
        callback()

    def request_cancel(self) -> None:
        """Note that the client asked to stop; calls what `on_cancel` registered."""
        with self._desk.lock:
            self.cancel_requested = True
            callbacks, self._callbacks = self._callbacks, None
        for callback in callbacks or ():
            try:
                callback()
            except Exception:
                log.exception("A callback of the cancelled %s failed.", self.address)

    def job(self, job: int) -> Reply | None:
        """The open request of this id: the client's own, or the only one of another client.

        (oscsend has a new port each time, so it must reach what it began.)
        """
        return self._desk.find(self.client, job)

    def stop_job(self, job: int) -> bool:
        """Ask a job to stop on behalf of this reply's `CancelJob`; False if none is open.

        The job is what `job` finds. The server does this as soon as the message arrives.
        """
        reply = self.job(job)
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
