"""Handlers of the group ``scene``, but for those that are edits."""

from __future__ import annotations

from engine.scene.model import Scene, Source
from engine.server.asked import Desk
from engine.server.edits import state_of
from osc_bridge import paging, schema
from osc_bridge.reply import Reply
from osc_bridge.schema import Result


class SceneHandlers:
    """New, open, save, list, snapshot, and the list of a scene's sources."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._scenes = desk.service.scenes

    def new(self, request: schema.NewScene, reply: Reply) -> Result:
        scene = self._scenes.new(
            request.name,
            request.start_sample,
            request.duration_samples,
            request.seed,
            self._desk.client(reply),
        )
        return schema.SceneMade(scene.id)

    def open(self, request: schema.OpenScene, _reply: Reply) -> Result:
        return state_of(self._scenes.timeline(request.scene))

    def save(self, request: schema.SaveScene, _reply: Reply) -> Result:
        return state_of(self._scenes.save(request.scene))

    def list(self, request: schema.ListScenes, _reply: Reply) -> Result:
        rows = [_scene_row(scene) for scene in self._scenes.intact()]
        return paging.scene_page(request.page, rows)

    def snapshot(self, request: schema.SnapshotScene, _reply: Reply) -> Result:
        now = self._scenes.timeline(request.scene)
        scene, history = now.scene, now.history
        head = paging.SceneHead(
            scene.id,
            scene.revision,
            scene.name,
            scene.start_sample,
            scene.duration_samples,
            scene.seed,
            scene.frame,
            history.undo_steps,
            history.redo_steps,
        )
        return paging.snapshot_page(head, request.page, [_row(s) for s in scene.sources])

    def sources(self, request: schema.ListSources, _reply: Reply) -> Result:
        scene = self._scenes.get(request.scene)
        rows = [_row(source) for source in scene.sources]
        return paging.source_page(scene.id, scene.revision, request.page, rows)


def _scene_row(scene: Scene) -> schema.SceneRow:
    return schema.SceneRow(
        scene.id,
        scene.name,
        scene.start_sample,
        scene.duration_samples,
        scene.seed,
        len(scene.sources),
        scene.revision,
    )


def _row(source: Source) -> schema.SourceRow:
    x0, y0, x1, y1 = source.box or (0, 0, 0, 0)
    return schema.SourceRow(
        source=source.id,
        kind=source.kind,
        label=source.label,
        x0=x0,
        y0=y0,
        x1=x1,
        y1=y1,
        weight=source.weight,
        gain_db=source.gain_db,
        pan=source.pan,
        mute=source.mute,
        solo=source.solo,
        seed=source.seed,
        start_sample=source.start_sample,
        duration_samples=source.duration_samples,
        chain=source.chain,
        cat_id=source.cat_id,
        text=source.text,
        media=source.media,
    )
