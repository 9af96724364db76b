"""Scenes and edits as strict JSON: every key known, every type checked, nothing else accepted.

A session folder may come from somebody else, so its files are untrusted; anything that does not
fit raises BadSession. Ranges are those of the edits: a decoded scene is checked like a new one.
"""

from __future__ import annotations

import json
import re
import types
from dataclasses import asdict, fields
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from engine.scene.edits import AddSources, Edit, NewScene, NewSource, SetField, check_scene
from engine.scene.model import Scene, Source
from osc_bridge.errors import BadSession, WildtrackError

T = TypeVar("T")

_EDITS: dict[str, type[Edit]] = {"new": NewScene, "add": AddSources, "set": SetField}
_NAMES = {kind: name for name, kind in _EDITS.items()}
_MEDIA = re.compile(r"media/[0-9a-f]{64}\.[a-z0-9]{1,5}")
_SCENE_ID = re.compile(r"scene[1-9][0-9]{0,5}")


def scene_to_json(scene: Scene) -> str:
    """Return the scene as one line of JSON with sorted keys."""
    return json.dumps(asdict(scene), sort_keys=True, ensure_ascii=False, allow_nan=False)


def scene_from_json(text: str) -> Scene:
    """Return the scene, or raise BadSession."""
    scene = _build(Scene, _parse(text), "scene")
    if not is_scene_id(scene.id):
        raise BadSession(f"A scene in this session is called {scene.id!r}; expected scene1, ...")
    for media in (scene.frame, *(source.media for source in scene.sources)):
        _check_media(media)
    try:
        check_scene(scene)
    except WildtrackError as error:
        raise BadSession(f"Scene {scene.id} of this session is damaged: {error}") from error
    return scene


def edit_to_json(edit: Edit, revision: int) -> str:
    """Return one line of a journal: the edit and the revision that it leads to."""
    line = {"revision": revision, "edit": _NAMES[type(edit)], "data": asdict(edit)}
    return json.dumps(line, sort_keys=True, ensure_ascii=False, allow_nan=False)


def edit_from_json(text: str) -> tuple[Edit, int]:
    """Return the edit and its revision, or raise BadSession."""
    line = _parse(text)
    if not isinstance(line, dict) or set(line) != {"revision", "edit", "data"}:
        raise BadSession("A line of this scene's journal is not an edit; restore it from a copy.")
    kind = _EDITS.get(line["edit"]) if isinstance(line["edit"], str) else None
    if kind is None or type(line["revision"]) is not int:
        raise BadSession(f"A journal names the unknown edit {line['edit']!r}; update wildtrack.")
    edit: Edit = _build(kind, line["data"], "edit")
    if isinstance(edit, AddSources):
        for media in (edit.frame, *(source.media for source in edit.sources)):
            _check_media(media)
    return edit, line["revision"]


def is_scene_id(text: str) -> bool:
    """Whether ``text`` is an id that may become a file name."""
    return _SCENE_ID.fullmatch(text) is not None


def _check_media(media: str) -> None:
    """Keep media inside the session: only names that the media store gives."""
    if media and _MEDIA.fullmatch(media) is None:
        raise BadSession(f"A scene names the media file {media!r}; expected media/<hash>.<type>.")


def _parse(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadSession(f"A scene of this session is not valid JSON: {error}.") from error


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _build(kind: type[T], data: Any, where: str) -> T:
    """Return ``kind(**data)`` after checking every key and every type, recursively."""
    hints = get_type_hints(kind)
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if not isinstance(data, dict) or set(data) != names:
        found = sorted(data) if isinstance(data, dict) else type(data).__name__
        raise BadSession(f"A {where} of this session has {found}; expected {sorted(names)}.")
    return kind(**{name: _value(hints[name], data[name], f"{where}.{name}") for name in names})


def _value(kind: Any, value: Any, where: str) -> Any:
    if kind in (NewSource, Source):
        return _build(kind, value, where)
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal and isinstance(value, str) and value in args:
        return value
    if origin is tuple and isinstance(value, list):
        return _tuple(args, value, where)
    if origin in (Union, types.UnionType):
        return _union(args, value, where)
    if kind is float and type(value) is int:
        return float(value)
    if kind is type(value):
        return value
    raise BadSession(f"{where} of this session is {value!r}; expected {kind}.")


def _tuple(args: tuple[Any, ...], values: list[Any], where: str) -> tuple[Any, ...]:
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(_value(args[0], value, where) for value in values)
    if len(args) != len(values):
        raise BadSession(f"{where} of this session has {len(values)} values, not {len(args)}.")
    return tuple(_value(kind, value, where) for kind, value in zip(args, values, strict=True))


def _union(args: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in args:
        return None
    for kind in args:
        if kind is type(value) or (get_origin(kind) is tuple and isinstance(value, list)):
            return _value(kind, value, where)
    raise BadSession(f"{where} of this session is {value!r}; expected {args}.")
