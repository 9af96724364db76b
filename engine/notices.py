"""What the engine tells those who subscribed: scenes, jobs, takes, packs and itself.

Parts of the engine speak here; the server listens once it is there (`connect`). Until then, and
for whom nobody listens, a notice is dropped: it says what happened, and state can be asked for.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Protocol

from engine.jobs.job import JobNews
from engine.models.news import ModelNews
from engine.scene.model import Scene
from osc_bridge.fields import Value
from osc_bridge.messages.base import Notice
from osc_bridge.messages.notices import (
    EngineNotice,
    JobNotice,
    ModelNotice,
    SceneNotice,
    TakeNotice,
)
from osc_bridge.ranges import PACK, SETTABLE

_log = logging.getLogger(__name__)


_FADERS = tuple(name for name in SETTABLE if name != "text")


class House(Protocol):
    """Where those who subscribed are (`osc_bridge.server.OscServer`)."""

    @property
    def clients(self) -> int: ...
    @property
    def subscribers(self) -> int: ...
    def tell(self, notice: Notice) -> None: ...
    def tell_value(self, scene: str, source: str, field: str, value: Value) -> None: ...


class Notices:
    """Makes notices of what happened. Methods may be called from any thread and never wait."""

    def __init__(self) -> None:
        self._house: House | None = None

    def connect(self, house: House) -> None:
        """Tell from now on."""
        self._house = house

    def audience(self) -> tuple[int, int]:
        """Return how many clients there are, and how many of them subscribe."""
        house = self._house
        return (0, 0) if house is None else (house.clients, house.subscribers)

    def scene(self, scene: str, revision: int, what: str, client: str) -> None:
        """A scene has changed; this is said thousands of times a second, mostly to nobody."""
        if self._house is not None and self._house.subscribers:
            self._tell(SceneNotice(scene, revision, what, client))

    def job(self, news: JobNews) -> None:
        """A job is in another state, or further."""
        title = news.title
        self._tell(
            JobNotice(
                title.request_id,
                title.address,
                title.scene,
                title.source,
                news.state,
                news.fraction,
                news.sentence,
            )
        )

    def take(self, take: str, scene: str, change: str) -> None:
        """A take was made, renamed, starred, deleted or restored."""
        self._tell(TakeNotice(take, scene, change))

    def model(self, news: ModelNews) -> None:
        """A pack was loaded, unloaded, evicted or chosen, or did not load."""
        if news.state == "failed":
            _log.warning("%s", news.sentence)
        else:
            _log.info("%s", news.sentence)
        pack = shown_pack(news.pack)
        self._tell(ModelNotice(pack, news.state, news.device, news.sentence))

    def value(self, scene: str, source: str, field: str, value: Value) -> None:
        """A setting of a source has this value now; for faders that follow."""
        if self._house is not None and self._house.subscribers:
            self._house.tell_value(scene, source, field, value)

    def values(self, scene: Scene) -> None:
        """Any setting of the scene may have changed, as by undo."""
        for source in scene.sources:
            for field in _FADERS:
                self.value(scene.id, source.id, field, getattr(source, field))

    def engine(self, kind: str, sentence: str) -> None:
        """Something about the engine itself that the artist should know; also in the log."""
        _log.warning("%s", sentence)
        self._tell(EngineNotice(kind, sentence))

    def _tell(self, notice: Notice) -> None:
        if self._house is not None:
            self._house.tell(notice)


def shown_pack(name: str) -> str:
    """Return how messages name a pack: one given by its folder has the folder's name alone."""
    return name if len(name) <= PACK.high else Path(name).name[-PACK.high :]
