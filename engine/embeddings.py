"""Perception of a scene: each source becomes one vector, computed once for the same content.

Importing this loads no torch.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.audio import load_audio
from engine.perception.frames import crop_region, load_frame
from engine.scene.model import Box, Scene, Source
from engine.steps import StepCallback, no_steps

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from engine.cmss import SourceEmbedding
    from engine.cmss.sources import Modality
    from engine.models.loading import LoadedPack

MAX_CACHED = 4096

Content = tuple[str, str, Box | None]
"""Kind of content, the text or the media file (named by its hash), box."""

Key = tuple[str, str, Content]
"""Pack digest, device and content."""


class EmbeddingCache:
    """Vectors by content, the least recently used forgotten first. One thread uses it."""

    def __init__(self, limit: int = MAX_CACHED) -> None:
        self._limit = limit
        self._vectors: OrderedDict[Key, Tensor] = OrderedDict()

    def get(self, key: Key) -> Tensor | None:
        """Return the vector of that content, or None."""
        if key in self._vectors:
            self._vectors.move_to_end(key)
        return self._vectors.get(key)

    def put(self, key: Key, vector: Tensor) -> None:
        """Remember a vector."""
        self._vectors[key] = vector
        while len(self._vectors) > self._limit:
            self._vectors.popitem(last=False)


class Perceiver:
    """A pack's encoders over a session's media, with a cache; it lives as long as one job."""

    def __init__(self, pack: LoadedPack, session: Path, cache: EmbeddingCache) -> None:
        self._pack = pack
        self._session = session
        self._cache = cache
        self._last_picture: tuple[str, Image.Image] | None = None

    def sources(self, scene: Scene, on_step: StepCallback = no_steps) -> list[SourceEmbedding]:
        """Return one embedding per source of the scene, each encoded alone, in its order."""
        from engine.cmss import SourceEmbedding  # noqa: PLC0415

        found = []
        count = len(scene.sources)
        for number, source in enumerate(scene.sources, start=1):
            vector = self._source(source, _staying(on_step, number - 1, count))
            modality: Modality = "clap" if source.kind == "audio" else "clip"
            found.append(SourceEmbedding(modality, vector, source.weight))
            on_step(number, count)
        return found

    def frame(self, scene: Scene, on_step: StepCallback = no_steps) -> Tensor | None:
        """Return the vector of the whole frame (clip_dim,), or None when there is none."""
        if not scene.frame:
            return None
        vector = self._image(scene.frame, None)
        on_step(1, 1)
        return vector

    def _source(self, source: Source, on_part: StepCallback) -> Tensor:
        if source.kind == "text":
            return self._text(source.text)
        if source.kind == "audio":
            return self._audio(source.media, on_part)
        return self._image(source.media, source.box)

    def _text(self, text: str) -> Tensor:
        return self._known(("text", text, None), lambda: self._pack.texts.encode([text]))

    def _audio(self, media: str, on_part: StepCallback) -> Tensor:
        def encode() -> Tensor:
            encoder = self._pack.audio
            path = self._session / media
            wave = load_audio(path, encoder.sample_rate, (self._session,), on_part)
            return encoder.encode([wave], on_part)

        return self._known(("audio", media, None), encode)

    def _image(self, media: str, box: Box | None) -> Tensor:
        def encode() -> Tensor:
            frame = self._picture(media)
            return self._pack.images.encode([crop_region(frame, box) if box else frame])

        return self._known(("image", media, box), encode)

    def _picture(self, media: str) -> Image.Image:
        """Return the picture, read once for all the regions of it that follow each other."""
        if self._last_picture is None or self._last_picture[0] != media:
            self._last_picture = media, load_frame(self._session / media, (self._session,))
        return self._last_picture[1]

    def _known(self, content: Content, encode: Callable[[], Tensor]) -> Tensor:
        """Return the remembered vector (dim,), or encode it: rows (1, dim)."""
        key = (self._pack.manifest.digest, self._pack.device, content)
        vector = self._cache.get(key)
        if vector is None:
            vector = encode()[0]
            self._cache.put(key, vector)
        return vector


def _staying(on_step: StepCallback, step: int, of: int) -> StepCallback:
    """Return a callback that reports the same step each time: within it, work can be stopped."""
    return lambda _step, _of: on_step(step, of)
