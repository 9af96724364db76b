"""Who is told what happens: subscribers, their lifetimes, and the notices that wait for them.

Telling only queues; `Hub.flush` sends, on a thread of the server's own, so that no subscriber can
delay the engine. One that does not keep up misses notices: their numbers have a gap then.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from osc_bridge.control import encode_value
from osc_bridge.errors import QueueFull
from osc_bridge.events import Told
from osc_bridge.fields import Value
from osc_bridge.schema import Notice
from osc_bridge.transports.base import Peer
from osc_bridge.wire import encode_event

log = logging.getLogger(__name__)

SUBSCRIBERS_MAX = 64
NOTICES_MAX = 1024
"""Notices that wait to be sent; beyond it the oldest are dropped."""
VALUES_MAX = 4096
"""Settings whose newest value waits to be sent."""
BACKLOG_MAX_BYTES = 1 << 18
"""A subscriber that leaves this much unread gets nothing more until it reads."""


@dataclass(slots=True)
class _Subscriber:
    target: Peer
    lifetime_s: float
    until_s: float
    after: int
    """The number of the last notice before it subscribed."""


class Hub:
    """The subscribers of one server; every method may be called from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._subscribers: dict[Hashable, _Subscriber] = {}
        self._notices: deque[Told] = deque(maxlen=NOTICES_MAX)
        self._values: dict[tuple[str, str, str], Value] = {}
        self._sequence = 0

    def subscribe(self, client: Hashable, target: Peer, lifetime_s: float) -> int:
        """Send notices to ``target`` for as long as the client is heard; returns the last number.

        A target is told once, whoever asked for it; who asks again misses nothing.

        Raises:
            QueueFull: there are too many subscribers.
        """
        with self._lock:
            self._expire()
            others = {
                key: one
                for key, one in self._subscribers.items()
                if key != client and one.target.key != target.key
            }
            if len(others) >= SUBSCRIBERS_MAX:
                raise QueueFull(
                    f"{len(others)} clients subscribe: at most {SUBSCRIBERS_MAX} are allowed; "
                    "unsubscribe one, or wait until one has expired."
                )
            old = self._subscribers.get(client)
            is_renewal = old is not None and old.target.key == target.key
            after = old.after if old is not None and is_renewal else self._sequence
            new = _Subscriber(target, lifetime_s, self._clock() + lifetime_s, after)
            self._subscribers = {**others, client: new}
            return self._sequence

    def forget(self, client: Hashable) -> None:
        """Tell this client nothing more."""
        with self._lock:
            self._subscribers.pop(client, None)

    def heard(self, client: Hashable, now_s: float) -> None:
        """Renew the lifetime of this client, if it subscribes."""
        subscriber = self._subscribers.get(client)
        if subscriber is not None:
            subscriber.until_s = now_s + subscriber.lifetime_s

    @property
    def count(self) -> int:
        """How many subscribe, as of the last flush or change; costs next to nothing."""
        return len(self._subscribers)

    def clients(self) -> set[Hashable]:
        """Who subscribes now."""
        with self._lock:
            self._expire()
            return set(self._subscribers)

    def tell(self, notice: Notice) -> bool:
        """Number a notice and queue it for all who subscribe now; False if nobody does."""
        with self._lock:
            self._sequence += 1
            if self._subscribers:
                self._notices.append(Told(self._sequence, notice))
            return bool(self._subscribers)

    def tell_value(self, scene: str, source: str, field: str, value: Value) -> bool:
        """Queue the value that a setting has now, instead of an older one; False if for nobody."""
        setting = (scene, source, field)
        with self._lock:
            if self._subscribers and (setting in self._values or len(self._values) < VALUES_MAX):
                self._values[setting] = value
            return bool(self._subscribers)

    def flush(self) -> float | None:
        """Send what waits; returns in how many seconds the next subscription ends."""
        with self._lock:
            self._expire()
            known = list(self._subscribers.values())
            notices, self._notices = self._notices, deque(maxlen=NOTICES_MAX)
            values, self._values = self._values, {}
        for told in notices:
            targets = [one.target for one in known if one.after < told.sequence]
            _send(targets, encode_event(told))
        for (scene, source, field), value in values.items():
            _send([one.target for one in known], encode_value(scene, source, field, value))
        ends_s = [one.until_s for one in known]
        return max(0.0, min(ends_s) - self._clock()) if ends_s else None

    def _expire(self) -> None:
        now_s = self._clock()
        ended = [key for key, one in self._subscribers.items() if one.until_s <= now_s]
        for key in ended:
            del self._subscribers[key]


def _send(targets: list[Peer], packet: bytes) -> None:
    for target in targets:
        if target.waiting_bytes > BACKLOG_MAX_BYTES:
            continue
        try:
            target.send(packet)
        except Exception:
            log.exception("A subscriber could not be told; the others are.")
