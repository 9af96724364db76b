"""One render: voices are found, and each becomes a stem, by a way that memory allows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from engine.audio import resample
from engine.cmss import mix, source_semantics
from engine.embeddings import EmbeddingCache, Perceiver
from engine.relief import Relief, Way
from engine.scene.model import SAMPLE_RATE, Scene, Source
from engine.settings import Quality
from engine.stem_cache import Stem, StemCache, stem_key
from engine.synthesis.stems import PlacedStem, share_mix
from osc_bridge.errors import BadCheckpoint

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from engine.cmss import SourceEmbedding
    from engine.pipeline import Phases
    from engine.steps import StepCallback

ShapedBy = Mapping[str, object]


def computing() -> AbstractContextManager[object]:
    """Return a block in which torch keeps nothing for gradients."""
    return torch.inference_mode()


@dataclass(frozen=True)
class Perceived:
    """An embedding for each source of the scene, and the vector of the whole frame, if any."""

    sources: Sequence[SourceEmbedding]
    frame: Tensor | None


@dataclass(frozen=True)
class Voice:
    """One waveform: what it is called, its seed, its length, and all that shapes it.

    ``found`` is the cached stem; without it ``semantics`` (clap_dim,) is decoded, None is silence.
    """

    label: str
    seed: int
    samples: int
    shaped_by: ShapedBy
    semantics: Tensor | None
    found: Stem | None


class Performance:
    """A scene on its way to stems. It lives as long as one job."""

    def __init__(
        self, scene: Scene, quality: Quality, relief: Relief, session: Path, cache: StemCache
    ) -> None:
        self._scene = scene
        self._quality = quality
        self._relief = relief
        self._session = session
        self._cache = cache

    def perceive(self, embeddings: EmbeddingCache, on_step: StepCallback) -> Perceived:
        """Return the embeddings of all sources and of the frame."""

        def work(way: Way) -> Perceived:
            perceiver = Perceiver(way.pack, self._session, embeddings)
            return Perceived(
                perceiver.sources(self._scene, on_step), perceiver.frame(self._scene, on_step)
            )

        return self._relief.run(work)

    def source_voices(self, perceived: Perceived) -> list[Voice]:
        """Return a voice for each source of the scene, in its order."""
        semantics = self._relief.run(
            lambda way: source_semantics(way.pack.ssv2a, perceived.sources)
        )
        return [
            self._source_voice(source, a)
            for source, a in zip(self._scene.sources, semantics, strict=True)
        ]

    def mix_voice(self, perceived: Perceived, on_step: StepCallback) -> Voice:
        """Remix the sources that are heard, unless the same mix has been rendered before.

        They are taken in an order of their own, so that the scene's does not matter.
        """
        scene = self._scene
        pairs = zip(perceived.sources, scene.sources, strict=True)
        heard = sorted((embedding for embedding, s in pairs if s.in_mix), key=_shape_of)
        shaped_by = {
            "mix_of": [_shape_of(embedding) for embedding in heard],
            "frame": "" if perceived.frame is None else _digest(perceived.frame),
        }
        key = self._key(self._relief.way, scene.seed, scene.duration_samples, shaped_by)
        found = self._cache.find(key)
        semantics = None

        def work(way: Way) -> Tensor:
            generator = torch.Generator().manual_seed(scene.seed)
            model = way.pack.ssv2a
            return mix(model, heard, perceived.frame, generator=generator, on_step=on_step).a_mix

        if heard and found is None:
            semantics = self._relief.run(work)
        return Voice("the mix", scene.seed, scene.duration_samples, shaped_by, semantics, found)

    def decode(
        self, voices: Sequence[Voice], phases: Phases, part: tuple[float, float]
    ) -> list[Stem]:
        """Return one stem per voice; equal voices are decoded once, ``part`` is their share."""
        names = [self._name(voice) for voice in voices]
        waiting = {n for n, voice in zip(names, voices, strict=True) if voice.found is None}
        begin, end = part
        share = (end - begin) / max(1, len(waiting))
        stems: dict[str, Stem] = {}
        for name, voice in zip(names, voices, strict=True):
            if name in stems:
                continue
            if voice.found is None:
                on_step = phases(f"Rendering {voice.label}.", begin, begin + share)
                stems[name] = self._stem(voice, on_step)
                begin += share
            else:
                stems[name] = voice.found
        return [stems[name] for name in names]

    def shared(
        self, stems: Sequence[Stem], mixed: Stem, on_step: StepCallback
    ) -> tuple[list[Stem], Stem]:
        """Replace the stems of the heard sources by their shares of the mix, and gate the mix."""
        pairs = list(zip(self._scene.sources, stems, strict=True))
        heard = sorted((pair for pair in pairs if pair[0].in_mix), key=lambda pair: pair[0].id)
        shaped = [[stem.key, s.start_sample, s.weight, s.id] for s, stem in heard]
        keys = {
            source_id: stem_key(consistent=mixed.key, of=shaped, share=source_id)
            for source_id in ("mix", *(source.id for source, _ in heard))
        }
        on_step(0, 1)
        shares = self._found(keys) or _share(keys, heard, mixed, on_step)
        return [shares.get(source.id, stem) for source, stem in pairs], shares["mix"]

    def _source_voice(self, source: Source, a: Tensor) -> Voice:
        samples = source.duration_samples or self._scene.duration_samples
        shaped_by = {"stem_of": _digest(a)}
        found = self._cache.find(self._key(self._relief.way, source.seed, samples, shaped_by))
        return Voice(source.label or source.id, source.seed, samples, shaped_by, a, found)

    def _stem(self, voice: Voice, on_step: StepCallback) -> Stem:
        """Decode a voice, by a smaller way if memory is short; what is there by then is taken."""

        def work(way: Way) -> Stem:
            key = self._key(way, voice.seed, voice.samples, voice.shaped_by)
            return self._cache.find(key) or Stem(key, self._wave(way, voice, on_step))

        return self._relief.run(work, batched=True)

    def _wave(self, way: Way, voice: Voice, on_step: StepCallback) -> NDArray[np.float32]:
        """Return (samples,) at 48 kHz."""
        if voice.semantics is None:
            return np.zeros(voice.samples, dtype=np.float32)
        decoder, duration_s = way.pack.decoder, voice.samples / SAMPLE_RATE
        wave = decoder.decode(
            voice.semantics, duration_s, voice.seed, self._quality, on_step, way.batch
        )
        if not np.isfinite(wave).all():
            raise BadCheckpoint(
                f"The decoder of the pack {way.pack.manifest.name} gave NaN or infinity for "
                f"{voice.label}; verify the pack (wildtrack models verify) or change the seed."
            )
        return resample(wave, decoder.sample_rate, SAMPLE_RATE, voice.samples)

    def _name(self, voice: Voice) -> str:
        """Return what voices of equal sound have in common, however they are computed."""
        return stem_key(seed=voice.seed, samples=voice.samples, **voice.shaped_by)

    def _key(self, way: Way, seed: int, samples: int, shaped_by: ShapedBy) -> str:
        return stem_key(
            pack=way.pack.manifest.digest,
            device=way.pack.device,
            precision=way.pack.precision,
            compiled=way.pack.compiled,
            batch=way.batch,
            seed=seed,
            samples=samples,
            quality=self._quality,
            **shaped_by,
        )

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


def _shape_of(embedding: SourceEmbedding) -> list[str | float]:
    return [embedding.modality, _digest(embedding.vector), embedding.weight]


def _digest(vector: Tensor) -> str:
    """Return the SHA-256 of a vector's float32 bytes."""
    data = vector.detach().to("cpu", torch.float32).contiguous().numpy().tobytes()
    return hashlib.sha256(data).hexdigest()
