"""Scenes: new, open, save, set, list, snapshot, undo, redo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from osc_bridge.fields import ShortText, Value
from osc_bridge.message import Message, Rows
from osc_bridge.messages.base import Request, Result, Setting
from osc_bridge.messages.source import SourceRow
from osc_bridge.ranges import (
    COUNT,
    DURATION,
    MIDNIGHT,
    NAME,
    NEXT_PAGE,
    PAGE,
    REVISION,
    SCENE,
    SCENE_FIELD,
    SCENE_SETTABLE,
    SCENE_SETTING,
    SEED,
    STORED,
    TOTAL,
    WHAT,
)
from osc_bridge.spec import Spec

SHOWN_NAME = ShortText(80, "name for people", "Alley at night")


@dataclass(frozen=True)
class SceneMade(Result):
    """The id of the new scene.

    >>> SceneMade("alley").arguments()
    [('s', 'alley')]
    """

    scene: Annotated[str, SCENE]


@dataclass(frozen=True)
class NewScene(Request[SceneMade]):
    """Make an empty scene; positions are samples at 48 kHz.

    >>> NewScene("Alley", 0, 96000, 7).on_wire(9)
    '/wildtrack/scene/new ,hshhh 9 "Alley" 0 96000 7'
    """

    address: ClassVar[str] = "/scene/new"
    reply: ClassVar[type[Result]] = SceneMade
    name: Annotated[str, NAME]
    start_sample: Annotated[int, MIDNIGHT] = 0
    duration_samples: Annotated[int, DURATION] = 192_000
    seed: Annotated[int, SEED] = 1


@dataclass(frozen=True)
class SceneState(Result):
    """What state the scene is in now, on disk, and what the last change was.

    >>> SceneState("alley", 12, 3, 0, "Set pan of s1.").arguments()[1:]
    [('h', 12), ('i', 3), ('i', 0), ('s', 'Set pan of s1.')]
    """

    scene: Annotated[str, SCENE]
    revision: Annotated[int, REVISION]
    undo_steps: Annotated[int, COUNT]
    redo_steps: Annotated[int, COUNT]
    what: Annotated[str, WHAT]


@dataclass(frozen=True)
class OpenScene(Request[SceneState]):
    """Open a scene of the session: load it, and say in which state it is.

    >>> OpenScene("alley").on_wire(9)
    '/wildtrack/scene/open ,hs 9 "alley"'
    """

    address: ClassVar[str] = "/scene/open"
    reply: ClassVar[type[Result]] = SceneState
    scene: Annotated[str, SCENE]


@dataclass(frozen=True)
class SaveScene(Request[SceneState]):
    """Write the scene's snapshot now; every answered change is on disk without it, too.

    >>> SaveScene("alley").on_wire(9)
    '/wildtrack/scene/save ,hs 9 "alley"'
    """

    address: ClassVar[str] = "/scene/save"
    reply: ClassVar[type[Result]] = SceneState
    scene: Annotated[str, SCENE]


@dataclass(frozen=True)
class SetScene(Setting, Request[SceneState]):
    """Set one field of the scene (see the table of settable fields of a scene).

    >>> SetScene("alley", "duration_samples", 96000).on_wire(9)
    '/wildtrack/scene/set ,hssh 9 "alley" "duration_samples" 96000'
    """

    address: ClassVar[str] = "/scene/set"
    reply: ClassVar[type[Result]] = SceneState
    edits: ClassVar[bool] = True
    settable: ClassVar[dict[str, Spec]] = SCENE_SETTABLE
    scene: Annotated[str, SCENE]
    field: Annotated[str, SCENE_FIELD]
    value: Annotated[Value, SCENE_SETTING]


@dataclass(frozen=True)
class SceneRow(Message):
    """One scene as a list shows it.

    >>> SceneRow("alley", "Alley", 0, 96000, 7, 2, 12).arguments()[5:]
    [('i', 2), ('h', 12)]
    """

    scene: Annotated[str, SCENE]
    name: Annotated[str, SHOWN_NAME]
    start_sample: Annotated[int, MIDNIGHT]
    duration_samples: Annotated[int, DURATION]
    seed: Annotated[int, SEED]
    sources: Annotated[int, COUNT]
    revision: Annotated[int, REVISION]


@dataclass(frozen=True)
class ScenePage(Result):
    """One page of the scenes of the session.

    >>> ScenePage(0, -1, 0, ()).arguments()
    [('i', 0), ('i', -1), ('i', 0)]
    """

    page: Annotated[int, PAGE]
    next_page: Annotated[int, NEXT_PAGE]
    total: Annotated[int, TOTAL]
    rows: Annotated[tuple[SceneRow, ...], Rows(SceneRow, "the scenes of this page")]


@dataclass(frozen=True)
class ListScenes(Request[ScenePage]):
    """List the scenes of the session, page by page.

    >>> ListScenes().on_wire(9)
    '/wildtrack/scene/list ,hi 9 0'
    """

    address: ClassVar[str] = "/scene/list"
    reply: ClassVar[type[Result]] = ScenePage
    page: Annotated[int, PAGE] = 0


@dataclass(frozen=True)
class SceneSnapshot(Result):
    """The whole scene, page by page; pages of different revisions do not belong together.

    >>> SceneSnapshot("alley", 12, "Alley", 0, 96000, 7, "", 3, 0, 0, -1, 0, ()).arguments()[:2]
    [('s', 'alley'), ('h', 12)]
    """

    scene: Annotated[str, SCENE]
    revision: Annotated[int, REVISION]
    name: Annotated[str, NAME]
    start_sample: Annotated[int, MIDNIGHT]
    duration_samples: Annotated[int, DURATION]
    seed: Annotated[int, SEED]
    frame: Annotated[str, STORED]
    undo_steps: Annotated[int, COUNT]
    redo_steps: Annotated[int, COUNT]
    page: Annotated[int, PAGE]
    next_page: Annotated[int, NEXT_PAGE]
    total: Annotated[int, TOTAL]
    rows: Annotated[tuple[SourceRow, ...], Rows(SourceRow, "the sources of this page")]


@dataclass(frozen=True)
class SnapshotScene(Request[SceneSnapshot]):
    """The whole scene with its revision, page by page.

    >>> SnapshotScene("alley").on_wire(9)
    '/wildtrack/scene/snapshot ,hsi 9 "alley" 0'
    """

    address: ClassVar[str] = "/scene/snapshot"
    reply: ClassVar[type[Result]] = SceneSnapshot
    scene: Annotated[str, SCENE]
    page: Annotated[int, PAGE] = 0


@dataclass(frozen=True)
class Undo(Request[SceneState]):
    """Take back the last change of the scene; NothingToUndo when there is none.

    >>> Undo("alley").on_wire(9)
    '/wildtrack/scene/undo ,hs 9 "alley"'
    """

    address: ClassVar[str] = "/scene/undo"
    reply: ClassVar[type[Result]] = SceneState
    edits: ClassVar[bool] = True
    scene: Annotated[str, SCENE]


@dataclass(frozen=True)
class Redo(Request[SceneState]):
    """Make the change again that was taken back last; NothingToUndo when there is none.

    >>> Redo("alley").on_wire(9)
    '/wildtrack/scene/redo ,hs 9 "alley"'
    """

    address: ClassVar[str] = "/scene/redo"
    reply: ClassVar[type[Result]] = SceneState
    edits: ClassVar[bool] = True
    scene: Annotated[str, SCENE]
