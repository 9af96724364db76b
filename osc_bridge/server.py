"""The server: decodes, validates, and hands requests to one handler, in order, on its own thread.

The network threads only decode, answer `Ping` and refuse what is wrong, so that a slow handler
delays no ping. A handler should still return soon: long work keeps its `Reply`, returns None and
ends it from a worker.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from types import TracebackType
from typing import Any, Self

from osc_bridge.conversation import ServerConversation
from osc_bridge.errors import (
    EngineUnreachable,
    IncompatibleApi,
    InternalError,
    OutOfRange,
    QueueFull,
    WildtrackError,
)
from osc_bridge.events import End, Event, Fail, Progress
from osc_bridge.message import ROOT
from osc_bridge.reply import Reply
from osc_bridge.schema import API_MAJOR, API_MINOR, CancelJob, Hello, Ping, Pong, Request, Result
from osc_bridge.transports.base import Listener, Peer
from osc_bridge.wire import encode_event, read_request, unpack

log = logging.getLogger(__name__)

Handler = Callable[[Request[Any], Reply], Result | None]

QUEUE_MAX = 4096
"""Requests that wait for the handler."""
_JOIN_S = 5.0


class OscServer:
    """Serves one handler over any number of listeners; a context manager.

    The handler returns a `Result` (answered as done), or None (it keeps the reply for later), or
    raises: a `WildtrackError` becomes a fail of its code, anything else an InternalError and a
    trace in the log. `Ping` is answered here and does not reach it.
    """

    def __init__(self, handler: Handler, listeners: Sequence[Listener]) -> None:
        self._handler = handler
        self.listeners = tuple(listeners)
        self._conversation: ServerConversation[Reply] = ServerConversation()
        self._lock = threading.Lock()
        self._queue: queue.Queue[Reply | None] = queue.Queue(QUEUE_MAX)
        self._thread = threading.Thread(target=self._run, name="osc-handler", daemon=True)
        self._closing = False
        self._started_s = time.monotonic()

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()
        for listener in self.listeners:
            listener.start(self)

    def close(self) -> None:
        """End every open request, send what waits, stop all threads, free all ports.

        May be called from any thread, also by the handler; a second call does nothing.
        """
        with self._lock:
            if self._closing:
                return
            self._closing = True
        self._stop_handler()
        for reply in self._open_replies():
            reply.request_cancel()
            reply.fail(_ending())
        for listener in self.listeners:
            listener.close()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def port(self, transport: str) -> int:
        """The port of the first listener of this name (``"udp"`` or ``"tcp"``); 0 without one."""
        return next((li.port for li in self.listeners if li.name == transport), 0)

    # What listeners call, on their threads

    def received(self, peer: Peer, packet: bytes) -> None:
        """Take one packet: each message of it is answered by itself."""
        try:
            messages = unpack(packet, time.time())
        except WildtrackError as error:
            self.refused(peer, error)
            return
        for message in messages:
            self._receive(peer, message)

    def refused(self, peer: Peer, error: WildtrackError) -> None:
        """Answer what could not be read as a packet."""
        self._send(peer, Fail.of(0, "", error))

    def gone(self, peer: Peer) -> None:
        """Forget a client; its jobs go on, and other clients can cancel them."""
        with self._lock:
            self._conversation.forget(peer.key)

    def _receive(self, peer: Peer, message: bytes) -> None:
        incoming = read_request(message)
        try:
            if isinstance(incoming.request, WildtrackError):
                raise incoming.request
            _check_api(incoming.request)
            self._admit(peer, incoming.request_id, incoming.request)
        except WildtrackError as error:
            self._send(peer, Fail.of(incoming.request_id, incoming.address, error))

    def _admit(self, peer: Peer, request_id: int, request: Request[Any]) -> None:
        reply = Reply(self, peer, request_id, request)
        with self._lock:
            if self._closing:
                raise _ending()
            begun = self._conversation.begin(peer.key, request_id, reply.address, reply)
            if begun.is_new and isinstance(request, Hello):
                self._conversation.restart(peer.key)
        if begun.is_new:
            self._dispatch(reply)
        elif begun.answer is not None:
            self._send(peer, begun.answer)

    def _dispatch(self, reply: Reply) -> None:
        if isinstance(reply.request, Ping):
            reply.done(Pong(time.monotonic() - self._started_s))
            return
        if isinstance(reply.request, CancelJob):
            reply.stop_job(reply.request.job)  # the handler may be at work on that very job
        try:
            self._queue.put_nowait(reply)
        except queue.Full:
            reply.fail(
                QueueFull(
                    f"{QUEUE_MAX} requests wait: at most {QUEUE_MAX} are allowed; wait for "
                    "answers before sending more."
                )
            )

    # What replies call, on any thread

    def finish(self, reply: Reply, end: End) -> bool:
        """Record and send the end of a request; False if it had one."""
        with self._lock:
            first = self._conversation.finish(reply.client, end)
        if first:
            self._send(reply.peer, end)
        return first

    def tell(self, reply: Reply, progress: Progress) -> None:
        """Send progress of a request that is open."""
        with self._lock:
            is_open = self._conversation.is_open(reply.client, reply.request_id)
        if is_open:
            self._send(reply.peer, progress)

    def find(self, client: Hashable, request_id: int) -> Reply | None:
        """The open request of this id, the client's own first."""
        with self._lock:
            return self._conversation.find(client, request_id)

    def _send(self, peer: Peer, event: Event) -> None:
        try:
            peer.send(encode_event(event))
        except OutOfRange as error:
            peer.send(encode_event(Fail.of(event.request_id, event.request_address, error)))

    # The handler's thread

    def _run(self) -> None:
        while (reply := self._queue.get()) is not None:
            if self._closing:
                reply.fail(_ending())
            elif reply.cancel_requested:
                reply.cancelled()
            else:
                self._serve(reply)

    def _serve(self, reply: Reply) -> None:
        try:
            result = self._handler(reply.request, reply)
        except WildtrackError as error:
            reply.fail(error)
        except (Exception, SystemExit) as error:
            log.exception("The handler of %s failed.", reply.address)
            reply.fail(_internal(reply.address, error))
        else:
            if result is not None:
                reply.done(result)

    def _stop_handler(self) -> None:
        if self._thread.ident is None or threading.current_thread() is self._thread:
            self._put_end()
            return
        self._put_end()
        self._thread.join(_JOIN_S)
        if self._thread.is_alive():
            log.error("The handler still runs after %g s; its thread is left behind.", _JOIN_S)

    def _put_end(self) -> None:
        while True:
            try:
                self._queue.put_nowait(None)
            except queue.Full:
                self._drop_one()
            else:
                return

    def _drop_one(self) -> None:
        try:
            reply = self._queue.get_nowait()
        except queue.Empty:
            return
        if reply is not None:
            reply.fail(_ending())

    def _open_replies(self) -> list[Reply]:
        with self._lock:
            return self._conversation.open_tokens()


def _check_api(request: Request[Any]) -> None:
    if isinstance(request, Hello) and request.api_major != API_MAJOR:
        raise IncompatibleApi(
            f"api_major is {request.api_major}: this engine speaks {API_MAJOR}.{API_MINOR} and "
            f"allows {API_MAJOR} only; install the same major version of wildtrack on both sides."
        )


def _ending() -> EngineUnreachable:
    return EngineUnreachable(
        "The engine is ending: start it again with 'wildtrack engine --session DIR' and repeat."
    )


def _internal(address: str, error: BaseException) -> InternalError:
    return InternalError(
        f"{address.removeprefix(ROOT)} met a defect ({type(error).__name__}): the engine goes on; "
        "its log has the trace, please report it."
    )
