"""Scenes: new, open, save, set, list, snapshot, undo, redo."""

from __future__ import annotations

from dataclasses import dataclass

from osc_bridge.caller import Caller
from osc_bridge.calls.pages import read_pages
from osc_bridge.fields import Real, Value
from osc_bridge.schema import (
    DURATION_MAX,
    DURATION_MIN,
    SAMPLE_RATE,
    ListScenes,
    NewScene,
    OpenScene,
    Redo,
    SaveScene,
    SceneRow,
    SceneState,
    SetScene,
    SnapshotScene,
    SourceRow,
    Undo,
)

_DURATION_S = Real(
    DURATION_MIN / SAMPLE_RATE, DURATION_MAX / SAMPLE_RATE, "s", "length of a scene", 4.0
)


@dataclass(frozen=True)
class Snapshot:
    """A whole scene as it was at one revision; positions are samples at 48 kHz."""

    scene: str
    revision: int
    name: str
    start_sample: int
    duration_samples: int
    seed: int
    frame: str
    undo_steps: int
    redo_steps: int
    sources: tuple[SourceRow, ...]


class SceneCalls(Caller):
    """What a client does with scenes."""

    def new_scene(
        self, name: str, start_sample: int = 0, duration_s: float = 4.0, seed: int = 1
    ) -> str:
        """Make an empty scene; returns its id."""
        duration_samples = round(_DURATION_S.check("duration_s", duration_s) * SAMPLE_RATE)
        return self.call(NewScene(name, start_sample, duration_samples, seed)).scene

    def open_scene(self, scene: str) -> SceneState:
        """Load a scene of the session and say in which state it is."""
        return self.call(OpenScene(scene))

    def save_scene(self, scene: str) -> SceneState:
        """Write the scene's snapshot now; answered changes are on disk without it, too."""
        return self.call(SaveScene(scene))

    def set_scene(self, scene: str, **fields: Value) -> None:
        """Set fields of a scene, such as ``seed=7``; all are checked before any is sent."""
        self.call_all([SetScene(scene, name, value) for name, value in fields.items()])

    def scenes(self) -> list[SceneRow]:
        """All scenes of the session."""
        pages = read_pages(lambda page: self.call(ListScenes(page)))
        return [row for page in pages for row in page.rows]

    def snapshot(self, scene: str) -> Snapshot:
        """The whole scene, as it was at one revision."""
        pages = read_pages(lambda page: self.call(SnapshotScene(scene, page)))
        head = pages[0]
        return Snapshot(
            scene=head.scene,
            revision=head.revision,
            name=head.name,
            start_sample=head.start_sample,
            duration_samples=head.duration_samples,
            seed=head.seed,
            frame=head.frame,
            undo_steps=head.undo_steps,
            redo_steps=head.redo_steps,
            sources=tuple(row for page in pages for row in page.rows),
        )

    def undo(self, scene: str) -> SceneState:
        """Take back the last change; NothingToUndo when there is none."""
        return self.call(Undo(scene))

    def redo(self, scene: str) -> SceneState:
        """Make the change again that was taken back last; NothingToUndo when there is none."""
        return self.call(Redo(scene))
