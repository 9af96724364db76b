"""Each request of the contract becomes one call of the service; the table says which."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from engine.server.asked import Desk
from engine.server.edits import edit_of, result_of
from engine.server.models import ModelHandlers
from engine.server.renders import RenderHandlers
from engine.server.scenes import SceneHandlers
from engine.server.sources import SourceHandlers
from engine.server.takes import TakeHandlers
from engine.server.whole import EngineHandlers
from engine.service import EngineService
from osc_bridge import schema
from osc_bridge.errors import WildtrackError
from osc_bridge.reply import Reply
from osc_bridge.schema import Request, Result

Answer = Callable[[Any, Reply], Result | None]
Outcome = Result | WildtrackError | None


class Handlers:
    """Answers every request; jobs keep their reply and end it from a worker."""

    def __init__(
        self, service: EngineService, stop: threading.Event, capabilities: tuple[str, ...] = ()
    ) -> None:
        self._service = service
        self._desk = Desk(service)
        self._sources = SourceHandlers(self._desk)
        self._table = self._answers(stop, capabilities)

    def answer(self, request: Request[Any], reply: Reply) -> Result | None:
        """Answer at once, or return None and end ``reply`` later."""
        return self._table[type(request)](request, reply)

    def edit(self, replies: Sequence[Reply]) -> Sequence[Outcome]:
        """Make many changes of scenes with one flush to the disk; return the outcome of each.

        Words that were sent after a file must come after it in the scene, too: they keep their
        reply while additions to that scene are under way.
        """
        now = [reply for reply in replies if not self._must_wait(reply.request)]
        outcomes: dict[Reply, Outcome] = dict(zip(now, self._edit(now), strict=True))
        for reply in replies:
            if reply not in outcomes:
                outcomes[reply] = self._later(reply)
        return [outcomes[reply] for reply in replies]

    def _must_wait(self, request: Request[Any]) -> bool:
        return isinstance(request, schema.AddText) and self._service.adding.text_must_wait(
            request.scene
        )

    def _later(self, reply: Reply) -> Outcome:
        request: Any = reply.request
        try:
            self._sources.add_text(request, reply)
        except WildtrackError as error:
            return error
        return None

    def _edit(self, replies: Sequence[Reply]) -> list[Outcome]:
        requests: list[Any] = [reply.request for reply in replies]
        found = self._service.scenes.change_all(
            [edit_of(request, self._service.shaping.picture_size) for request in requests],
            [self._desk.client(reply) for reply in replies],
        )
        outcomes: list[Outcome] = []
        for request, now in zip(requests, found, strict=True):
            outcomes.append(now if isinstance(now, WildtrackError) else result_of(request, now))
            self._tell_values(request, outcomes[-1])
        return outcomes

    def _tell_values(self, request: Any, outcome: Outcome) -> None:
        """Let faders follow what was set, and what undo and redo may have set."""
        notices = self._service.notices
        if isinstance(outcome, schema.SourceChanged):
            notices.value(outcome.scene, outcome.source, outcome.field, outcome.value)
        elif isinstance(request, schema.Undo | schema.Redo) and isinstance(outcome, Result):
            notices.values(self._service.scenes.get(request.scene))

    def _answers(
        self, stop: threading.Event, capabilities: tuple[str, ...]
    ) -> dict[type[Request[Any]], Answer]:
        desk, sources = self._desk, self._sources
        whole, scenes = EngineHandlers(desk, stop, capabilities), SceneHandlers(desk)
        renders, takes, models = RenderHandlers(desk), TakeHandlers(desk), ModelHandlers(desk)
        return {
            schema.Hello: whole.hello,
            schema.Status: whole.status,
            schema.Quit: whole.quit,
            schema.NewScene: scenes.new,
            schema.OpenScene: scenes.open,
            schema.SaveScene: scenes.save,
            schema.ListScenes: scenes.list,
            schema.SnapshotScene: scenes.snapshot,
            schema.ListSources: scenes.sources,
            schema.AddImage: sources.add_image,
            schema.AddRegion: sources.add_region,
            schema.AddAudio: sources.add_audio,
            schema.DetectAgain: sources.detect,
            schema.SplitSource: sources.split,
            schema.MergeSources: sources.merge,
            schema.Render: renders.render,
            schema.RenderSource: renders.render_source,
            schema.ListJobs: renders.list,
            schema.CancelJob: renders.cancel,
            schema.PrioritiseJob: renders.prioritise,
            schema.ListTakes: takes.list,
            schema.RenameTake: takes.rename,
            schema.StarTake: takes.star,
            schema.DeleteTake: takes.delete,
            schema.RestoreTake: takes.restore,
            schema.CompareTakes: takes.compare,
            schema.ListModels: models.list,
            schema.LoadModel: models.load,
            schema.UnloadModel: models.unload,
        }
