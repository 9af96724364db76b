"""The client's end of a subscription: callbacks on a thread of their own, renewed in time.

The thread that reads the link only queues, so that a callback may call the engine. A callback that
is slow delays the others; what does not fit the queue meanwhile is told as a gap.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from osc_bridge.errors import EngineUnreachable, WildtrackError
from osc_bridge.events import Told
from osc_bridge.schema import Notice, SetSource, Subscribed

log = logging.getLogger(__name__)

BACKLOG_MAX = 4096
"""Notices that wait for the callbacks."""
RENEWALS = 3
"""How often a subscription is renewed in its lifetime."""
_JOIN_S = 5.0

Heard = Told | SetSource | WildtrackError


def ignore(_: object) -> None:
    """A callback that does nothing."""


@dataclass(frozen=True)
class Callbacks:
    """Who is called for what (see `osc_bridge.client.Client.subscribe`)."""

    on_notice: Callable[[Notice], None]
    on_value: Callable[[SetSource], None] = ignore
    on_gap: Callable[[int], None] = ignore
    on_lost: Callable[[WildtrackError], None] = ignore


class Subscription:
    """Hears what the engine tells; ``renew`` subscribes again at each third of the lifetime."""

    def __init__(self, callbacks: Callbacks, renew: Callable[[], Subscribed]) -> None:
        self._callbacks = callbacks
        self._renew = renew
        self._inbox: queue.Queue[Heard | None] = queue.Queue(BACKLOG_MAX)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="osc-subscription", daemon=True)
        self._last = 0
        self._promised = 0
        self._period_s = 0.0

    def start(self, begun: Subscribed) -> None:
        """Call back from now on; ``begun`` is the answer to the first subscribe."""
        self._last = self._promised = begun.sequence
        self._period_s = begun.lifetime_s / RENEWALS
        self._thread.start()

    def stop(self) -> None:
        """Call back no more after the callback that is at work."""
        self._stopping.set()
        self._put(None)

    def join(self) -> None:
        """Wait for the callback that is at work, unless it is the one that asks."""
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(_JOIN_S)

    def hear(self, heard: Heard) -> None:
        """Queue what arrived; drops it when too much waits (a notice then leaves a gap)."""
        self._put(heard)

    def _put(self, heard: Heard | None) -> None:
        try:
            self._inbox.put_nowait(heard)
        except queue.Full:
            log.warning("%d notices wait for a slow callback: one is dropped.", BACKLOG_MAX)

    def _run(self) -> None:
        due_s = time.monotonic() + self._period_s
        while not self._stopping.is_set():
            try:
                heard = self._inbox.get(timeout=max(due_s - time.monotonic(), 0.0))
            except queue.Empty:
                heard = None
            if heard is not None and not self._stopping.is_set():
                self._tell(heard)
            if not self._stopping.is_set() and time.monotonic() >= due_s:
                self._renew_now()
                due_s = time.monotonic() + self._period_s

    def _tell(self, heard: Heard) -> None:
        try:
            if isinstance(heard, Told):
                self._check_sequence(heard.sequence)
                self._callbacks.on_notice(heard.notice)
            elif isinstance(heard, SetSource):
                self._callbacks.on_value(heard)
            else:
                self._stopping.set()
                self._callbacks.on_lost(heard)
        except Exception:
            log.exception("A callback of the subscription failed.")

    def _check_sequence(self, sequence: int) -> None:
        expected = self._last + 1
        self._last = sequence
        if sequence != expected:
            self._callbacks.on_gap(max(sequence - expected, 0))

    def _renew_now(self) -> None:
        """Subscribe again; by now all that the last answer counted must have come."""
        missed = self._promised - self._last
        try:
            if missed > 0:
                self._last = self._promised
                self._callbacks.on_gap(missed)
            self._promised = self._renew().sequence
        except EngineUnreachable:
            return  # `on_lost` comes by itself
        except WildtrackError as error:
            log.warning("The subscription was not renewed, it is tried again: %s", error)
        except Exception:
            log.exception("A callback of the subscription failed.")
