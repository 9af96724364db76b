"""A scene with its history as one JSON document: each source that several steps share, once.

``sources`` of a scene are positions in the document's list of sources. The format of the first
release, a scene alone, is read as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.scene import codec, limits, strict
from engine.scene.history import MAX_STEPS, Drag, Step, Timeline
from engine.scene.model import MAX_SOURCES, Scene, Source
from engine.scene.wording import MAX_CHARACTERS
from osc_bridge.errors import BadSession, WildtrackError


@dataclass(frozen=True)
class _SceneRow:
    name: str
    seed: int
    duration_samples: int
    start_sample: int
    frame: str
    sources: tuple[int, ...]
    next_source: int
    revision: int


@dataclass(frozen=True)
class _StepRow:
    what: str
    scene: _SceneRow


@dataclass(frozen=True)
class _Document:
    format: int
    id: str
    what: str
    drag: Drag | None
    scene: _SceneRow
    undo: tuple[_StepRow, ...]
    redo: tuple[_StepRow, ...]
    sources: tuple[Source, ...]


def timeline_to_json(timeline: Timeline) -> str:
    """Return the timeline as one line of JSON."""
    rows = _Rows()
    document = _Document(
        format=codec.FORMAT,
        id=timeline.scene.id,
        what=timeline.what,
        drag=timeline.drag,
        scene=rows.row(timeline.scene),
        undo=rows.steps(timeline.undo),
        redo=rows.steps(timeline.redo),
        sources=tuple(rows.sources),
    )
    return strict.to_json(document)


def timeline_from_json(text: str | bytes) -> Timeline:
    """Return the timeline, or raise BadSession."""
    data = strict.parse(text)
    if codec.is_old(data):
        return Timeline(codec.scene_of(data))
    codec.require_format(data)
    document = strict.build(_Document, data, "A snapshot")
    if not codec.is_scene_id(document.id):
        raise BadSession(f"A scene is called {document.id[:40]!r}; expected scene1, scene2, ...")
    try:
        timeline = _timeline(document)
        _check_sources(timeline.scene, document.sources)
        _check_steps(timeline)
    except WildtrackError as error:
        raise BadSession(f"Scene {document.id} is damaged: {error}") from error
    return timeline


class _Rows:
    """Scenes as rows that share one list of sources, told apart by what object they are."""

    def __init__(self) -> None:
        self.sources: list[Source] = []
        self._positions: dict[int, int] = {}

    def row(self, scene: Scene) -> _SceneRow:
        return _SceneRow(
            name=scene.name,
            seed=scene.seed,
            duration_samples=scene.duration_samples,
            start_sample=scene.start_sample,
            frame=scene.frame,
            sources=tuple(self._position(source) for source in scene.sources),
            next_source=scene.next_source,
            revision=scene.revision,
        )

    def steps(self, steps: Iterable[Step]) -> tuple[_StepRow, ...]:
        return tuple(_StepRow(step.what, self.row(step.scene)) for step in steps)

    def _position(self, source: Source) -> int:
        position = self._positions.setdefault(id(source), len(self.sources))
        if position == len(self.sources):
            self.sources.append(source)
        return position


def _timeline(document: _Document) -> Timeline:
    def scene(row: _SceneRow) -> Scene:
        used = row.sources
        if len(used) > MAX_SOURCES or not all(
            0 <= position < len(document.sources) for position in used
        ):
            raise BadSession(f"A scene has the sources {used[:8]} ...; some are not there.")
        fields = {**vars(row), "sources": tuple(document.sources[position] for position in used)}
        return Scene(id=document.id, **fields)

    def steps(rows: tuple[_StepRow, ...]) -> tuple[Step, ...]:
        return tuple(Step(scene(row.scene), _sentence(row.what)) for row in rows)

    return Timeline(
        scene(document.scene),
        steps(document.undo),
        steps(document.redo),
        _sentence(document.what),
        document.drag,
    )


def _check_sources(scene: Scene, sources: tuple[Source, ...]) -> None:
    codec.check_media(source.media for source in sources)
    for source in sources:
        limits.check_source(scene, source)


def _check_steps(timeline: Timeline) -> None:
    now = timeline.scene
    if max(len(timeline.undo), len(timeline.redo)) > MAX_STEPS:
        raise BadSession(f"It has more than {MAX_STEPS} steps to undo or redo.")
    for scene in (now, *(step.scene for step in (*timeline.undo, *timeline.redo))):
        codec.check_media((scene.frame,))
        limits.check_frame_of_scene(scene)
        if scene.revision > now.revision or scene.next_source > now.next_source:
            raise BadSession("A step of it comes after its end.")


def _sentence(what: str) -> str:
    return limits.clean_text(what, "What changed", MAX_CHARACTERS + len("Undone: "))
