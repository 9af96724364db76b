"""Edits in words: one short sentence for people, the same from a replay."""

from __future__ import annotations

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

MAX_CHARACTERS = 100
"""The longest sentence, with the name of the longest field and two ids."""


def said(edit: Edit) -> str:  # noqa: PLR0911
    """Return what ``edit`` does, such as "Set gain_db of s1."."""
    match edit:
        case SetField():
            return f"Set {edit.field} of {edit.source}."
        case SetSceneField():
            return f"Set {edit.field} of the scene."
        case SetBox():
            return f"Set the box of {edit.source}."
        case AddSources():
            return _added(edit)
        case Split():
            return f"Split {edit.source}."
        case Merge():
            return f"Merged {len(edit.sources)} sources into {edit.sources[0]}."
        case Reorder():
            return f"Moved {edit.source} to position {edit.position}."
        case Remove():
            return f"Removed {edit.source}."
        case NewScene():
            return "Began the scene."
        case Undo():
            return "Undone."
        case Redo():
            return "Redone."


def _added(edit: AddSources) -> str:
    count = len(edit.sources)
    added = "Added a source" if count == 1 else f"Added {count} sources"
    return f"{added} and the frame." if edit.frame else f"{added}."
