"""Which requests are open, and their ends: the bookkeeping of the server, behind one lock."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Hashable, Sequence

from osc_bridge.conversation import Begun, ServerConversation
from osc_bridge.errors import OutOfRange
from osc_bridge.events import End, Event, Fail, Progress
from osc_bridge.pressure import Pressure
from osc_bridge.reply import Reply
from osc_bridge.schema import Hello, Sync, Synced
from osc_bridge.syncs import PERIOD_S, Syncs
from osc_bridge.transports.base import Peer
from osc_bridge.wire import encode_event
from osc_bridge.worker import defect, ending

log = logging.getLogger(__name__)


class Ledger:
    """Every request has one page here from its arrival to its end; for any thread.

    ``lock`` guards the books and the callbacks of replies. It is taken before those of peers,
    whose methods never wait; a peer must not call back from within ``send``.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._conversation: ServerConversation[Reply] = ServerConversation()
        self._pressure = Pressure()
        self._syncs = Syncs()
        self._report_s = 0.0
        self._control_keys = itertools.count(-1, -1)
        self._closing = False

    def close(self) -> bool:
        """Begin nothing any more; False if it was closed already."""
        with self.lock:
            was_open, self._closing = not self._closing, True
        return was_open

    def begin(self, reply: Reply, now_s: float, is_for_handler: bool) -> Begun:
        """Note the arrival of a request at ``now_s``; its client is held if too many wait.

        Raises:
            BadArguments: the id already belongs to a request of another address.
            QueueFull: too many requests are open.
            EngineUnreachable: the engine is ending.
        """
        with self.lock:
            if self._closing:
                raise ending()
            if not reply.request_id:
                reply.key = next(self._control_keys)
            begun = self._conversation.begin(reply.client, reply.key, reply.address, reply, now_s)
            if begun.is_new:
                if isinstance(reply.request, Hello):
                    self._conversation.restart(reply.client)
                if is_for_handler and self._pressure.add(reply.client):
                    reply.peer.hold()  # under the lock: a hold must not overtake its release
        return begun

    def forget(self, client: Hashable) -> None:
        """Drop a client that is gone, when its open requests have ended."""
        with self.lock:
            self._conversation.forget(client)

    def present(self) -> set[Hashable]:
        """Clients that were heard in the last minute, or have open requests."""
        with self.lock:
            return self._conversation.present(time.monotonic())

    def open_replies(self) -> list[Reply]:
        """Every open request."""
        with self.lock:
            return self._conversation.open_tokens()

    def wait(self, sync: Reply) -> bool:
        """Let a sync end when all older requests of its client have; False if none is open.

        Raises:
            QueueFull: too many syncs wait.
        """
        with self.lock:
            before = self._conversation.count_before(sync.client, sync.key)
            if before:
                self._syncs.add(sync, before)
        return before > 0

    def report_syncs(self) -> float | None:
        """Tell each sync that waits how far it is, when it is time; returns when it is next."""
        if not self._syncs:
            return None
        now_s = time.monotonic()
        if now_s < self._report_s:
            return self._report_s - now_s
        self._report_s = now_s + PERIOD_S
        with self.lock:
            waiting = [
                (sync, before, self._conversation.count_before(sync.client, sync.key))
                for sync, before in self._syncs.waiting()
            ]
        for sync, before, left in waiting:
            done = before - left
            sync.progress(done / before, done, before, f"{left} earlier requests are open.")
        return PERIOD_S

    def finish(self, reply: Reply, end: End) -> bool:
        """Record and send the end of a request; False if it had one."""
        return self.finish_all([(reply, end)]) == 1

    def finish_all(self, ends: Sequence[tuple[Reply, End]]) -> int:
        """Record and send ends; returns how many requests had none so far.

        A control message (id 0) is answered by a fail only.
        """
        packets = [
            (reply, _encoded(end) if reply.request_id or isinstance(end, Fail) else b"")
            for reply, end in ends
        ]
        with self.lock:
            first = [pair for pair in packets if self._record(*pair)]
            due = self._due_syncs({reply.client for reply, _ in first}) if self._syncs else ()
        for reply, packet in first:
            self.post(reply, packet)
        for sync in due:
            sync.done(Synced())
        return len(first)

    def _record(self, reply: Reply, packet: bytes) -> bool:
        if self._syncs and isinstance(reply.request, Sync):
            self._syncs.remove(reply)
        return self._conversation.finish(reply.client, reply.key, packet)

    def _due_syncs(self, clients: set[Hashable]) -> list[Reply]:
        due = (self._syncs.due(client, self._conversation.oldest(client)) for client in clients)
        return [sync for sync in due if sync is not None]

    def served(self, replies: Sequence[Reply]) -> None:
        """The handler has taken care of these: answered them, or keeps them as jobs."""
        with self.lock:
            for reply in replies:
                if self._pressure.remove(reply.client):
                    reply.peer.release()

    def report(self, reply: Reply, progress: Progress) -> None:
        """Send progress of a request that is open; the lock keeps it from following the end."""
        packet = _encoded(progress)
        with self.lock:
            if self._conversation.is_open(reply.client, reply.key):
                _send(reply.peer, packet)

    def find(self, client: Hashable, request_id: int) -> Reply | None:
        """The open request of this id, the client's own first."""
        with self.lock:
            return self._conversation.find(client, request_id)

    def post(self, reply: Reply, packet: bytes) -> None:
        """Send an end; one that the transport does not carry becomes a fail that says so."""
        try:
            if packet:
                reply.peer.send(packet)
        except OutOfRange as error:
            send(reply.peer, Fail.of(reply.request_id, reply.address, error))
        except Exception:
            log.exception("An answer to %s could not be sent.", reply.address)


def send(peer: Peer, fail: Fail) -> None:
    """Send a fail that ends no open request; what cannot be sent is logged."""
    _send(peer, _encoded(fail))


def _send(peer: Peer, packet: bytes) -> None:
    try:
        peer.send(packet)
    except Exception:
        log.exception("An answer could not be sent.")


def _encoded(event: Event) -> bytes:
    """The event on the wire; one that cannot be written is a defect, and fails its request."""
    try:
        return encode_event(event)
    except Exception as error:
        log.exception("An answer to %s could not be written.", event.request_address)
        told = defect(event.request_address, error)
        return encode_event(Fail.of(event.request_id, event.request_address, told))
