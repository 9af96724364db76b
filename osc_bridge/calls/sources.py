"""Sources: add, set, list, box, split, merge, reorder, remove, detect again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from osc_bridge.caller import Caller
from osc_bridge.calls.pages import read_pages
from osc_bridge.fields import Value
from osc_bridge.schema import (
    AddAudio,
    AddImage,
    AddRegion,
    AddText,
    DetectAgain,
    ListSources,
    MergeSources,
    RemoveSource,
    ReorderSource,
    SceneState,
    SetBox,
    SetSource,
    SourceRow,
    SplitSource,
)

PERCEIVE_S = 60.0
"""Longest silence of work on a picture or clip; the engine reports while it goes on."""

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels; x1 and y1 lie just outside."""


class SourceCalls(Caller):
    """What a client does with the sources of a scene."""

    def add_image(self, scene: str, path: str | Path, label: str = "") -> tuple[str, ...]:
        """Add a picture: without a label all that is seen in it; returns the ids."""
        return self.call_or_cancel(AddImage(scene, _absolute(path), label), PERCEIVE_S).sources

    def add_region(self, scene: str, path: str | Path, box: Box, label: str = "") -> str:
        """Add the box of a picture; returns its id."""
        request = AddRegion(scene, _absolute(path), *box, label)
        return self.call_or_cancel(request, PERCEIVE_S).sources[0]

    def add_text(self, scene: str, text: str) -> str:
        """Add a sound in words; returns its id."""
        return self.call(AddText(scene, text), PERCEIVE_S).sources[0]

    def add_audio(self, scene: str, path: str | Path) -> str:
        """Add an audio clip; returns its id."""
        return self.call_or_cancel(AddAudio(scene, _absolute(path)), PERCEIVE_S).sources[0]

    def set(self, scene: str, source: str, **fields: Value) -> None:
        """Set fields of a source, such as ``gain_db=-6``; all are checked before any is sent."""
        self.call_all([SetSource(scene, source, name, value) for name, value in fields.items()])

    def sources(self, scene: str) -> list[SourceRow]:
        """All sources of a scene, as they were at one revision."""
        pages = read_pages(lambda page: self.call(ListSources(scene, page)))
        return [row for page in pages for row in page.rows]

    def box(self, scene: str, source: str, box: Box) -> SceneState:
        """Move the box of a region."""
        return self.call(SetBox(scene, source, *box))

    def split(self, scene: str, source: str, at: int = 0) -> tuple[str, ...]:
        """Cut a source in two at a pixel, after some words or at a sample; 0 is the middle.

        Returns the ids of the new parts; the first part keeps its id.
        """
        return self.call_or_cancel(SplitSource(scene, source, at), PERCEIVE_S).sources

    def merge(self, scene: str, sources: Sequence[str]) -> tuple[str, ...]:
        """Make one source of several; the first keeps its id, which is returned."""
        return self.call_or_cancel(MergeSources(scene, tuple(sources)), PERCEIVE_S).sources

    def reorder(self, scene: str, source: str, position: int) -> SceneState:
        """Move a source to another place in the order; 0 is the first."""
        return self.call(ReorderSource(scene, source, position))

    def remove(self, scene: str, source: str) -> SceneState:
        """Take a source out of the scene."""
        return self.call(RemoveSource(scene, source))

    def detect_again(self, scene: str) -> tuple[str, ...]:
        """Look at the scene's frame again; returns the ids of what was not covered so far."""
        return self.call_or_cancel(DetectAgain(scene), PERCEIVE_S).sources


def _absolute(path: str | Path) -> str:
    return str(Path(path).absolute())
