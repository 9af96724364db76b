"""All scenes of a session: the only place where a scene changes.

Any thread may ask; each change is applied, written down and only then visible.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.scene.edits import Edit, Plan
from engine.scene.history import History, Timeline
from engine.scene.model import Scene
from osc_bridge.errors import WildtrackError

Told = Callable[[Scene, str], None]
"""Hears of a change that is on disk: the scene after it, and what changed, for people.

Called in the order of the changes and inside the book's lock, so it must not wait for anything.
"""


def ignore(*_: object) -> None:
    """Hear nothing."""


class SceneBook:
    """The scenes under ``folder``, opened when first asked for.

    ``torn`` hears a sentence for each journal whose cut end was dropped. Every method raises
    nothing but WildtrackErrors.
    """

    def __init__(
        self,
        folder: Path,
        told: Told = ignore,
        torn: Callable[[str], None] = ignore,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        raise OSError

    def ids(self) -> list[str]:
        """Return the ids of all scenes on disk, in the order they were made."""
        raise OSError

    def get(self, scene_id: str) -> Scene:
        """Return the scene as it is now, or raise UnknownScene or BadSession."""
        raise OSError

    def history(self, scene_id: str) -> History:
        """Return how far undo and redo can go, and what changed last."""
        raise OSError

    def new(self, name: str, start_sample: int, duration_samples: int, seed: int) -> Scene:
        """Begin a scene and write it down; OutOfRange or BadText leave nothing behind."""
        raise OSError

    def change(self, scene_id: str, edit: Edit | Plan) -> Scene:
        """Apply an edit, flush it to the disk, return the new scene."""
        raise OSError

    def change_all(
        self, changes: Sequence[tuple[str, Edit | Plan]]
    ) -> list[Timeline | WildtrackError]:
        """Apply edits in order, with one write and one flush for each scene.

        Returns for each edit ``Timeline`` (``.scene``, ``.history``: undo_steps, redo_steps,
        what) as it was after it, or the error of that edit alone. When writing fails, every scene
        is as before the call and each edit gets that error.
        """
        raise OSError

    def save(self, scene_id: str) -> Timeline:
        """Write the snapshot of a scene now."""
        raise OSError

    def close(self) -> None:
        """Write a snapshot of each scene that changed; the next question opens scenes anew."""
        raise OSError
