"""Edits applied: from the scene before to the scene after, or an error and nothing changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.scene import limits, model
from engine.scene.edits import (
    AddSources,
    Change,
    Merge,
    NewScene,
    NewSource,
    Remove,
    Reorder,
    SetBox,
    SetField,
    SetSceneField,
    Split,
)
from engine.scene.model import Scene, Source, altered
from osc_bridge.errors import BadArguments, OutOfRange, WrongKind


def begin(edit: NewScene) -> Scene:
    """Return the scene that ``edit`` begins."""
    fields = ("name", "seed", "start_sample", "duration_samples")
    checked: dict[str, Any] = {
        field: limits.checked_scene_field(field, getattr(edit, field)) for field in fields
    }
    return Scene(id=edit.id, **checked)


def apply(scene: Scene, edit: Change) -> Scene:
    """Return the scene after ``edit``, one revision later; ``scene`` itself if all stays the same.

    Raises a WildtrackError and changes nothing otherwise.
    """
    return _APPLY[type(edit)](scene, edit)


def label_of(text: str) -> str:
    """Return the label of a source made of these words, unless its user gives another."""
    return text.strip()[: model.MAX_NAME_CHARACTERS].strip()


def _set(scene: Scene, edit: SetField) -> Scene:
    index, old = _found(scene, edit.source)
    value = limits.checked_field(scene, old, edit.field, edit.value)
    if getattr(old, edit.field) == value:
        return scene
    change: dict[str, Any] = {edit.field: value}
    if edit.field == "text" and old.label == label_of(old.text):
        change["label"] = label_of(str(value))
    sources = list(scene.sources)
    sources[index] = altered(old, **change)
    return _after(scene, tuple(sources))


def _set_scene(scene: Scene, edit: SetSceneField) -> Scene:
    value = limits.checked_scene_field(edit.field, edit.value)
    if getattr(scene, edit.field) == value:
        return scene
    change: dict[str, Any] = {edit.field: value}
    changed = altered(scene, revision=scene.revision + 1, **change)
    limits.require_starts(changed.sources, changed.duration_samples)
    return changed


def _add(scene: Scene, edit: AddSources) -> Scene:
    scene.require_room(len(edit.sources))
    limits.require_numbers(scene, len(edit.sources))
    first = scene.next_source
    added = tuple(_source(scene, first + index, new) for index, new in enumerate(edit.sources))
    return altered(
        scene,
        sources=scene.sources + added,
        next_source=first + len(added),
        frame=edit.frame or scene.frame,
        revision=scene.revision + 1,
    )


def _set_box(scene: Scene, edit: SetBox) -> Scene:
    index, old = _found(scene, edit.source)
    if old.kind not in ("image", "region"):
        raise WrongKind(
            f"Source {old.id} is of the kind {old.kind}; only a picture or a region of one has a "
            "box: add the picture with source/add/region."
        )
    if old.box == edit.box:
        return scene
    new = altered(old, kind="region", box=edit.box)
    limits.check_parts(new.id, new)
    return _after(scene, _with(scene.sources, index, new))


def _split(scene: Scene, edit: Split) -> Scene:
    index, old = _found(scene, edit.source)
    scene.require_room(1)
    limits.require_numbers(scene, 1)
    number = scene.next_source
    first = _remade(old, edit.parts[0])
    seed = model.source_seed(scene.seed, number)
    second = _remade(altered(old, id=f"s{number}", seed=seed), edit.parts[1])
    sources = _with(scene.sources, index, first, second)
    return altered(scene, sources=sources, next_source=number + 1, revision=scene.revision + 1)


def _merge(scene: Scene, edit: Merge) -> Scene:
    if len(set(edit.sources)) != len(edit.sources) or len(edit.sources) < 2:
        raise BadArguments(
            f"{len(edit.sources)} sources are to be merged; allowed are 2 to {model.MAX_SOURCES}, "
            "each once."
        )
    first = scene.source(edit.sources[0])
    gone = {scene.source(source_id).id for source_id in edit.sources[1:]}
    whole = _remade(first, edit.whole)
    kept = (whole if s is first else s for s in scene.sources if s.id not in gone)
    return _after(scene, tuple(kept))


def _reorder(scene: Scene, edit: Reorder) -> Scene:
    index, source = _found(scene, edit.source)
    last = len(scene.sources) - 1
    if not 0 <= edit.position <= last:
        raise OutOfRange(
            f"position is {edit.position}; the allowed range is 0 to {last} (the last of "
            f"{last + 1} sources): send a position in it."
        )
    if index == edit.position:
        return scene
    sources = list(_with(scene.sources, index))
    sources.insert(edit.position, source)
    return _after(scene, tuple(sources))


def _remove(scene: Scene, edit: Remove) -> Scene:
    index, _ = _found(scene, edit.source)
    return _after(scene, _with(scene.sources, index))


def _source(scene: Scene, number: int, new: NewSource) -> Source:
    seed = model.source_seed(scene.seed, number)
    return _remade(Source(f"s{number}", new.kind, "", seed), new)


def _remade(source: Source, made_of: NewSource) -> Source:
    """Return ``source`` with all its settings, but made of ``made_of``."""
    if made_of.kind == "text":
        limits.require_words(made_of.text)
    limits.check_parts(source.id, made_of)
    return altered(
        source,
        kind=made_of.kind,
        label=limits.clean_text(made_of.label, "A label", model.MAX_NAME_CHARACTERS),
        text=limits.clean_text(made_of.text, "The text of a source", model.MAX_TEXT_CHARACTERS),
        media=made_of.media,
        box=made_of.box,
    )


def _found(scene: Scene, source_id: str) -> tuple[int, Source]:
    for index, source in enumerate(scene.sources):
        if source.id == source_id:
            return index, source
    return 0, scene.source(source_id)


def _with(sources: tuple[Source, ...], index: int, *new: Source) -> tuple[Source, ...]:
    """Return ``sources`` with ``new`` in the place of the one at ``index``."""
    return (*sources[:index], *new, *sources[index + 1 :])


def _after(scene: Scene, sources: tuple[Source, ...]) -> Scene:
    return altered(scene, sources=sources, revision=scene.revision + 1)


_APPLY: Mapping[type[Change], Callable[[Scene, Any], Scene]] = {
    SetField: _set,
    AddSources: _add,
    SetSceneField: _set_scene,
    SetBox: _set_box,
    Split: _split,
    Merge: _merge,
    Reorder: _reorder,
    Remove: _remove,
}
