"""Calls over one link: each waits for its own end, on the caller's thread."""

from __future__ import annotations

import logging
import queue
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from osc_bridge.control import is_control, read_control
from osc_bridge.conversation import ClientConversation
from osc_bridge.errors import (
    BadArguments,
    Cancelled,
    EngineUnreachable,
    ReplyTimeout,
    WildtrackError,
)
from osc_bridge.events import CancelledReply, Done, Event, Fail, Progress, Told
from osc_bridge.message import ROOT
from osc_bridge.schema import CancelJob, Request, Result, SetSource
from osc_bridge.transports.base import Link
from osc_bridge.wire import encode_request, read_event

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Result)
OnProgress = Callable[[Progress], None]
Inbox = queue.SimpleQueue[Event | WildtrackError]
Hear = Callable[[Told | SetSource | WildtrackError], None]
"""Takes what comes without having been asked for, and why the link is lost; must return at once."""

TIMEOUT_S = 10.0
RESEND_S = 1.0
"""Silence after which a request is repeated over UDP."""
_CANCEL_S = 2.0


class Call(Generic[R]):
    """A request on its way; `result` waits for its end."""

    def __init__(self, caller: Caller, request: Request[R], request_id: int, inbox: Inbox) -> None:
        self.request = request
        self.request_id = request_id
        self.has_ended = False
        self._caller = caller
        self._inbox = inbox

    def result(self, timeout_s: float = TIMEOUT_S, on_progress: OnProgress | None = None) -> R:
        """Wait for the end; ``timeout_s`` is the longest silence, each progress begins it anew.

        ``on_progress`` is called on this thread.

        Raises:
            WildtrackError: the error that the engine answered with, as the class of its code.
            Cancelled: the request was cancelled.
            ReplyTimeout: no sign for ``timeout_s``; the request is forgotten.
            EngineUnreachable: the connection is gone.
        """
        try:
            while True:
                event = self._next(timeout_s)
                if not isinstance(event, Progress):
                    return self._end(event)
                if on_progress is not None:
                    on_progress(event)
        finally:
            self._caller.forget(self.request_id)

    def _next(self, timeout_s: float) -> Event:
        event = self._wait(timeout_s)
        if event is None:
            raise ReplyTimeout(
                f"{ROOT}{self.request.address} got no answer for {timeout_s:g} s: the engine may "
                "still be at work; ask for its status, or wait longer with timeout_s."
            )
        if isinstance(event, WildtrackError):
            self.has_ended = True
            raise event
        return event

    def _wait(self, timeout_s: float) -> Event | WildtrackError | None:
        """The next event, or None; over UDP the request is repeated, for a datagram may be lost."""
        deadline = time.monotonic() + timeout_s
        patience_s = RESEND_S if self._caller.is_lossy else timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                return self._inbox.get(timeout=min(left_s, patience_s))
            except queue.Empty:
                if self._caller.is_lossy:
                    self._caller.send(self.request_id, self.request)
        return None

    def _end(self, event: Event) -> R:
        self.has_ended = True
        if isinstance(event, Fail):
            raise event.error()
        if isinstance(event, CancelledReply):
            raise Cancelled(f"{ROOT}{self.request.address} was cancelled.")
        assert isinstance(event, Done)
        result: Any = event.result
        return result  # type: ignore[no-any-return]  # the address decides the class


class Caller:
    """Sends requests over one link and sorts the answers; safe to use from several threads."""

    def __init__(self, link: Link) -> None:
        first_id = secrets.randbelow(2**62) + 1  # ids of an earlier program on this port differ
        self._conversation: ClientConversation[Inbox] = ClientConversation(first_id)
        self._lock = threading.Lock()
        self._lost: WildtrackError | None = None
        self._hear: Hear | None = None
        self._link = link
        link.start(self._received, self._on_lost)

    def start(self, request: Request[R]) -> Call[R]:
        """Send a request and return at once.

        Raises:
            EngineUnreachable: the connection is gone.
            OutOfRange: the request does not fit the transport.
        """
        call = self._begin(request)
        try:
            self.send(call.request_id, request)
        except BaseException:
            self.forget(call.request_id)
            raise
        return call

    def _begin(self, request: Request[R]) -> Call[R]:
        """Expect the answers to a request that is not sent yet."""
        inbox: Inbox = queue.SimpleQueue()
        with self._lock:
            if self._lost is not None:
                raise self._lost
            request_id = self._conversation.begin(ROOT + request.address, inbox)
        return Call(self, request, request_id, inbox)

    def send(self, request_id: int, request: Request[Any]) -> None:
        """Put a request on the link; one that is repeated is carried out once.

        Raises:
            EngineUnreachable: the connection is gone.
            OutOfRange: the request does not fit the transport.
        """
        self._link.send(encode_request(request_id, request))

    @property
    def is_lossy(self) -> bool:
        """Whether the link may lose packets."""
        return self._link.is_lossy

    def call(
        self,
        request: Request[R],
        timeout_s: float = TIMEOUT_S,
        on_progress: OnProgress | None = None,
    ) -> R:
        """Send a request and wait for its result (see `Call.result`)."""
        return self.start(request).result(timeout_s, on_progress)

    def call_all(self, requests: Sequence[Request[Any]]) -> None:
        """Send requests without waiting in between, then wait for the end of each.

        Raises:
            WildtrackError: of the first that failed; the others are carried out nevertheless.
        """
        calls: list[Call[Any]] = []
        try:
            for request in requests:
                calls.append(self.start(request))  # those begun are forgotten below
            for call in calls:
                call.result()
        finally:
            for call in calls:
                self.forget(call.request_id)

    def hear_with(self, hear: Hear | None) -> None:
        """Hand notices, values and the loss of the link to ``hear``; None: to nobody."""
        self._hear = hear

    def call_or_cancel(
        self, request: Request[R], timeout_s: float, on_progress: OnProgress | None = None
    ) -> R:
        """As `call`; Ctrl-C, a time-out or an error in ``on_progress`` cancels the job first.

        Also a Ctrl-C that comes while the request is being sent: it may have arrived.
        """
        job = self._begin(request)
        try:
            self.send(job.request_id, request)
            return job.result(timeout_s, on_progress)
        except BaseException:
            self.forget(job.request_id)
            if not job.has_ended:
                self._cancel_quietly(job.request_id)
            raise

    def cancel(self, request_id: int, timeout_s: float = TIMEOUT_S) -> None:
        """Ask the engine to stop a job; its own call ends with `Cancelled`.

        Raises:
            UnknownJob: it has ended already.
        """
        self.call(CancelJob(request_id), timeout_s)

    def forget(self, request_id: int) -> None:
        """Wait for this request no longer."""
        with self._lock:
            self._conversation.forget(request_id)

    @property
    def pending_count(self) -> int:
        """Requests without an end so far."""
        with self._lock:
            return self._conversation.pending_count

    def close(self) -> None:
        """Close the link; calls that wait end with EngineUnreachable."""
        self._link.close()
        self._on_lost(_closed())

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the link."""
        self.close()

    def _cancel_quietly(self, request_id: int) -> None:
        try:
            self.cancel(request_id, _CANCEL_S)
        except WildtrackError as error:
            log.info("Cancelling job %d: %s", request_id, error)

    def _received(self, packet: bytes) -> None:
        try:
            event = _value(packet) if is_control(packet) else read_event(packet)
        except WildtrackError as error:
            log.warning("An answer of the engine was not understood: %s", error)
            return
        if isinstance(event, Told | SetSource):
            if (hear := self._hear) is not None:
                hear(event)
            return
        with self._lock:
            inbox = self._conversation.feed(event)
        if inbox is not None:
            inbox.put(event)
        elif isinstance(event, Fail) and not event.request_id:
            log.warning("The engine refused a message: %s", event.sentence)

    def _on_lost(self, error: WildtrackError) -> None:
        with self._lock:
            self._lost = self._lost or error
            inboxes = self._conversation.forget_all()
        for inbox in inboxes:
            inbox.put(error)
        if (hear := self._hear) is not None:
            hear(error)


def _value(packet: bytes) -> SetSource:
    """The setting that the engine tells on a control address."""
    request = read_control(packet).request
    if isinstance(request, SetSource):
        return request
    raise request if isinstance(request, WildtrackError) else BadArguments("No value was told.")


def _closed() -> EngineUnreachable:
    return EngineUnreachable("This client is closed: connect a new one.")
