"""The adding of sources to a scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from osc_bridge.errors import OutOfRange
from osc_bridge.fields import Many
from osc_bridge.messages.base import Request, Result
from osc_bridge.ranges import (
    CLIP,
    FILE,
    LABEL,
    LEFT,
    PIXEL,
    SCENE,
    SOURCE,
    SOURCES_MAX,
    UPPER,
    WORDS,
)


def check_box(x0: int, y0: int, x1: int, y1: int) -> None:
    """Raise OutOfRange for a box without a pixel in it."""
    if x1 <= x0 or y1 <= y0:
        raise OutOfRange(
            f"The box {x0},{y0},{x1},{y1} (pixels) is empty: x0 < x1 and "
            "y0 < y1 are required, in pixels from the upper left; swap or widen its edges."
        )


@dataclass(frozen=True)
class SourcesAdded(Result):
    """The ids of the new sources, in the order of the scene.

    >>> SourcesAdded("alley", ("s1", "s2")).arguments()
    [('s', 'alley'), ('s', 's1'), ('s', 's2')]
    """

    scene: Annotated[str, SCENE]
    sources: Annotated[tuple[str, ...], Many(SOURCE, "ids of the new sources", high=SOURCES_MAX)]


@dataclass(frozen=True)
class AddImage(Request[SourcesAdded]):
    """Add a picture: with a label one source of the whole picture, without one what is seen in it.

    Without a label the picture becomes the scene's frame and each detected region a source of
    its own; where nothing is found, the whole picture is the one source.

    >>> AddImage("alley", "/session/dog.png", "dog").on_wire(10)
    '/wildtrack/source/add/image ,hsss 10 "alley" "/session/dog.png" "dog"'
    """

    address: ClassVar[str] = "/source/add/image"
    reply: ClassVar[type[Result]] = SourcesAdded
    scene: Annotated[str, SCENE]
    path: Annotated[str, FILE]
    label: Annotated[str, LABEL] = ""


@dataclass(frozen=True)
class AddRegion(Request[SourcesAdded]):
    """Add one box of a picture; x1 and y1 lie just outside it.

    >>> AddRegion("alley", "/session/frame.png", 8, 16, 64, 96, "dog").on_wire(11)
    '/wildtrack/source/add/region ,hssiiiis 11 "alley" "/session/frame.png" 8 16 64 96 "dog"'
    """

    address: ClassVar[str] = "/source/add/region"
    reply: ClassVar[type[Result]] = SourcesAdded
    scene: Annotated[str, SCENE]
    path: Annotated[str, FILE]
    x0: Annotated[int, LEFT]
    y0: Annotated[int, UPPER]
    x1: Annotated[int, PIXEL]
    y1: Annotated[int, PIXEL]
    label: Annotated[str, LABEL] = ""

    def __post_init__(self) -> None:
        """Check the fields, and that the box is not empty."""
        super().__post_init__()
        check_box(self.x0, self.y0, self.x1, self.y1)


@dataclass(frozen=True)
class AddText(Request[SourcesAdded]):
    """Add a sound described in words.

    >>> AddText("alley", "rain on a tin roof").on_wire(12)
    '/wildtrack/source/add/text ,hss 12 "alley" "rain on a tin roof"'
    """

    address: ClassVar[str] = "/source/add/text"
    reply: ClassVar[type[Result]] = SourcesAdded
    edits: ClassVar[bool] = True
    scene: Annotated[str, SCENE]
    text: Annotated[str, WORDS]


@dataclass(frozen=True)
class AddAudio(Request[SourcesAdded]):
    """Add an audio clip whose like should sound.

    >>> AddAudio("alley", "/session/wind.wav").on_wire(13)
    '/wildtrack/source/add/audio ,hss 13 "alley" "/session/wind.wav"'
    """

    address: ClassVar[str] = "/source/add/audio"
    reply: ClassVar[type[Result]] = SourcesAdded
    scene: Annotated[str, SCENE]
    path: Annotated[str, CLIP]
