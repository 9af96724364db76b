"""Every method behind one interface: the same conditions in, one mono sound each out.

Ours composes the sources in the Remixer; the cascade renders each source alone and overlays the
clips (A.6); the mapper sees the whole only; the oracle decodes what the real sound sounds like to
the encoder (A.1); the truth is that sound itself; other methods come as folders of their outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, get_args

import numpy as np
import torch

from engine.audio import load_audio
from engine.cmss import CycleMixSettings, SourceEmbedding, mix, source_semantics
from engine.evaluation.mapper import Mapper
from engine.evaluation.outputs import Outputs, fit
from engine.media import overlaid
from engine.perception.frames import crop_region, load_frame
from engine.steps import no_steps
from engine.training.data.folder import VIDEOS
from engine.training.data.sounds import read_sound, read_video_sound
from engine.training.data.videos import watch
from osc_bridge.errors import NothingToRender

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from engine.models.loading import LoadedPack
    from engine.synthesis.base import Quality


@dataclass(frozen=True)
class Condition:
    """What a method is given: a picture, words, sounds; any of them, at least one.

    Words and sounds are one source each; a picture is the whole frame, and its parts are found.
    ``reference`` is the real sound, for the oracle and the truth only.
    """

    item: str
    seconds: float
    image: Path | None = None
    texts: tuple[str, ...] = ()
    sounds: tuple[Path, ...] = ()
    reference: Path | None = None


@dataclass(frozen=True, eq=False)
class Sound:
    """A mono wave (T,) and its rate."""

    wave: NDArray[np.float32]
    rate_hz: int


class Method(Protocol):
    """Something that makes a sound for a condition; the same seed gives the same sound."""

    def sound(self, condition: Condition, seed: int) -> Sound:
        """Return the sound; a WildtrackError says why there is none."""
        ...


@dataclass(frozen=True, eq=False)
class Perceived:
    """The sources of a condition, and the whole frame (clip_dim,) where there is a picture.

    ``real`` (clap_dim,) is what the real sound sounds like, where that is known already.
    """

    sources: tuple[SourceEmbedding, ...]
    frame: Tensor | None
    real: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Studio:
    """A pack as all methods here use it: the same encoders, detector and decoder.

    What was perceived is kept in ``known``: every method gets the same, computed once.
    """

    pack: LoadedPack
    quality: Quality = "final"
    known: dict[Condition, Perceived] = field(default_factory=dict)

    def perceive(self, condition: Condition) -> Perceived:
        """Return what the pack sees, reads and hears; NothingToRender for an empty condition."""
        if condition not in self.known:
            self.known[condition] = self._perceive(condition)
        return self.known[condition]

    def _perceive(self, condition: Condition) -> Perceived:
        sources = [SourceEmbedding("clip", row) for row in self._texts(condition.texts)]
        sources += [SourceEmbedding("clap", self.heard(path)) for path in condition.sounds]
        frame = None
        if condition.image is not None:
            image = load_frame(condition.image)
            frame = self.pack.images.encode([image])[0]
            regions = self.pack.detector.detect(image, no_steps)
            crops = [crop_region(image, region.box) for region in regions]
            seen = self.pack.images.encode(crops) if crops else frame.unsqueeze(0)
            sources += [SourceEmbedding("clip", row) for row in seen]
        if not sources:
            raise NothingToRender(f"{condition.item} has no picture, words or sounds: name one.")
        return Perceived(tuple(sources), frame)

    def _texts(self, texts: Sequence[str]) -> list[Tensor]:
        return list(self.pack.texts.encode(list(texts))) if texts else []

    def real(self, condition: Condition) -> Tensor:
        """Return the real sound's embedding (clap_dim,); NothingToRender if there is none."""
        known = self.known.get(condition)
        if known is not None and known.real is not None:
            return known.real
        return self.heard(_reference(condition))

    def heard(self, path: Path) -> Tensor:
        """Return a sound file's embedding (clap_dim,)."""
        encoder = self.pack.audio
        wave = load_audio(path.resolve(), encoder.sample_rate, [path.resolve().parent])
        return encoder.encode([wave])[0]

    def decode(self, a: Tensor, seconds: float, seed: int) -> Sound:
        """Return the sound of an embedding (clap_dim,), as long as the decoder can at most."""
        decoder = self.pack.decoder
        length = min(max(seconds, decoder.min_s), decoder.max_s)
        wave = decoder.decode(a, length, seed, self.quality, no_steps)
        return Sound(fit(wave, round(seconds * decoder.sample_rate)), decoder.sample_rate)


@dataclass(frozen=True, eq=False)
class Composed:
    """Ours: all sources and the frame go through the Remixer, one sound comes out."""

    studio: Studio
    settings: CycleMixSettings | None = None

    def sound(self, condition: Condition, seed: int) -> Sound:
        seen = self.studio.perceive(condition)
        drawn = torch.Generator().manual_seed(seed)
        mixed = mix(self.studio.pack.ssv2a, seen.sources, seen.frame, self.settings, drawn)
        return self.studio.decode(mixed.a_mix, condition.seconds, seed)


@dataclass(frozen=True, eq=False)
class Cascaded:
    """Each source is rendered alone, and the clips are laid over each other at equal levels."""

    studio: Studio

    def sound(self, condition: Condition, seed: int) -> Sound:
        seen = self.studio.perceive(condition)
        rows = source_semantics(self.studio.pack.ssv2a, seen.sources)
        clips = [
            self.studio.decode(row, condition.seconds, seed + place)
            for place, row in enumerate(rows)
        ]
        return Sound(_kept_in(overlaid(clip.wave for clip in clips)), clips[0].rate_hz)


def _kept_in(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the wave, lowered only where it would pass full scale."""
    return np.asarray(wave / max(1.0, float(np.abs(wave).max(initial=0.0))), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Mapped:
    """The frame, or else the mean of what is read and seen, through one network; sounds are lost.

    That is what a method can do that knows no sources.
    """

    studio: Studio
    mapper: Mapper

    @torch.inference_mode()
    def sound(self, condition: Condition, seed: int) -> Sound:
        seen = self.studio.perceive(condition)
        vectors = [source.vector for source in seen.sources if source.modality == "clip"]
        if seen.frame is None and not vectors:
            raise NothingToRender(f"{condition.item} has sounds only; the mapper needs a picture.")
        whole = torch.stack(vectors).mean(0) if seen.frame is None else seen.frame
        a = self.mapper(torch.nn.functional.normalize(whole, dim=-1))
        return self.studio.decode(a, condition.seconds, seed)


@dataclass(frozen=True, eq=False)
class Oracle:
    """The decoder, conditioned on the real sound's own embedding: the most that it could give."""

    studio: Studio

    def sound(self, condition: Condition, seed: int) -> Sound:
        return self.studio.decode(self.studio.real(condition), condition.seconds, seed)


@dataclass(frozen=True)
class Truth:
    """The real sound, or that of the real video: the stretch of it that training data hears."""

    rate_hz: int = 48_000

    def sound(self, condition: Condition, seed: int) -> Sound:
        wave = _recorded(_reference(condition), self.rate_hz)
        return Sound(fit(wave, round(condition.seconds * self.rate_hz)), self.rate_hz)


def _recorded(path: Path, rate_hz: int) -> NDArray[np.float32]:
    if path.suffix.lower() in VIDEOS:
        seen = watch(path, 0)
        return read_video_sound(path, rate_hz, seen.start_s, seen.duration_s)
    return read_sound(path, rate_hz)


@dataclass(frozen=True)
class Made:
    """Another method's outputs, made elsewhere from the same inputs."""

    outputs: Outputs
    rate_hz: int = 48_000

    def sound(self, condition: Condition, seed: int) -> Sound:
        wave = self.outputs.wave(condition.item, self.rate_hz, condition.seconds)
        return Sound(wave, self.rate_hz)


def _reference(condition: Condition) -> Path:
    if condition.reference is None:
        raise NothingToRender(
            f"{condition.item} has no real sound; the oracle needs one in --data, the truth in "
            "--library."
        )
    return condition.reference


OwnName = Literal["ssv2a", "cascade", "mapper", "oracle", "truth"]
NAMES: tuple[OwnName, ...] = get_args(OwnName)


def own_method(name: OwnName, studio: Studio, mapper: Mapper | None) -> Method:
    """Return one of the methods that need no other program."""
    if name == "mapper":
        if mapper is None:
            raise NothingToRender(
                "The mapper's file is missing: train one with wildtrack baselines train and name "
                "it with --mapper."
            )
        return Mapped(studio, mapper)
    made: dict[str, Method] = {
        "ssv2a": Composed(studio),
        "cascade": Cascaded(studio),
        "oracle": Oracle(studio),
        "truth": Truth(),
    }
    return made[name]
