"""A scene with what it was before: undo and redo, the same after a replay of the journal.

A step is one change for people: settings of one thing that follow each other within a second, such
as a fader or a box being drawn or a name being typed, are one step; so are those of several faders
that are drawn at once. A switch is one each time.
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

_FADERS = frozenset(("weight", "gain_db", "pan", "start_sample", "duration_samples"))
_DRAWN = _FADERS | {"box", "label", "text", "name"}
"""What passes through values that nobody wants to return to."""

_SEVERAL = "several"
"""The field of a drag of several faders at once."""


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
    steps: int
    """How many of the latest steps are drags that followed each other within the time."""


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
    what, drag = said(edit), _drag(edit, time_ms)
    if drag is not None and now.drag is not None and _follows(now.drag, drag):
        return _drawn_on(now, now.drag, scene, what, drag)
    return Timeline(scene, _put(now.undo, Step(now.scene, what)), (), what, drag)


def _drawn_on(now: Timeline, before: Drag, scene: Scene, what: str, drag: Drag) -> Timeline:
    """Go on with a drag, or, when a fader moves again after others, make one drag of them all."""
    is_same = (before.source, before.field) == (drag.source, drag.field)
    is_fader = _is_fader(before) and _is_fader(drag)
    if is_same or (is_fader and before.field == _SEVERAL):
        same = altered(before, time_ms=drag.time_ms)
        return Timeline(scene, now.undo, (), now.what, same)
    if not is_fader:
        return Timeline(scene, _put(now.undo, Step(now.scene, what)), (), what, drag)
    run = now.undo[-before.steps :]
    begun = next((place for place, step in enumerate(run) if step.what == what), None)
    if begun is None:
        steps = _put(now.undo, Step(now.scene, what))
        return Timeline(scene, steps, (), what, altered(drag, steps=len(run) + 1))
    several = "Set several faders."
    undo = (*now.undo[: len(now.undo) - len(run) + begun], Step(run[begun].scene, several))
    return Timeline(scene, undo, (), several, Drag("", _SEVERAL, drag.time_ms, begun + 1))


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
    return Drag(source, field, time_ms, 1) if field in _DRAWN and time_ms is not None else None


def _is_fader(drag: Drag) -> bool:
    return drag.field == _SEVERAL or (drag.field in _FADERS and drag.source != "")


def _follows(before: Drag, drag: Drag) -> bool:
    return 0 <= drag.time_ms - before.time_ms <= DRAG_MS


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
