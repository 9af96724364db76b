"""One thread that waits for sockets; the only place where the bridge touches a selector."""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
from collections.abc import Callable
from typing import Final

log = logging.getLogger(__name__)

READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE
Ready = Callable[[int], None]


class SocketLoop:
    """Calls ``ready(events)`` of each socket on its own thread until it is closed.

    `watch`, `change` and `forget` belong to the loop's thread (or to the time before `start`);
    `wake` and `close` may be called from any.
    """

    def __init__(self, name: str, on_wake: Callable[[], None] | None = None) -> None:
        self._selector = selectors.DefaultSelector()
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._woken.setblocking(False)
        self._on_wake = on_wake
        self._ready: dict[socket.socket, Ready] = {}
        self._is_asked = False
        self._running = True
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.watch(self._woken, READ, self._drain)

    def start(self) -> None:
        """Begin to wait."""
        self._thread.start()

    def watch(self, sock: socket.socket, events: int, ready: Ready) -> None:
        """Call ``ready`` whenever the socket can do one of ``events``."""
        self._ready[sock] = ready
        self._selector.register(sock, events, ready)

    def change(self, sock: socket.socket, events: int) -> None:
        """Wait for other events of a watched socket; 0 lets it rest until the next change."""
        key = self._selector.get_map().get(sock)
        if key is None:
            if events:
                self._selector.register(sock, events, self._ready[sock])
        elif not events:
            self._selector.unregister(sock)
        elif key.events != events:
            self._selector.modify(sock, events, key.data)

    def forget(self, sock: socket.socket) -> None:
        """Watch the socket no longer."""
        self._ready.pop(sock, None)
        with contextlib.suppress(KeyError):
            self._selector.unregister(sock)

    def wake(self) -> None:
        """Let the loop's thread call ``on_wake`` soon: once for all wakes until then."""
        if self._is_asked:
            return
        self._is_asked = True
        if not self.is_own_thread:
            self._interrupt()

    def _interrupt(self) -> None:
        with contextlib.suppress(OSError):  # a full pipe wakes as well; a closed one need not
            self._waker.send(b"\0")

    @property
    def is_own_thread(self) -> bool:
        """Whether the caller runs on the loop's thread."""
        return threading.current_thread() is self._thread

    def close(self) -> None:
        """Stop, wait for the thread, free the selector; watched sockets stay the caller's."""
        if not self._running:
            return
        self._running = False
        self._interrupt()
        if self._thread.ident is not None and not self.is_own_thread:
            self._thread.join()
        self._waker.close()
        if self._thread.ident is None:
            self._release()

    def _run(self) -> None:
        while self._running:
            for key, events in self._selector.select(0 if self._is_asked else None):
                self._call(key.data, events)
            if self._is_asked:
                self._is_asked = False  # before the work: what is asked during it comes again
                self._call(self._answer_wake, 0)
        self._release()

    def _call(self, ready: Ready, events: int) -> None:
        try:
            ready(events)
        except Exception:
            log.exception("A network callback failed; the loop goes on.")

    def _drain(self, _events: int) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._woken.recv(4096):
                pass

    def _answer_wake(self, _events: int) -> None:
        if self._on_wake:
            self._on_wake()

    def _release(self) -> None:
        self._selector.close()
        self._woken.close()
        self._ready.clear()
