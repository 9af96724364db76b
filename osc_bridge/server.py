"""The server: decodes, validates, and hands requests to one handler, in order, on its own thread.

The network threads only decode, answer what the server itself knows (ping, sync, subscriptions)
and refuse what is wrong, so that a slow handler delays no ping. A handler should still return
soon: long work keeps its `Reply`, returns None and ends it from a worker.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from osc_bridge.background import Background
from osc_bridge.control import is_control, read_control
from osc_bridge.errors import (
    BadArguments,
    IncompatibleApi,
    NotAuthorised,
    WildtrackError,
)
from osc_bridge.events import Fail, is_answer
from osc_bridge.fields import Value
from osc_bridge.gate import Gate
from osc_bridge.hub import Hub
from osc_bridge.ledger import Ledger, send
from osc_bridge.messages.base import Notice
from osc_bridge.messages.notices import EngineNotice
from osc_bridge.reply import Reply
from osc_bridge.schema import (
    API_MAJOR,
    API_MINOR,
    CancelJob,
    Hello,
    Ping,
    Pong,
    Request,
    Subscribe,
    Subscribed,
    Sync,
    Synced,
    Unsubscribe,
    Unsubscribed,
)
from osc_bridge.transports.base import Listener, Peer
from osc_bridge.wire import Incoming, read_request, unpack
from osc_bridge.worker import Handler, Worker, defect, ending

__all__ = ["Handler", "OscServer"]

log = logging.getLogger(__name__)


class OscServer:
    """Serves one handler over any number of listeners; a context manager.

    ``token`` is what clients of listeners that need one must show in their hello; see `Handler`
    for what the handler does. `tell` and `tell_value` reach those who subscribe.
    """

    def __init__(self, handler: Handler, listeners: Sequence[Listener], token: str = "") -> None:
        self.listeners = tuple(listeners)
        self._ledger = Ledger()
        self._gate = Gate(token)
        self._worker = Worker(handler, self._ledger)
        self._hub = Hub()
        self._background = Background("osc-notices", (self._hub.flush, self._ledger.report_syncs))
        self._own: dict[type[Request[Any]], Callable[[Reply], None]] = {
            Ping: self._ping,
            Sync: self._sync,
            Subscribe: self._subscribe,
            Unsubscribe: self._unsubscribe,
        }
        self._started_s = time.monotonic()

    def start(self) -> None:
        """Begin to serve."""
        self._worker.start()
        self._background.start()
        for listener in self.listeners:
            listener.start(self)

    def close(self) -> None:
        """End every open request, send what waits, stop all threads, free all ports.

        May be called from any thread, also by the handler; a second call does nothing.
        """
        if not self._ledger.close():
            return
        self.tell(EngineNotice("ending", "The engine ends."))
        self._worker.close()
        for reply in self._ledger.open_replies():
            reply.request_cancel()
            reply.fail(ending())
        self._background.close()
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

    def tell(self, notice: Notice) -> None:
        """Tell all who subscribe; from any thread, returns at once."""
        if self._hub.tell(notice):
            self._background.wake()

    def tell_value(self, scene: str, source: str, field: str, value: Value) -> None:
        """Tell all who subscribe the value that a setting has now, at its control address."""
        if self._hub.tell_value(scene, source, field, value):
            self._background.wake()

    @property
    def clients(self) -> int:
        """Clients that were heard in the last minute, have open requests, or subscribe."""
        return len(self._ledger.present() | self._hub.clients())

    @property
    def subscribers(self) -> int:
        """Clients that are told what happens."""
        return self._hub.count

    # What listeners call, on their threads

    def received(self, peer: Peer, packet: bytes) -> None:
        """Take one packet: each message of it is answered by itself.

        Of a stranger's packet only the first message is answered, for he may have given another's
        address as his own.
        """
        try:
            messages = unpack(packet, time.time())
        except WildtrackError as error:
            self.refused(peer, error)
        except Exception as error:
            log.exception("A packet could not be read.")
            self.refused(peer, defect("A packet", error))
        else:
            for message in messages:
                if not self._receive(peer, message):
                    return

    def refused(self, peer: Peer, error: WildtrackError) -> None:
        """Answer what could not be read as a packet."""
        self._take(peer, Incoming(0, "", error))

    def gone(self, peer: Peer) -> None:
        """Forget a client; its jobs go on, and other clients can cancel them."""
        self._hub.forget(peer.key)
        self._gate.forget(peer.key)
        self._ledger.forget(peer.key)

    def _receive(self, peer: Peer, message: bytes) -> bool:
        try:
            incoming = read_control(message) if is_control(message) else read_request(message)
        except Exception as error:
            log.exception("A message could not be read.")
            incoming = Incoming(0, "", defect("A message", error))
        return self._take(peer, incoming)

    def _take(self, peer: Peer, incoming: Incoming) -> bool:
        """Whether more may be taken from this peer."""
        try:
            self._admit(peer, incoming, time.monotonic())
        except WildtrackError as error:
            if not is_answer(incoming.address):
                send(peer, Fail.of(incoming.request_id, incoming.address, error))
            return not isinstance(error, NotAuthorised)
        except Exception as error:
            log.exception("%s could not be taken.", incoming.address)
            told = defect(incoming.address, error)
            send(peer, Fail.of(incoming.request_id, incoming.address, told))
        return True

    def _admit(self, peer: Peer, incoming: Incoming, now_s: float) -> None:
        request = incoming.request
        if peer.needs_token:
            self._check_token(peer, request, now_s)
        self._hub.heard(peer.key, now_s)
        if isinstance(request, WildtrackError):
            raise request
        _check_api(request)
        reply = Reply(self._ledger, peer, incoming.request_id, incoming.address, request)
        own = self._own.get(type(request))
        begun = self._ledger.begin(reply, now_s, is_for_handler=own is None)
        if begun.answer is not None:
            self._ledger.post(reply, begun.answer)
        elif begun.is_new:
            self._dispatch(reply, own)

    def _check_token(
        self, peer: Peer, request: Request[Any] | WildtrackError, now_s: float
    ) -> None:
        """Refuse who has not shown the token; who lost it is told nothing more either."""
        try:
            self._gate.check(peer.key, request, now_s, is_connected=peer.is_connected)
        except NotAuthorised:
            self._hub.forget(peer.key)
            raise
        peer.admit()

    def _dispatch(self, reply: Reply, own: Callable[[Reply], None] | None) -> None:
        if own is None:
            if isinstance(reply.request, CancelJob):
                reply.stop_job(reply.request.job)  # the handler may be at work on that very job
            self._worker.put(reply)
            return
        try:
            own(reply)
        except WildtrackError as error:
            reply.fail(error)
        except Exception as error:
            log.exception("%s failed.", reply.address)
            reply.fail(defect(reply.address, error))

    # What the server answers itself

    def _ping(self, reply: Reply) -> None:
        reply.done(Pong(time.monotonic() - self._started_s))

    def _sync(self, reply: Reply) -> None:
        if not self._ledger.wait(reply):
            reply.done(Synced())
            return
        reply.on_cancel(reply.cancelled)
        self._background.wake()

    def _subscribe(self, reply: Reply) -> None:
        request: Any = reply.request
        target = reply.peer if not request.port else self._target(reply.peer, request.port)
        sequence = self._hub.subscribe(reply.client, target, request.lifetime_s)
        self._background.wake()  # it knows when the next subscription ends
        reply.done(Subscribed(request.lifetime_s, sequence))

    def _target(self, peer: Peer, port: int) -> Peer:
        """The peer at another UDP port of the same host, reached from as trusted a listener."""
        found = (listener.peer_at(peer.host, port) for listener in self.listeners if peer.host)
        for target in found:
            if target is not None and target.needs_token == peer.needs_token:
                return target
        raise BadArguments(
            f"port is {port}: another than the engine's own is allowed, and only where UDP leads "
            "from the engine to you; leave the port out to be told over this connection."
        )

    def _unsubscribe(self, reply: Reply) -> None:
        self._hub.forget(reply.client)
        reply.done(Unsubscribed())


def _check_api(request: Request[Any]) -> None:
    if isinstance(request, Hello) and request.api_major != API_MAJOR:
        raise IncompatibleApi(
            f"api_major is {request.api_major}: this engine speaks {API_MAJOR}.{API_MINOR} and "
            f"allows {API_MAJOR} only; install the same major version of wildtrack on both sides."
        )
