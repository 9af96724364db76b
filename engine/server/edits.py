"""The requests that are short changes of a scene: what they change, and their answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.scene.cutting import Size, set_box
from engine.scene.edits import (
    AddSources,
    Edit,
    Plan,
    Redo,
    Remove,
    Reorder,
    SetField,
    SetSceneField,
    Undo,
)
from engine.scene.history import Timeline
from engine.service.adding import text_source
from osc_bridge import schema
from osc_bridge.schema import Request, Result

SizeOf = Callable[[str], Size]
"""Width and height of a picture of the session (``MediaStore.picture_size``)."""

_EDITS: Mapping[type[Request[Any]], Callable[[Any], Edit]] = {
    schema.SetSource: lambda r: SetField(r.source, r.field, r.value),
    schema.SetScene: lambda r: SetSceneField(r.field, r.value),
    schema.ReorderSource: lambda r: Reorder(r.source, r.position),
    schema.RemoveSource: lambda r: Remove(r.source),
    schema.Undo: lambda _: Undo(),
    schema.Redo: lambda _: Redo(),
    schema.AddText: lambda r: AddSources((text_source(r.text),)),
}


def edit_of(request: Any, size_of: SizeOf) -> tuple[str, Edit | Plan]:
    """Return which scene a request changes, and how."""
    if isinstance(request, schema.SetBox):
        return request.scene, _box(request, size_of)
    return request.scene, _EDITS[type(request)](request)


def _box(request: schema.SetBox, size_of: SizeOf) -> Plan:
    box = (request.x0, request.y0, request.x1, request.y1)
    return lambda scene: set_box(scene, request.source, box, size_of)


def result_of(request: Any, now: Timeline) -> Result:
    """Return the answer to an edit that led to ``now``."""
    if isinstance(request, schema.SetSource):
        value = getattr(now.scene.source(request.source), request.field)
        return schema.SourceChanged(request.scene, request.source, request.field, value)
    if isinstance(request, schema.AddText):
        return schema.SourcesAdded(request.scene, (now.scene.sources[-1].id,))
    return state_of(now)


def state_of(now: Timeline) -> schema.SceneState:
    """Return how a scene is."""
    history = now.history
    return schema.SceneState(
        now.scene.id, now.scene.revision, history.undo_steps, history.redo_steps, history.what
    )
