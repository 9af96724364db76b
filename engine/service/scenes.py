"""The scenes of a session as the engine's clients see them: every change is told to all."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from engine.errors import as_wildtrack_error, mapped
from engine.notices import Notices
from engine.scene.book import SceneBook
from engine.scene.edits import Edit, Plan
from engine.scene.history import Timeline
from engine.scene.model import Scene
from osc_bridge.errors import WildtrackError

_log = logging.getLogger(__name__)


class Scenes:
    """The scene book of a session. Methods may be called from any thread.

    Every method raises nothing but WildtrackErrors; a change is on disk when it returns.
    """

    def __init__(self, folder: Path, notices: Notices) -> None:
        self._notices = notices
        self._asking = threading.local()
        self._book = SceneBook(folder, self._changed, self._torn)

    def ids(self) -> list[str]:
        """Return the ids of all scenes, in the order they were made."""
        with mapped():
            return self._book.ids()

    def get(self, scene_id: str) -> Scene:
        """Return the scene as it is now."""
        with mapped():
            return self._book.get(scene_id)

    def intact(self, newest: int = 0) -> Iterator[Scene]:
        """Yield the scenes, or the newest of them (0: all); one that is damaged is left out.

        Whoever opens that one is told what is wrong with it.
        """
        for scene_id in self.ids()[-newest:]:
            try:
                yield self.get(scene_id)
            except WildtrackError as error:
                _log.warning("A list leaves out %s: %s", scene_id, error)

    def timeline(self, scene_id: str) -> Timeline:
        """Return the scene, how far undo and redo can go and what changed last, at one moment."""
        with mapped():
            return self._book.timeline(scene_id)

    def new(
        self, name: str, start_sample: int, duration_samples: int, seed: int, client: str = ""
    ) -> Scene:
        """Begin a scene."""
        with mapped(), self._asked_by([client]):
            return self._book.new(name, start_sample, duration_samples, seed)

    def change(self, scene_id: str, edit: Edit | Plan, client: str = "") -> Scene:
        """Change a scene; return it as it is then."""
        with mapped(), self._asked_by([client]):
            return self._book.change(scene_id, edit)

    def change_all(
        self, changes: Sequence[tuple[str, Edit | Plan]], clients: Sequence[str]
    ) -> Sequence[Timeline | WildtrackError]:
        """Make many changes with one flush for each scene; ``clients`` asked for them."""
        with self._asked_by(clients):
            try:
                return self._book.change_all(changes)
            except Exception as error:
                return [as_wildtrack_error(error)] * len(changes)

    def save(self, scene_id: str) -> Timeline:
        """Write the snapshot of a scene now."""
        with mapped():
            return self._book.save(scene_id)

    def close(self) -> None:
        """Write a snapshot of each scene that changed."""
        self._book.close()

    @contextmanager
    def _asked_by(self, clients: Sequence[str]) -> Iterator[None]:
        """Know who asked, for the notices of what changes in the block.

        What several clients asked for at once is told as nobody's.
        """
        self._asking.client = clients[0] if len(set(clients)) == 1 else ""
        try:
            yield
        finally:
            self._asking.client = ""

    def _changed(self, scene: Scene, what: str) -> None:
        client: str = getattr(self._asking, "client", "")
        self._notices.scene(scene.id, scene.revision, what, client)

    def _torn(self, sentence: str) -> None:
        self._notices.engine("journal_cut", sentence)
