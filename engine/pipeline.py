"""From a scene to stems and a mix: pure functions on a loaded pack.

Perceive (embeddings), semantics (a_src of each source), remix (Cycle Mix to a_mix), decode, share
out. Everything is decided by the scene, the pack, the stems mode and the quality, so the same
input gives the same bytes; what the stem cache already holds is not rendered again.

A muted source, or one of weight 0, still gets its own stem but does not enter the mix. Gain, pan,
solo and chain are applied by whoever plays or delivers the stems.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from engine.audio import resample
from engine.cmss import SourceEmbedding, mix, source_semantics
from engine.scene.model import MAX_SOURCES, SAMPLE_RATE, Scene, Source
from engine.settings import RenderSettings
from engine.stem_cache import Stem, StemCache, stem_key
from engine.synthesis.stems import PlacedStem, share_mix
from osc_bridge.errors import BadCheckpoint, NothingToRender, OutOfRange

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from engine.embeddings import Perceiver
    from engine.models.loading import LoadedPack
    from engine.steps import StepCallback

Phases = Callable[[str, float, float], "StepCallback"]
"""(sentence, begin, end) -> step callback of that part of the whole, 0 to 1."""

_PERCEIVED, _REMIXED, _DECODED = 0.1, 0.25, 0.95


@dataclass(frozen=True)
class Rendered:
    """Stems in the order of the scene's sources, the mix, and seconds spent per phase.

    ``decoded`` is what the decoder gave, worth keeping: a consistent mix is shared out by it.
    """

    stems: tuple[Stem, ...]
    mix: Stem
    decoded: tuple[Stem, ...]
    settings: RenderSettings
    timings_s: Mapping[str, float]


@dataclass(frozen=True)
class _Voice:
    """One waveform: the key of all that shapes it, and what it is decoded from.

    ``found`` is the cached stem; without it ``semantics`` (clap_dim,) is decoded, None is silence.
    """

    key: str
    label: str
    seed: int
    semantics: Tensor | None
    found: Stem | None


class Renderer:
    """A pack, its perception and a session's stem cache; each render is independent."""

    def __init__(self, pack: LoadedPack, perceiver: Perceiver, cache: StemCache) -> None:
        self._pack = pack
        self._perceiver = perceiver
        self._cache = cache

    def render(self, scene: Scene, settings: RenderSettings, phases: Phases) -> Rendered:
        """Render every source and the mix; writes nothing. Cancelled passes through."""
        _require_sources(scene)
        self._require_length(scene)
        timings_s: dict[str, float] = {}
        with torch.inference_mode():
            with _timed(timings_s, "perceive"):
                on_step = phases("Looking and listening.", 0.0, _PERCEIVED)
                embeddings = self._perceiver.sources(scene, on_step)
                frame = self._perceiver.frame(scene)
            with _timed(timings_s, "remix"):
                voices = self._source_voices(scene, settings, embeddings)
                remix = phases("Mixing the sources.", _PERCEIVED, _REMIXED)
                voices.append(self._mix_voice(scene, settings, embeddings, frame, remix))
            with _timed(timings_s, "render"):
                decoded = self._decode_all(scene, settings, voices, phases)
                *stems, mixed = decoded
                if settings.stems_mode == "consistent":
                    on_step = phases("Sharing out the mix.", _DECODED, 1.0)
                    stems, mixed = self._shared(scene, stems, mixed, on_step)
        return Rendered(tuple(stems), mixed, tuple(decoded), settings, timings_s)

    def _require_length(self, scene: Scene) -> None:
        decoder, duration_s = self._pack.decoder, scene.duration_samples / SAMPLE_RATE
        if not decoder.min_s <= duration_s <= decoder.max_s:
            raise OutOfRange(
                f"Scene {scene.id} lasts {duration_s:g} s; the pack {self._pack.manifest.name} "
                f"renders {decoder.min_s:g} to {decoder.max_s:g} s: make a scene in that range."
            )

    def _source_voices(
        self, scene: Scene, settings: RenderSettings, embeddings: Sequence[SourceEmbedding]
    ) -> list[_Voice]:
        semantics = source_semantics(self._pack.ssv2a, embeddings)
        return [
            self._voice(scene, settings, source.label or source.id, source.seed, a)
            for source, a in zip(scene.sources, semantics, strict=True)
        ]

    def _voice(
        self, scene: Scene, settings: RenderSettings, label: str, seed: int, a: Tensor
    ) -> _Voice:
        key = self._key(scene, settings, seed=seed, stem_of=_digest(a))
        return _Voice(key, label, seed, a, self._cache.find(key))

    def _mix_voice(
        self,
        scene: Scene,
        settings: RenderSettings,
        embeddings: Sequence[SourceEmbedding],
        frame: Tensor | None,
        on_step: StepCallback,
    ) -> _Voice:
        """Remix the sources that are heard, unless the same mix has been rendered before."""
        heard = [e for e, s in zip(embeddings, scene.sources, strict=True) if s.in_mix]
        key = self._key(
            scene,
            settings,
            seed=scene.seed,
            mix_of=[[e.modality, _digest(e.vector), e.weight] for e in heard],
            frame="" if frame is None else _digest(frame),
        )
        found = self._cache.find(key)
        semantics = None
        if heard and found is None:
            generator = torch.Generator(device=self._pack.ssv2a.logit_scale.device)
            generator.manual_seed(scene.seed)
            model = self._pack.ssv2a
            semantics = mix(model, heard, frame, generator=generator, on_step=on_step).a_mix
        return _Voice(key, "the mix", scene.seed, semantics, found)

    def _key(
        self,
        scene: Scene,
        settings: RenderSettings,
        **shaped_by: str | int | list[list[str | float]],
    ) -> str:
        return stem_key(
            pack=self._pack.manifest.digest,
            samples=scene.duration_samples,
            quality=settings.quality,
            **shaped_by,
        )

    def _decode_all(
        self, scene: Scene, settings: RenderSettings, voices: Sequence[_Voice], phases: Phases
    ) -> list[Stem]:
        """Return one stem of the scene's length per voice; equal voices are decoded once."""
        waiting = dict.fromkeys(v.key for v in voices if v.found is None)
        share = (_DECODED - _REMIXED) / max(1, len(waiting))
        stems: dict[str, Stem] = {}
        begin = _REMIXED
        for voice in voices:
            if voice.key in stems:
                continue
            if voice.found is None:
                on_step = phases(f"Rendering {voice.label}.", begin, begin + share)
                stems[voice.key] = Stem(voice.key, self._decode(scene, settings, voice, on_step))
                begin += share
            else:
                stems[voice.key] = voice.found
        return [stems[voice.key] for voice in voices]

    def _decode(
        self, scene: Scene, settings: RenderSettings, voice: _Voice, on_step: StepCallback
    ) -> NDArray[np.float32]:
        """Return (duration_samples,) at 48 kHz."""
        samples = scene.duration_samples
        if voice.semantics is None:
            return np.zeros(samples, dtype=np.float32)
        decoder = self._pack.decoder
        duration_s = samples / SAMPLE_RATE
        wave = decoder.decode(voice.semantics, duration_s, voice.seed, settings.quality, on_step)
        if not np.isfinite(wave).all():
            raise BadCheckpoint(
                f"The decoder of the pack {self._pack.manifest.name} gave NaN or infinity for "
                f"{voice.label}; verify the pack (wildtrack models verify) or change the seed."
            )
        return resample(wave, decoder.sample_rate, SAMPLE_RATE, samples)

    def _shared(
        self, scene: Scene, stems: Sequence[Stem], mixed: Stem, on_step: StepCallback
    ) -> tuple[list[Stem], Stem]:
        """Replace the stems of the heard sources by their shares of the mix, and gate the mix."""
        pairs = list(zip(scene.sources, stems, strict=True))
        heard = [(source, stem) for source, stem in pairs if source.in_mix]
        shaped = [[stem.key, s.start_sample, s.weight, s.id] for s, stem in heard]
        keys = {
            source_id: stem_key(consistent=mixed.key, of=shaped, share=source_id)
            for source_id in ("mix", *(source.id for source, _ in heard))
        }
        on_step(0, 1)
        shares = self._found(keys) or _share(keys, heard, mixed, on_step)
        return [shares.get(source.id, stem) for source, stem in pairs], shares["mix"]

    def _found(self, keys: Mapping[str, str]) -> dict[str, Stem] | None:
        """Return every stem of ``keys`` from the cache, or None when one is missing."""
        found = {name: self._cache.find(key) for name, key in keys.items()}
        there = {name: stem for name, stem in found.items() if stem is not None}
        return there if len(there) == len(keys) else None


def _share(
    keys: Mapping[str, str],
    heard: Sequence[tuple[Source, Stem]],
    mixed: Stem,
    on_step: StepCallback,
) -> dict[str, Stem]:
    placed = [PlacedStem(stem.wave, s.start_sample, s.weight) for s, stem in heard]
    shared = share_mix(mixed.wave, placed, on_step)
    stems = {s.id: wave for (s, _), wave in zip(heard, shared.stems, strict=True)}
    return {name: Stem(keys[name], wave) for name, wave in {**stems, "mix": shared.mix}.items()}


def _require_sources(scene: Scene) -> None:
    if not scene.sources:
        raise NothingToRender(
            f"Scene {scene.id} has no sources; the allowed range is 1 to {MAX_SOURCES} "
            "sources: add an image, a text or a sound first."
        )


def _digest(vector: Tensor) -> str:
    """Return the SHA-256 of a vector's float32 bytes."""
    data = vector.detach().to("cpu", torch.float32).contiguous().numpy().tobytes()
    return hashlib.sha256(data).hexdigest()


@contextmanager
def _timed(timings_s: dict[str, float], name: str) -> Iterator[None]:
    begin_s = time.perf_counter()
    yield
    timings_s[name] = time.perf_counter() - begin_s
