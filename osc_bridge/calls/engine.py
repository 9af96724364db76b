"""The engine itself: its health, its packs, its notices."""

from __future__ import annotations

from collections.abc import Callable

from osc_bridge.caller import Caller, OnProgress
from osc_bridge.calls.pages import read_pages
from osc_bridge.errors import WildtrackError
from osc_bridge.schema import (
    EngineStatus,
    ListModels,
    LoadModel,
    ModelLoaded,
    ModelRow,
    Notice,
    Ping,
    Pong,
    Quit,
    SetSource,
    Status,
    Subscribe,
    Subscribed,
    Sync,
    UnloadModel,
    Unsubscribe,
)
from osc_bridge.subscription import Callbacks, Subscription, ignore

LOAD_S = 600.0
SYNC_S = 600.0
_RENEW_S = 5.0


class EngineCalls(Caller):
    """What a client asks of the engine as a whole."""

    _subscription: Subscription | None = None

    def ping(self, timeout_s: float = 2.0) -> Pong:
        """Ask for a sign of life."""
        return self.call(Ping(), timeout_s)

    def status(self) -> EngineStatus:
        """How the engine is."""
        return self.call(Status())

    def sync(self, timeout_s: float = SYNC_S, on_progress: OnProgress | None = None) -> None:
        """Wait until every request that this client sent before has ended."""
        self.call(Sync(), timeout_s, on_progress)

    def models(self) -> list[ModelRow]:
        """All packs that are loaded or can be."""
        pages = read_pages(lambda page: self.call(ListModels(page)))
        return [row for page in pages for row in page.rows]

    def load_model(
        self, pack: str, on_progress: OnProgress | None = None, timeout_s: float = LOAD_S
    ) -> ModelLoaded:
        """Load a pack if need be, and render with it from now on."""
        return self.call_or_cancel(LoadModel(pack), timeout_s, on_progress)

    def unload_model(self, pack: str) -> None:
        """Free the memory of a pack that does not render."""
        self.call(UnloadModel(pack))

    def subscribe(
        self,
        on_notice: Callable[[Notice], None],
        on_value: Callable[[SetSource], None] = ignore,
        on_gap: Callable[[int], None] = ignore,
        on_lost: Callable[[WildtrackError], None] = ignore,
        lifetime_s: float = 60.0,
    ) -> Subscribed:
        """Be told what happens, until `unsubscribe` or `close`; a second one replaces the first.

        The callbacks run on a thread of their own, one at a time, and may call the engine. The
        subscription is renewed at each third of its lifetime.

        Args:
            on_notice: gets each notice (`osc_bridge.messages.notices`).
            on_value: gets the setting of a source that changed, of several at once the newest.
            on_gap: how many notices were lost, 0 when that is not known because the engine has
                begun anew: read the scenes again.
            on_lost: why the connection is gone: connect a new client.
            lifetime_s: 5 to 3600 seconds.
        """
        if self._drop(wait=True) is not None:
            self.call(Unsubscribe())  # what waits for the first one is not for the second
        request = Subscribe(0, lifetime_s)
        callbacks = Callbacks(on_notice, on_value, on_gap, on_lost)
        subscription = Subscription(callbacks, lambda: self.call(request, _RENEW_S))
        self.hear_with(subscription.hear)
        try:
            begun = self.call(request)
        except BaseException:
            self.hear_with(None)
            raise
        self._subscription = subscription
        subscription.start(begun)
        return begun

    def unsubscribe(self) -> None:
        """Be told nothing any more."""
        self._drop(wait=True)
        self.call(Unsubscribe())

    def quit(self) -> None:
        """End the engine."""
        self.call(Quit())

    def close(self) -> None:
        """Close the link; calls that wait end with EngineUnreachable, no callback comes after."""
        subscription = self._drop(wait=False)
        super().close()
        if subscription is not None:
            subscription.join()

    def _drop(self, *, wait: bool) -> Subscription | None:
        """Hear nothing more; returns what heard so far."""
        subscription, self._subscription = self._subscription, None
        self.hear_with(None)
        if subscription is not None:
            subscription.stop()
            if wait:
                subscription.join()
        return subscription
