"""A scene with what it was before: undo and redo, the same after a replay of the journal.

A step is one change for people: settings of one thing that follow each other within a second, such
as a fader or a box being drawn or a name being typed, are one step. A switch is one each time.
Undo and redo raise the revision like any edit, and never take back which ids were used.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.scene import applying
from engine.scene.edits import Edit, NewScene, Redo, SetBox, SetField, SetSceneField, Undo
from engine.scene.model import Scene, altered
from engine.scene.wording import said
from osc_bridge.errors import BadArguments, NothingToUndo

MAX_STEPS = 100
"""How many steps can be taken back; the oldest is forgotten first."""

DRAG_MS = 1_000
"""Settings of the same field that follow each other within this time are one step."""

_DRAWN = frozenset(
    ("weight", "gain_db", "pan", "start_sample", "duration_samples", "box", "label", "text", "name")
)
"""What passes through values that nobody wants to return to."""


@dataclass(frozen=True)
class History:
    """How many steps undo and redo can go, and what changed last, for people."""

    undo_steps: int
    redo_steps: int
    what: str


@dataclass(frozen=True)
class Step:
    """The scene on the other side of a step, and what the step did."""

    scene: Scene
    what: str


@dataclass(frozen=True)
class Drag:
    """The setting that the latest step ends in, while it may go on; ``source`` "": the scene's."""

    source: str
    field: str
    time_ms: int


@dataclass(frozen=True)
class Timeline:
    """A scene as it is, the steps back from it and forth, the nearest last."""

    scene: Scene
    undo: tuple[Step, ...] = ()
    redo: tuple[Step, ...] = ()
    what: str = ""
    drag: Drag | None = None

    @property
    def history(self) -> History:
        """What a client is told of it."""
        return History(len(self.undo), len(self.redo), self.what)


def begin(edit: Edit) -> Timeline:
    """Return the timeline of a new scene; BadArguments when ``edit`` does not begin one."""
    if not isinstance(edit, NewScene):
        raise BadArguments("The first edit of a scene is NewScene; this one begins otherwise.")
    return Timeline(applying.begin(edit), what=said(edit))


def advance(now: Timeline, edit: Edit, time_ms: int | None) -> Timeline:
    """Return the timeline after ``edit``, ``now`` itself when the edit changes nothing.

    ``time_ms`` is when it was made, in milliseconds; None where nobody wrote that down. Raises a
    WildtrackError and changes nothing otherwise.
    """
    if isinstance(edit, Undo):
        return _undone(now)
    if isinstance(edit, Redo):
        return _redone(now)
    if isinstance(edit, NewScene):
        raise BadArguments("A scene begins once; this journal begins it again.")
    scene = applying.apply(now.scene, edit)
    if scene is now.scene:
        return now
    drag = _drag(edit, time_ms)
    if now.undo and _goes_on(now.drag, drag):
        return Timeline(scene, now.undo, (), now.what, drag)
    what = said(edit)
    return Timeline(scene, _put(now.undo, Step(now.scene, what)), (), what, drag)


def _drag(edit: Edit, time_ms: int | None) -> Drag | None:
    """What ``edit`` draws on, None for what is a step by itself."""
    source, field = "", ""
    match edit:
        case SetField():
            source, field = edit.source, edit.field
        case SetSceneField():
            field = edit.field
        case SetBox():
            source, field = edit.source, "box"
    return Drag(source, field, time_ms) if field in _DRAWN and time_ms is not None else None


def _goes_on(before: Drag | None, drag: Drag | None) -> bool:
    return (
        before is not None
        and drag is not None
        and (before.source, before.field) == (drag.source, drag.field)
        and 0 <= drag.time_ms - before.time_ms <= DRAG_MS
    )


def _undone(now: Timeline) -> Timeline:
    if not now.undo:
        raise NothingToUndo(
            f"Scene {now.scene.id} has nothing to undo; up to {MAX_STEPS} steps are kept, and all "
            "that are left have been taken back: edit on, or redo (scene/redo)."
        )
    step = now.undo[-1]
    redo = (*now.redo, Step(now.scene, step.what))
    return Timeline(_back_to(step, now.scene), now.undo[:-1], redo, f"Undone: {step.what}")


def _redone(now: Timeline) -> Timeline:
    if not now.redo:
        raise NothingToUndo(
            f"Scene {now.scene.id} has nothing to redo; redo follows an undo (scene/undo), and "
            "each new edit ends it: make the change again."
        )
    step = now.redo[-1]
    undo = _put(now.undo, Step(now.scene, step.what))
    return Timeline(_back_to(step, now.scene), undo, now.redo[:-1], f"Redone: {step.what}")


def _back_to(step: Step, now: Scene) -> Scene:
    return altered(step.scene, revision=now.revision + 1, next_source=now.next_source)


def _put(steps: tuple[Step, ...], step: Step) -> tuple[Step, ...]:
    return (*steps[-(MAX_STEPS - 1) :], step)
