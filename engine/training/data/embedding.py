"""From an item to a sample: the sound heard, the picture looked at, the words read, by one pack."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from engine.perception.base import AudioEncoder, Detector, ImageEncoder, TextEncoder
from engine.perception.frames import load_frame
from engine.perception.mel import MEL, log_mel
from engine.training.data.curation import THRESHOLD, Seen, look
from engine.training.data.items import Item
from engine.training.data.samples import Facts, Kind, Sample
from engine.training.data.shards import Bad
from engine.training.data.sounds import Wave, read_sound, read_video_sound
from engine.training.data.videos import FRAMES, Watched, watch
from engine.training.data.words import Words, asked
from engine.training.licences import is_trainable
from engine.training.pictures import on_background
from osc_bridge.errors import BadCorpus, Cancelled, WildtrackError

if TYPE_CHECKING:
    from engine.models.loading import LoadedPack

Part = Literal["mel", "clap", "words", "pictures", "frames"]
DEFAULT_PARTS: tuple[Part, ...] = ("mel", "clap", "words", "pictures")
"""``frames`` looks at 64 pictures of every video, so it is asked for."""
KEPT_PICTURES = 4096
"""Pictures whose vectors are remembered: many sounds may show the same one."""


@dataclass(frozen=True, eq=False)
class Encoders:
    """What embeds; ``name`` and ``digest`` go into the manifest of the data.

    Without ``audio`` sounds get no embedding: the stage ``encoder`` trains what gives it.
    """

    name: str
    digest: str
    images: ImageEncoder
    texts: TextEncoder
    audio: AudioEncoder | None
    detector: Detector


def pack_encoders(pack: LoadedPack) -> Encoders:
    """Return the encoders of a loaded pack."""
    manifest = pack.manifest
    name = f"{manifest.name} {manifest.version}"
    return Encoders(name, manifest.digest, pack.images, pack.texts, pack.audio, pack.detector)


@dataclass
class Found:
    """What has been made of one item so far, and what of it could not be used."""

    item: Item
    duration_s: float = 0.0
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    views: list[tuple[Kind, NDArray[np.float32]]] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)

    @property
    def is_useful(self) -> bool:
        """Whether anything can be learned from it."""
        return self.duration_s > 0 or bool(self.arrays or self.views)


class Embedder:
    """Embeds items, from any thread; pictures that many items share are looked at once."""

    def __init__(
        self,
        encoders: Encoders,
        parts: Sequence[Part] = DEFAULT_PARTS,
        threshold: float = THRESHOLD,
        grounds: Sequence[Path] = (),
        workers: int = 1,
    ) -> None:
        self._encoders = encoders
        self._parts = frozenset(parts)
        self._threshold = threshold
        self._ground_paths = tuple(grounds)
        self._words = Words(encoders.texts, workers)
        self._single: dict[Path, Tensor] = {}
        self._lock = Lock()

    @torch.inference_mode()
    def embed(self, item: Item) -> Found:
        """Return all but the words; a part that fails is noted in ``bad`` and left out."""
        found = Found(item)
        watched = self._watched(found)
        if item.sound is not None or watched is not None:
            self._try(found, item.sound or item.video, lambda: self._hear(found, watched))
        if "pictures" in self._parts:
            self._try(found, item.picture or item.video, lambda: self._look(found, watched))
            for path in item.alike:
                self._try(found, path, lambda path=path: self._look_alike(found, path))  # type: ignore[misc]
        if "frames" in self._parts and watched is not None:
            self._try(found, item.video, lambda: self._look_along(found, watched))
        return found

    @torch.inference_mode()
    def samples(self, found: Sequence[Found]) -> list[Sample]:
        """Return the samples of the useful items, their words read all together."""
        useful = [each for each in found if each.is_useful]
        if "words" in self._parts:
            self._read(useful)
        return [_sample(each, self._encoders.images.dim) for each in useful]

    def _try(self, found: Found, path: Path | None, part: Callable[[], None]) -> None:
        """Run one part; whatever a decoder raises on a damaged file becomes a line of the list."""
        if path is None:
            return
        try:
            part()
        except (Cancelled, MemoryError):
            raise
        except WildtrackError as error:
            found.bad.append(_bad(found.item, path, str(error)))
        except Exception as error:
            found.bad.append(_bad(found.item, path, f"{type(error).__name__}: {error}"[:300]))

    def _watched(self, found: Found) -> Watched | None:
        video = found.item.video
        if video is None:
            return None
        watched: list[Watched] = []
        count = FRAMES if "frames" in self._parts else 0
        self._try(found, video, lambda: watched.append(watch(video, count)))
        return watched[0] if watched else None

    def _hear(self, found: Found, watched: Watched | None) -> None:
        wave = self._wave(found.item, watched)
        found.duration_s = round(len(wave) / MEL.sample_rate, 4)
        if "clap" in self._parts and self._encoders.audio is not None:
            found.arrays["clap"] = _clap(self._encoders.audio, wave)
        if "mel" in self._parts:
            found.arrays["mel"] = log_mel(torch.from_numpy(wave)).T.numpy().astype("<f2")

    def _wave(self, item: Item, watched: Watched | None) -> Wave:
        if item.sound is not None:
            return read_sound(item.sound, MEL.sample_rate, trim=item.video is None)
        if item.video is None or watched is None:
            raise BadCorpus("Its video cannot be read.")
        return read_video_sound(item.video, MEL.sample_rate, watched.start_s, watched.duration_s)

    def _look(self, found: Found, watched: Watched | None) -> None:
        item = found.item
        if item.picture is not None:
            image = load_frame(item.picture)
        elif watched is not None:
            image = watched.centre
        else:
            return
        encoders = self._encoders
        seen = look(image, item.boxes, encoders.images, encoders.detector, self._threshold)
        self._keep(found, seen)
        if image.has_transparency_data and item.picture is not None:
            self._add(found, seen.kind, self._on_ground(image, item.picture))

    def _keep(self, found: Found, seen: Seen) -> None:
        self._add(found, seen.kind, seen.single)
        found.arrays["sources"] = seen.sources.cpu().numpy()
        found.arrays["frame"] = seen.frame.cpu().numpy()

    def _look_alike(self, found: Found, path: Path) -> None:
        with self._lock:
            known = self._single.get(path)
        if known is None:
            image = load_frame(path)
            alone = self._encoders.images.encode([image])
            known = torch.cat([alone, self._on_ground(image, path)])
            with self._lock:
                if len(self._single) < KEPT_PICTURES:
                    self._single[path] = known
        self._add(found, "curated", known)

    def _on_ground(self, image: Image.Image, path: Path) -> Tensor:
        """Return a cut-out on a patch of a background (1, clip_dim), or nothing (0, clip_dim)."""
        if not self._grounds:
            return torch.empty(0, self._encoders.images.dim)
        generator = torch.Generator().manual_seed(zlib.crc32(path.name.encode()))
        return self._encoders.images.encode([on_background(image, self._grounds, generator)])

    @cached_property
    def _grounds(self) -> list[Image.Image]:
        return [load_frame(path) for path in self._ground_paths]

    def _look_along(self, found: Found, watched: Watched) -> None:
        vectors = self._encoders.images.encode(watched.along)
        found.arrays["frames"] = vectors.cpu().numpy().astype("<f2")

    def _read(self, found: Sequence[Found]) -> None:
        heard = [each for each in found if each.duration_s > 0]
        ways = [asked(each.item.text, each.item.foley_class) for each in heard]
        raw = self._words.raw([text for way, _ in ways for text in way])
        translated = self._words.translated([text for _, way in ways for text in way])
        for each, (as_is, moved) in zip(heard, ways, strict=True):
            self._add(each, "translated", torch.stack([translated[text] for text in moved]))
            self._add(each, "words", torch.stack([raw[text] for text in as_is]))

    def _add(self, found: Found, kind: Kind, vectors: Tensor) -> None:
        found.views += [(kind, vector) for vector in vectors.cpu().numpy()]


def _clap(audio: AudioEncoder, wave: Wave) -> NDArray[np.float32]:
    import soxr  # noqa: PLC0415

    if audio.sample_rate != MEL.sample_rate:
        wave = np.asarray(soxr.resample(wave, MEL.sample_rate, audio.sample_rate, "HQ"), np.float32)
    return audio.encode([wave])[0].cpu().numpy()


def _bad(item: Item, path: Path, reason: str) -> Bad:
    name = item.name if item.name.endswith(path.name) else f"{item.name}: {path.name}"
    return Bad(name, reason)


def _sample(found: Found, clip_dim: int) -> Sample:
    item = found.item
    facts = Facts(
        name=item.name,
        split=item.split,
        text=item.text,
        foley_class=item.foley_class,
        licence=item.licence,
        package=item.package,
        duration_s=found.duration_s,
        may_publish=is_trainable(item.licence),
        kinds=tuple(kind for kind, _ in found.views),
    )
    rows = [vector for _, vector in found.views]
    clip = np.stack(rows) if rows else np.zeros((0, clip_dim))
    return Sample(facts, {**found.arrays, "clip": clip.astype("<f4")})
