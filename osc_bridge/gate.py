"""Who may speak: clients from outside loopback must have shown the engine's token in a hello."""

from __future__ import annotations

import hmac
import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

from osc_bridge.errors import NotAuthorised, WildtrackError
from osc_bridge.schema import Hello, Request

KNOWN_MAX = 1024
"""Clients that are known; the one that was silent for longest gives way."""
SILENCE_S = 600.0
"""Who sends datagrams and was silent for longer says hello again: another may have the address."""


class Gate:
    """The clients that have shown the token; an empty token lets nobody in."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._heard_s: OrderedDict[Hashable, float] = OrderedDict()
        self._lock = threading.Lock()

    def check(
        self,
        client: Hashable,
        request: Request[Any] | WildtrackError,
        now_s: float,
        *,
        is_connected: bool = False,
    ) -> None:
        """Let a request pass, or refuse it; ``now_s`` are seconds of any steady clock.

        A hello decides anew, for its sender may be another program than before. A connection is its
        client's alone, so that silence ends nothing there.

        Raises:
            NotAuthorised: the client has not shown the token, or not the right one.
        """
        is_hello = isinstance(request, Hello)
        is_right = isinstance(request, Hello) and self._is_right(request.token)
        with self._lock:
            heard_s = self._heard_s.pop(client, None)
            if is_hello and not is_right:
                raise _refusal("The token of this hello is not the engine's")
            is_known = heard_s is not None and (is_connected or now_s - heard_s <= SILENCE_S)
            if not (is_known or is_hello):
                raise _refusal("No hello with the token came before this message")
            self._heard_s[client] = now_s
            if len(self._heard_s) > KNOWN_MAX:
                self._heard_s.popitem(last=False)

    def forget(self, client: Hashable) -> None:
        """Drop a client that is gone."""
        with self._lock:
            self._heard_s.pop(client, None)

    def _is_right(self, token: str) -> bool:
        return bool(self._token) and hmac.compare_digest(token.encode(), self._token)


def _refusal(why: str) -> NotAuthorised:
    return NotAuthorised(
        f"{why}: only the text of the engine's token file is allowed as token; send it in a hello."
    )
