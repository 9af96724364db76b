"""What changes which sources a scene has: box, split, merge, reorder, remove, detect again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from osc_bridge.fields import Int, Many
from osc_bridge.messages.adding import SourcesAdded, check_box
from osc_bridge.messages.base import Request, Result
from osc_bridge.messages.scene import SceneState
from osc_bridge.ranges import LEFT, PIXEL, SAMPLE_MAX, SCENE, SOURCE, SOURCES_MAX, UPPER


@dataclass(frozen=True)
class SetBox(Request[SceneState]):
    """Move the box of a region; x1 and y1 lie just outside it.

    >>> SetBox("alley", "s1", 8, 16, 64, 96).on_wire(9)
    '/wildtrack/source/box ,hssiiii 9 "alley" "s1" 8 16 64 96'
    """

    address: ClassVar[str] = "/source/box"
    reply: ClassVar[type[Result]] = SceneState
    edits: ClassVar[bool] = True
    scene: Annotated[str, SCENE]
    source: Annotated[str, SOURCE]
    x0: Annotated[int, LEFT]
    y0: Annotated[int, UPPER]
    x1: Annotated[int, PIXEL]
    y1: Annotated[int, PIXEL]

    def __post_init__(self) -> None:
        """Check the fields, and that the box is not empty."""
        super().__post_init__()
        check_box(self.x0, self.y0, self.x1, self.y1)


@dataclass(frozen=True)
class SplitSource(Request[SourcesAdded]):
    """Cut a source in two; the first part keeps id, seed and settings, the second comes after it.

    ``at`` is for a picture or region the pixel of the picture on its longer edge, for words how
    many of them the first part keeps, for a sound the sample at 48 kHz. 0 is the middle; of words
    the comma, semicolon, plus, slash or "and" nearest to it, else the gap between two words.

    >>> SplitSource("alley", "s1").on_wire(9)
    '/wildtrack/source/split ,hssh 9 "alley" "s1" 0'
    """

    address: ClassVar[str] = "/source/split"
    reply: ClassVar[type[Result]] = SourcesAdded
    scene: Annotated[str, SCENE]
    source: Annotated[str, SOURCE]
    at: Annotated[
        int, Int(0, SAMPLE_MAX, "(pixel, words or sample)", "where to cut; 0 = the middle", 0)
    ] = 0


@dataclass(frozen=True)
class MergeSources(Request[SourcesAdded]):
    """Make one source of several: the first stays, with its id and settings, the others go.

    Regions of one picture get the box around all, words are joined by "and", sounds are laid over
    each other. Sources of different kinds or pictures are refused with WrongKind.

    >>> MergeSources("alley", ("s1", "s3")).on_wire(9)
    '/wildtrack/source/merge ,hsss 9 "alley" "s1" "s3"'
    """

    address: ClassVar[str] = "/source/merge"
    reply: ClassVar[type[Result]] = SourcesAdded
    scene: Annotated[str, SCENE]
    sources: Annotated[
        tuple[str, ...],
        Many(SOURCE, "their ids, first the one that stays", 2, SOURCES_MAX),
    ]


@dataclass(frozen=True)
class ReorderSource(Request[SceneState]):
    """Move a source to another place in the order of the scene; 0 is the first.

    >>> ReorderSource("alley", "s3", 0).on_wire(9)
    '/wildtrack/source/reorder ,hssi 9 "alley" "s3" 0'
    """

    address: ClassVar[str] = "/source/reorder"
    reply: ClassVar[type[Result]] = SceneState
    edits: ClassVar[bool] = True
    scene: Annotated[str, SCENE]
    source: Annotated[str, SOURCE]
    position: Annotated[int, Int(0, SOURCES_MAX - 1, "", "place in the order, from 0", 0, tag="i")]


@dataclass(frozen=True)
class RemoveSource(Request[SceneState]):
    """Take a source out of the scene; undo brings it back, its id is never used again.

    >>> RemoveSource("alley", "s3").on_wire(9)
    '/wildtrack/source/remove ,hss 9 "alley" "s3"'
    """

    address: ClassVar[str] = "/source/remove"
    reply: ClassVar[type[Result]] = SceneState
    edits: ClassVar[bool] = True
    scene: Annotated[str, SCENE]
    source: Annotated[str, SOURCE]


@dataclass(frozen=True)
class DetectAgain(Request[SourcesAdded]):
    """Look at the scene's frame again and add each thing that no region covers so far.

    A region covers a thing when their boxes have at least half of their union in common. Nothing
    is removed.

    >>> DetectAgain("alley").on_wire(9)
    '/wildtrack/source/detect ,hs 9 "alley"'
    """

    address: ClassVar[str] = "/source/detect"
    reply: ClassVar[type[Result]] = SourcesAdded
    scene: Annotated[str, SCENE]
