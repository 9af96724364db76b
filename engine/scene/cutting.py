"""Plans of split and merge: what a source falls into, what several sources become. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from engine.scene.edits import Merge, Split
from engine.scene.model import Scene

Size = tuple[int, int]
"""Width and height of a picture in pixels."""


def split_picture(scene: Scene, source_id: str, at: int, size: Size) -> Split:
    """Cut an image or region across its longer edge at pixel ``at`` of the picture, 0 = middle.

    ``size`` is the whole picture's (``MediaStore.picture_size``). WrongKind, OutOfRange.
    """
    raise OSError


def split_words(scene: Scene, source_id: str, at: int) -> Split:
    """Cut a text after ``at`` words, 0 = at the sign nearest the middle. WrongKind, OutOfRange."""
    raise OSError


def split_sound(scene: Scene, source_id: str, media: str, parts: tuple[str, str]) -> Split:
    """Split an audio source whose clip ``media`` was cut into ``parts`` (media files).

    WrongKind when the source is no sound, or no longer this one.
    """
    raise OSError


def sound_cut(samples: int, at: int) -> int:
    """Return where a clip of ``samples`` is cut: ``at``, or its middle for 0. OutOfRange."""
    raise OSError


def mergeable(scene: Scene, source_ids: Sequence[str]) -> tuple[str, ...]:
    """Check what is to be merged; return the clips to overlay, () for pictures and words.

    OutOfRange for fewer than 2, more than 64, or one twice; UnknownSource; WrongKind.
    """
    raise OSError


def merge(scene: Scene, source_ids: Sequence[str]) -> Merge:
    """Merge pictures or words. As `mergeable`, and BadText for too many characters."""
    raise OSError


def merge_sounds(
    scene: Scene, source_ids: Sequence[str], clips: Sequence[str], media: str
) -> Merge:
    """Merge sounds whose ``clips`` (from `mergeable`) were overlaid into ``media``.

    As `mergeable`, and WrongKind when the clips are no longer these.
    """
    raise OSError
