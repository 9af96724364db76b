"""What the engine does, without a word of OSC: scenes, sources, renders, takes.

Short requests answer at once on the caller's thread. Whatever reads files or thinks is a job: it
ends in exactly one of the caller's ``done`` and ``failed``. A request that fails changes nothing.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from engine.audio import load_audio
from engine.config import EngineConfig
from engine.embeddings import EmbeddingCache, Perceiver
from engine.errors import as_wildtrack_error
from engine.jobs.job import Caller, Job, Priority, Reporter
from engine.jobs.queue import JobQueue
from engine.media import MediaStore, Original
from engine.memory import resident_bytes
from engine.paths import confined
from engine.perception.frames import crop_region, load_frame
from engine.pipeline import Renderer
from engine.scene.book import SceneBook
from engine.scene.edits import AddSources, FieldValue, NewSource, SetField
from engine.scene.model import MAX_NAME_CHARACTERS, SAMPLE_RATE, Box, Scene, Source
from engine.settings import RenderSettings
from engine.stem_cache import StemCache
from engine.steps import StepCallback, no_steps
from engine.takes import TakeRow, TakeStore, take_document

if TYPE_CHECKING:
    from PIL import Image

    from engine.models.loading import LoadedPack

T = TypeVar("T")

WARM_UP_SAMPLES = SAMPLE_RATE
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")


@dataclass(frozen=True)
class Added:
    """The scene after an addition and the sources that are new in it."""

    scene: Scene
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class TakeMade:
    """A finished take and the absolute path of its ``take.json``."""

    take: str
    path: Path


@dataclass(frozen=True)
class Health:
    """How the engine is."""

    pack: str
    device: str
    jobs_running: int
    jobs_waiting: int
    scenes: int
    memory_bytes: int
    uptime_s: float


class EngineService:
    """One session with one warm pack. Methods may be called from any thread."""

    def __init__(self, config: EngineConfig, pack: LoadedPack) -> None:
        session = config.session
        self.config = config
        self._pack = pack
        self._book = SceneBook(session / "scenes")
        self._takes = TakeStore(session)
        self._media = MediaStore(session)
        self._cache = StemCache(session)
        self._renderer = Renderer(pack, Perceiver(pack, session, EmbeddingCache()), self._cache)
        self._device_queue = JobQueue(f"wildtrack-{config.device}")
        self._file_queue = JobQueue("wildtrack-files")
        self._born_s = time.monotonic()

    def start(self) -> None:
        """Start the workers."""
        self._device_queue.start()
        self._file_queue.start()

    def close(self) -> None:
        """Cancel the jobs, wait for the workers, write snapshots."""
        self._file_queue.close()
        self._device_queue.close()
        self._book.close()

    def warm_up(self) -> float:
        """Render one second that is kept nowhere; return the seconds it took."""
        begin_s = time.perf_counter()
        source = Source("s1", "text", "warm-up", seed=0, text="warm-up")
        scene = Scene("scene1", "warm-up", 0, WARM_UP_SAMPLES, sources=(source,))
        self._renderer.render(scene, RenderSettings(quality="preview"), _no_phases)
        return time.perf_counter() - begin_s

    @property
    def uptime_s(self) -> float:
        """Seconds since the engine was made."""
        return time.monotonic() - self._born_s

    def health(self) -> Health:
        """Return pack, device, jobs, memory and age."""
        queues = (self._device_queue, self._file_queue)
        return Health(
            pack=self._pack.manifest.name,
            device=self.config.device,
            jobs_running=sum(queue.running for queue in queues),
            jobs_waiting=sum(queue.waiting for queue in queues),
            scenes=len(self._book.ids()),
            memory_bytes=resident_bytes(),
            uptime_s=self.uptime_s,
        )

    def new_scene(self, name: str, start_sample: int, duration_samples: int, seed: int) -> Scene:
        """Begin a scene; it is on disk when this returns."""
        with _mapped():
            return self._book.new(name, start_sample, duration_samples, seed)

    def scene(self, scene_id: str) -> Scene:
        """Return the scene as it is now."""
        with _mapped():
            return self._book.get(scene_id)

    def set_source(self, scene_id: str, source_id: str, field: str, value: FieldValue) -> Source:
        """Set one field of a source; it is on disk when this returns."""
        with _mapped():
            scene = self._book.change(scene_id, SetField(source_id, field, value))
            return scene.source(source_id)

    def add_text(self, scene_id: str, text: str) -> Added:
        """Add a sound described in words."""
        label = text.strip()[:MAX_NAME_CHARACTERS].strip()
        return self._add(scene_id, (NewSource("text", label, text=text),))

    def add_audio(self, scene_id: str, path: str, caller: Caller[Added]) -> None:
        """Check and copy a clip, then add it."""

        def work(reporter: Reporter) -> Added:
            original = self._original(path)
            load_audio(original.path, self._pack.audio.sample_rate, self.config.allowed)
            reporter.check()
            with self._media.keeping(original) as media:
                label = _label(original.path.stem)
                return self._add(scene_id, (NewSource("audio", label, media=media),))

        self._submit_file(scene_id, work, caller)

    def add_region(
        self, scene_id: str, path: str, box: Box, label: str, caller: Caller[Added]
    ) -> None:
        """Check and copy a picture, then add the part of it inside ``box``."""

        def work(reporter: Reporter) -> Added:
            original, image = self._picture(path)
            crop_region(image, box)
            reporter.check()
            with self._media.keeping(original) as media:
                name = label or _label(original.path.stem)
                return self._add(scene_id, (NewSource("region", name, media=media, box=box),))

        self._submit_file(scene_id, work, caller)

    def add_image(self, scene_id: str, path: str, label: str, caller: Caller[Added]) -> None:
        """Add a whole picture as one source, or, without a label, what is detected in it.

        Detection also makes the picture the scene's frame; where nothing is found, the whole
        picture becomes a source.
        """

        def whole(reporter: Reporter) -> Added:
            original, _ = self._picture(path)
            reporter.check()
            with self._media.keeping(original) as media:
                return self._add(scene_id, (NewSource("image", label, media=media),))

        def detected(reporter: Reporter) -> Added:
            original, image = self._picture(path)
            on_step = reporter.phase("Looking for what sounds.", 0.0, 1.0)
            regions = self._pack.detector.detect(image, on_step)
            reporter.check()
            with self._media.keeping(original) as media:
                found = tuple(
                    NewSource("region", _label(r.label), media=media, box=r.box) for r in regions
                )
                whole_frame = (NewSource("image", _label(original.path.stem), media=media),)
                return self._add(scene_id, found or whole_frame, frame=media)

        if label:
            self._submit_file(scene_id, whole, caller)
            return
        self.scene(scene_id).require_room(1)
        self._submit(self._device_queue, Priority.PERCEIVE, detected, caller)

    def render(self, scene_id: str, settings: RenderSettings, caller: Caller[TakeMade]) -> None:
        """Render the scene as it is now into a new take."""
        scene = self.scene(scene_id)

        def work(reporter: Reporter) -> TakeMade:
            rendered = self._renderer.render(scene, settings, reporter.phase)
            reporter.check()
            stems = dict.fromkeys((*rendered.stems, rendered.mix, *rendered.decoded))
            with self._cache.keeping(list(stems)) as kept:
                document = take_document(scene, rendered, kept, self._pack)
                return TakeMade(*self._takes.add(document))

        priority = Priority.PREVIEW if settings.quality == "preview" else Priority.FINAL
        self._submit(self._device_queue, priority, work, caller)

    def cancel(self, key: Hashable) -> bool:
        """Cancel the waiting or running job of that key; False when there is none."""
        return self._device_queue.cancel(key) or self._file_queue.cancel(key)

    def takes(self) -> list[TakeRow]:
        """Return the takes of the session, oldest first."""
        with _mapped():
            return self._takes.rows()

    def _original(self, path: str) -> Original:
        return Original.at(confined(path, self.config.allowed))

    def _picture(self, path: str) -> tuple[Original, Image.Image]:
        original = self._original(path)
        return original, load_frame(original.path, self.config.allowed)

    def _add(self, scene_id: str, sources: tuple[NewSource, ...], frame: str = "") -> Added:
        with _mapped():
            scene = self._book.change(scene_id, AddSources(sources, frame))
            return Added(scene, scene.sources[-len(sources) :])

    def _submit_file(
        self, scene_id: str, work: Callable[[Reporter], Added], caller: Caller[Added]
    ) -> None:
        """Queue work that adds one source from a file, if the scene has room for it."""
        self.scene(scene_id).require_room(1)
        self._submit(self._file_queue, Priority.PERCEIVE, work, caller)

    @staticmethod
    def _submit(
        queue: JobQueue, priority: Priority, work: Callable[[Reporter], T], caller: Caller[T]
    ) -> None:
        def failed(error: BaseException) -> None:
            caller.failed(as_wildtrack_error(error))

        queue.submit(Job(caller.key, priority, work, caller.report, caller.done, failed))


def _label(text: str) -> str:
    """Return ``text`` as a label: without control characters, cut to its length."""
    return _CONTROL.sub(" ", text).strip()[:MAX_NAME_CHARACTERS].strip()


@contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        known = as_wildtrack_error(error)
        if known is error:
            raise
        raise known from error


def _no_phases(sentence: str, begin: float, end: float) -> StepCallback:
    return no_steps
