"""Sources from files: read and checked as jobs, then added in the order of asking."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from engine.audio import load_audio
from engine.config import EngineConfig
from engine.jobs.job import Reporter
from engine.media import MediaStore, Original
from engine.notices import Notices
from engine.paths import confined
from engine.perception.frames import crop_region, load_frame
from engine.relief import Relief
from engine.scene.edits import AddSources, NewSource
from engine.scene.model import MAX_NAME_CHARACTERS, Box, Scene
from engine.service.asking import Added, Asking
from engine.service.jobs import Jobs
from engine.service.scenes import Scenes
from osc_bridge.errors import WrongKind

if TYPE_CHECKING:
    from PIL import Image

    from engine.models.store import ModelStore
    from engine.perception.base import Region

T = TypeVar("T")

COVERED_IOU = 0.5
"""A region covers a thing when their boxes have at least this share of their union in common."""
_CHECK_HZ = 48_000
"""The rate at which a clip is read once to check it; the pack that renders has its own."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")


class Adding:
    """What adds sources to the scenes of a session. Methods may be called from any thread."""

    def __init__(
        self,
        config: EngineConfig,
        scenes: Scenes,
        jobs: Jobs,
        models: ModelStore,
        media: MediaStore,
        notices: Notices,
    ) -> None:
        self._config = config
        self._scenes = scenes
        self._jobs = jobs
        self._models = models
        self._media = media
        self._notices = notices

    def text_must_wait(self, scene_id: str) -> bool:
        """Whether words must wait for additions that were asked for before them."""
        return self._jobs.adding.has_line(scene_id)

    def text_in_turn(self, scene_id: str, text: str, asking: Asking[Added]) -> None:
        """Add a sound described in words, after what was asked for before."""
        self._scenes.get(scene_id)
        turn = self._jobs.adding.turn(scene_id, asking.caller.key, asking.wait_for_turn)
        added = AddSources((text_source(text),))
        turn.ready(
            lambda: asking.end(lambda: self._add(scene_id, added, asking)), asking.fail_cancelled
        )

    def audio(self, scene_id: str, path: str, asking: Asking[Added]) -> None:
        """Check and copy a clip, then add it."""

        def prepare(reporter: Reporter) -> Callable[[], Added]:
            original = self._original(path)
            on_step = reporter.phase("Reading the sound.", 0.0, 1.0)
            load_audio(original.path, _CHECK_HZ, self._config.allowed, on_step)
            reporter.check()
            return self._adds(scene_id, original, asking, lambda media: _clip(original, media))

        self._from_file(scene_id, prepare, asking)

    def region(self, scene_id: str, path: str, box: Box, label: str, asking: Asking[Added]) -> None:
        """Check and copy a picture, then add the part of it inside ``box``."""

        def prepare(reporter: Reporter) -> Callable[[], Added]:
            original, image = self._picture(path)
            crop_region(image, box)
            reporter.check()
            name = label or as_label(original.path.stem)

            def edit(media: str) -> AddSources:
                return AddSources((NewSource("region", name, media=media, box=box),))

            return self._adds(scene_id, original, asking, edit)

        self._from_file(scene_id, prepare, asking)

    def image(self, scene_id: str, path: str, label: str, asking: Asking[Added]) -> None:
        """Add a whole picture as one source, or, without a label, what is detected in it.

        Detection also makes the picture the scene's frame; where nothing is found, the whole
        picture becomes a source.
        """

        def whole(reporter: Reporter) -> Callable[[], Added]:
            original, _ = self._picture(path)
            reporter.check()

            def edit(media: str) -> AddSources:
                return AddSources((NewSource("image", label, media=media),))

            return self._adds(scene_id, original, asking, edit)

        def detected(reporter: Reporter) -> Callable[[], Added]:
            original, image = self._picture(path)
            regions = self._detect(image, reporter)
            whole_frame = as_label(original.path.stem)

            def edit(media: str) -> AddSources:
                found = _found(regions, media)
                return AddSources(found or (NewSource("image", whole_frame, media=media),), media)

            return self._adds(scene_id, original, asking, edit)

        if label:
            self._from_file(scene_id, whole, asking)
            return
        self._scenes.get(scene_id).require_room(1)
        self._jobs.submit_addition(scene_id, self._jobs.device, detected, asking)

    def detect_again(self, scene_id: str, asking: Asking[Added]) -> None:
        """Look at the scene's frame again; add each thing that no region of it covers."""
        frame = self._scenes.get(scene_id).frame
        if not frame:
            raise WrongKind(
                f"Scene {scene_id} has no frame to look at; add a picture without a label first "
                "(source/add/image)."
            )

        def prepare(reporter: Reporter) -> Callable[[], Added]:
            session = self._config.session
            regions = self._detect(load_frame(session / frame, [session]), reporter)
            return lambda: self._add_new(scene_id, regions, frame, asking)

        self._jobs.submit_addition(scene_id, self._jobs.device, prepare, asking)

    def _add_new(
        self, scene_id: str, regions: Sequence[Region], frame: str, asking: Asking[Added]
    ) -> Added:
        scene = self._scenes.get(scene_id)
        new = [region for region in regions if not _is_covered(region.box, frame, scene)]
        if not new:
            return Added(scene, ())
        return self._add(scene_id, AddSources(_found(new, frame)), asking)

    def _detect(self, image: Image.Image, reporter: Reporter) -> list[Region]:
        waiting = reporter.phase("Waiting for the models.", 0.0, 0.0)
        with self._models.using(waiting) as pack:
            on_step = reporter.phase("Looking for what sounds.", 0.0, 1.0)
            relief = Relief(pack, self._models, self._notices.engine)
            regions = relief.run(lambda way: way.pack.detector.detect(image, on_step))
        reporter.check()
        return regions

    def _original(self, path: str) -> Original:
        return Original.at(confined(path, self._config.allowed))

    def _picture(self, path: str) -> tuple[Original, Image.Image]:
        original = self._original(path)
        return original, load_frame(original.path, self._config.allowed)

    def _adds(
        self,
        scene_id: str,
        original: Original,
        asking: Asking[Added],
        edit: Callable[[str], AddSources],
    ) -> Callable[[], Added]:
        """Return the commit: copy the file into the session and add what ``edit`` makes of it."""

        def commit() -> Added:
            with self._media.keeping(original) as media:
                return self._add(scene_id, edit(media), asking)

        return commit

    def _add(self, scene_id: str, edit: AddSources, asking: Asking[Added]) -> Added:
        scene = self._scenes.change(scene_id, edit, asking.title.client)
        return Added(scene, scene.sources[-len(edit.sources) :])

    def _from_file(
        self,
        scene_id: str,
        prepare: Callable[[Reporter], Callable[[], Added]],
        asking: Asking[Added],
    ) -> None:
        """Queue work that adds one source from a file, if the scene has room for it."""
        self._scenes.get(scene_id).require_room(1)
        self._jobs.submit_addition(scene_id, self._jobs.files, prepare, asking)


def text_source(text: str) -> NewSource:
    """Return a source of words, labelled with its beginning."""
    return NewSource("text", text.strip()[:MAX_NAME_CHARACTERS].strip(), text=text)


def as_label(text: str) -> str:
    """Return ``text`` as a label: without control characters, cut to its length."""
    return _CONTROL.sub(" ", text).strip()[:MAX_NAME_CHARACTERS].strip()


def _clip(original: Original, media: str) -> AddSources:
    return AddSources((NewSource("audio", as_label(original.path.stem), media=media),))


def _found(regions: Sequence[Region], media: str) -> tuple[NewSource, ...]:
    return tuple(NewSource("region", as_label(r.label), media=media, box=r.box) for r in regions)


def _is_covered(box: Box, frame: str, scene: Scene) -> bool:
    there = (s.box for s in scene.sources if s.media == frame and s.box is not None)
    return any(_iou(box, other) >= COVERED_IOU for other in there)


def _iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = max(0, width) * max(0, height)
    return common / (_area(a) + _area(b) - common)


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])
