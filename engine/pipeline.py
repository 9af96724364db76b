"""From a scene to stems and a mix, by the pack that is in use; importing this loads no torch.

Perceive (embeddings), semantics (a_src of each source), remix (Cycle Mix to a_mix), decode, share
out. Everything is decided by the scene, the pack, where it computes, the stems mode and the
quality, so the same input gives the same bytes; what the stem cache already holds is not rendered
again. "Where" is the device with the kind of processor and the number of torch's threads
(OMP_NUM_THREADS): the libraries below torch cut their sums by it.

A source is as long as it says, or as the scene; the mix is as long as the scene. A muted source, or
one of weight 0, still gets its own stem but does not enter the mix. Gain, pan, solo and chain are
applied by whoever plays or delivers the stems.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.embeddings import EmbeddingCache
from engine.relief import Models, Relief, ToldRelief, tell_nobody
from engine.scene.model import MAX_SOURCES, SAMPLE_RATE, Scene
from engine.settings import Quality, RenderSettings
from osc_bridge.errors import NothingToRender, OutOfRange

if TYPE_CHECKING:
    from pathlib import Path

    from engine.models.loading import LoadedPack
    from engine.stem_cache import Stem, StemCache
    from engine.steps import StepCallback

Phases = Callable[[str, float, float], "StepCallback"]
"""(sentence, begin, end) -> step callback of that part of the whole, 0 to 1."""

_PERCEIVED, _REMIXED, _DECODED = 0.1, 0.25, 0.95


@dataclass(frozen=True)
class Rendered:
    """Stems in the order of the scene's sources, the mix, and seconds spent per phase.

    ``decoded`` is what the decoder gave, worth keeping: a consistent mix is shared out by it.
    ``pack``, ``device`` and ``precision`` are those that the last stem was computed with: relief
    of a full device may have changed them on the way.
    """

    stems: tuple[Stem, ...]
    mix: Stem
    decoded: tuple[Stem, ...]
    settings: RenderSettings
    timings_s: Mapping[str, float]
    pack: LoadedPack
    device: str
    precision: str


class Renderer:
    """The pack in use, a session's media and its stem cache; each render is independent.

    One thread renders. ``told`` hears how a render gets by when memory is short.
    """

    def __init__(
        self, models: Models, session: Path, cache: StemCache, told: ToldRelief = tell_nobody
    ) -> None:
        self._models = models
        self._session = session
        self._cache = cache
        self._told = told
        self._embeddings = EmbeddingCache()

    def render(self, scene: Scene, settings: RenderSettings, phases: Phases) -> Rendered:
        """Render every source and the mix; writes nothing. Cancelled passes through.

        NothingToRender, OutOfRange, OutOfMemory, or what loading the pack raised.
        """
        from engine.performance import Performance, computing  # noqa: PLC0415

        _require_sources(scene)
        timings_s: dict[str, float] = {}
        with self._relief(phases) as relief, computing():
            _require_lengths(scene, relief.way.pack)
            job = Performance(scene, settings.quality, relief, self._session, self._cache)
            with _timed(timings_s, "perceive"):
                on_step = phases("Looking and listening.", 0.0, _PERCEIVED)
                perceived = job.perceive(self._embeddings, on_step)
            with _timed(timings_s, "remix"):
                voices = job.source_voices(perceived)
                remix = phases("Mixing the sources.", _PERCEIVED, _REMIXED)
                voices.append(job.mix_voice(perceived, remix))
            with _timed(timings_s, "render"):
                decoded = job.decode(voices, phases, (_REMIXED, _DECODED))
                *stems, mixed = decoded
                if settings.stems_mode == "consistent":
                    on_step = phases("Sharing out the mix.", _DECODED, 1.0)
                    stems, mixed = job.shared(stems, mixed, on_step)
            pack = relief.way.pack
            return Rendered(
                tuple(stems),
                mixed,
                tuple(decoded),
                settings,
                timings_s,
                pack,
                pack.device,
                pack.precision,
            )

    def render_source(self, scene: Scene, source_id: str, quality: Quality, phases: Phases) -> Stem:
        """Render one source by itself: the same bytes as its independent stem in a take."""
        from dataclasses import replace  # noqa: PLC0415

        from engine.performance import Performance, computing  # noqa: PLC0415

        alone = replace(scene, sources=(scene.source(source_id),), frame="")
        with self._relief(phases) as relief, computing():
            _require_lengths(alone, relief.way.pack)
            job = Performance(alone, quality, relief, self._session, self._cache)
            on_step = phases("Looking and listening.", 0.0, _PERCEIVED)
            voices = job.source_voices(job.perceive(self._embeddings, on_step))
            return job.decode(voices, phases, (_PERCEIVED, 1.0))[0]

    @contextmanager
    def _relief(self, phases: Phases) -> Iterator[Relief]:
        with self._models.using(phases("Waiting for the models.", 0.0, 0.0)) as pack:
            yield Relief(pack, self._models, self._told)


def _require_sources(scene: Scene) -> None:
    if not scene.sources:
        raise NothingToRender(
            f"Scene {scene.id} has no sources; the allowed range is 1 to {MAX_SOURCES} "
            "sources: add an image, a text or a sound first."
        )


def _require_lengths(scene: Scene, pack: LoadedPack) -> None:
    """Raise OutOfRange for a scene or a source that is shorter or longer than the pack renders."""
    lengths = {f"Scene {scene.id}": scene.duration_samples}
    lengths |= {f"Source {s.id} of scene {scene.id}": s.duration_samples for s in scene.sources}
    low_s, high_s = pack.decoder.min_s, pack.decoder.max_s
    for what, samples in lengths.items():
        if samples and not low_s <= samples / SAMPLE_RATE <= high_s:
            raise OutOfRange(
                f"{what} lasts {samples / SAMPLE_RATE:g} s; the pack {pack.manifest.name} renders "
                f"{low_s:g} to {high_s:g} s: choose a duration in that range."
            )


@contextmanager
def _timed(timings_s: dict[str, float], name: str) -> Iterator[None]:
    begin_s = time.perf_counter()
    yield
    timings_s[name] = time.perf_counter() - begin_s
