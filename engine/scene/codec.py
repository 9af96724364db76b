"""Scenes and edits as strict JSON. A session may come from somebody else, so nothing is believed.

Anything that does not fit raises BadSession. Ranges are those of the edits: a decoded scene is
checked like a new one. ``format`` 1, of the first release, has no such key and knows no
duration of a source; it is read, never written.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable
from typing import Any

from engine.scene import limits, strict
from engine.scene.edits import (
    AddSources,
    Edit,
    Merge,
    NewScene,
    Redo,
    Remove,
    Reorder,
    SetBox,
    SetField,
    SetSceneField,
    Split,
    Undo,
)
from engine.scene.model import Scene
from osc_bridge.errors import BadSession, WildtrackError

FORMAT = 2

_EDITS: dict[str, type[Edit]] = {
    "new": NewScene,
    "add": AddSources,
    "set": SetField,
    "scene": SetSceneField,
    "box": SetBox,
    "split": Split,
    "merge": Merge,
    "reorder": Reorder,
    "remove": Remove,
    "undo": Undo,
    "redo": Redo,
}
_NAMES = {kind: name for name, kind in _EDITS.items()}
_MEDIA = re.compile(r"media/[0-9a-f]{64}\.[a-z0-9]{1,5}")
_SCENE_ID = re.compile(r"scene[1-9][0-9]{0,5}")
_LINE_KEYS = frozenset({"revision", "time", "edit", "data"})
_OLD_LINE_KEYS = _LINE_KEYS - {"time"}


def scene_to_json(scene: Scene) -> str:
    """Return the scene as one line of JSON."""
    return strict.to_json({"format": FORMAT, **vars(scene)})


def scene_from_json(text: str | bytes) -> Scene:
    """Return the scene, or raise BadSession."""
    return scene_of(strict.parse(text))


def scene_of(data: Any) -> Scene:
    """Return the scene that parsed JSON of any format holds, or raise BadSession."""
    if is_old(data):
        data = {**data, "sources": with_durations(data.get("sources"))}
    else:
        require_format(data)
        data = {key: value for key, value in data.items() if key != "format"}
    scene = strict.build(Scene, data, "A scene")
    check(scene)
    return scene


def check(scene: Scene) -> None:
    """Raise BadSession when a scene from disk is not one that edits can lead to."""
    if not is_scene_id(scene.id):
        raise BadSession(
            f"A scene is called {reprlib.repr(scene.id)}; expected scene1, scene2, ..."
        )
    check_media((scene.frame, *(source.media for source in scene.sources)))
    try:
        limits.check_scene(scene)
    except WildtrackError as error:
        raise BadSession(f"Scene {scene.id} is damaged: {error}") from error


def is_old(data: Any) -> bool:
    """Whether parsed JSON is of the format that had no ``format`` key."""
    return isinstance(data, dict) and "format" not in data


def require_format(data: Any) -> None:
    """Raise BadSession for what is not of this format."""
    if not isinstance(data, dict):
        raise BadSession("It holds no scene.")
    if type(data["format"]) is not int or data["format"] != FORMAT:
        found = reprlib.repr(data["format"])
        raise BadSession(
            f"It has the format {found}; this wildtrack reads the formats 1 and {FORMAT}: update "
            "wildtrack."
        )


def with_durations(sources: Any) -> Any:
    """Return the sources of format 1 as this format has them."""
    if not isinstance(sources, list):
        return sources
    return [{"duration_samples": 0, **s} if isinstance(s, dict) else s for s in sources]


def edit_to_json(edit: Edit, revision: int, time_ms: int) -> str:
    """Return one line of a journal: the edit, when it was made and the revision it leads to."""
    if isinstance(edit, SetField):
        return _set_to_json(edit, revision, time_ms)
    line = {"revision": revision, "time": time_ms, "edit": _NAMES[type(edit)], "data": edit}
    return strict.to_json(line)


def _set_to_json(edit: SetField, revision: int, time_ms: int) -> str:
    """The same for the edit that comes thousands of times a second."""
    value = edit.value
    is_number = type(value) is float or type(value) is int
    return (
        f'{{"revision":{revision},"time":{time_ms},"edit":"set","data":{{"source":"{edit.source}",'
        f'"field":"{edit.field}","value":{value if is_number else strict.to_json(value)}}}}}'
    )


def edit_from_json(text: str | bytes) -> tuple[Edit, int, int | None]:
    """Return the edit, its revision and its time (None in format 1), or raise BadSession."""
    line = strict.parse(text)
    if not isinstance(line, dict) or line.keys() not in (_LINE_KEYS, _OLD_LINE_KEYS):
        raise BadSession("It is not an edit.")
    revision, time_ms, name = line["revision"], line.get("time"), line["edit"]
    if type(revision) is not int or type(time_ms) not in (int, type(None)):
        raise BadSession("Its revision or time is no whole number.")
    kind = _EDITS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise BadSession(f"It names the unknown edit {reprlib.repr(name)}; update wildtrack.")
    edit: Edit = strict.build(kind, line["data"], "An edit")
    check_media(_media_of(edit))
    return edit, revision, time_ms


def is_scene_id(text: str) -> bool:
    """Whether ``text`` is an id that may become a file name."""
    return _SCENE_ID.fullmatch(text) is not None


def check_media(names: Iterable[str]) -> None:
    """Keep media inside the session: only names that the media store gives."""
    for media in names:
        if media and _MEDIA.fullmatch(media) is None:
            raise BadSession(
                f"It names the media file {media!r:.60}; expected media/<hash>.<type>."
            )


def _media_of(edit: Edit) -> tuple[str, ...]:
    match edit:
        case AddSources():
            return (edit.frame, *(source.media for source in edit.sources))
        case Split():
            return tuple(part.media for part in edit.parts)
        case Merge():
            return (edit.whole.media,)
    return ()
