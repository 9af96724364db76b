"""What the parts of ``wildtrack evaluate --paper`` share: pack, sounds, and who listens.

Everything is made when it is first asked for, and sounds are kept in the work folder by what they
depend on: a stopped run goes on, and another pack's sounds are never taken for this one's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from PIL import Image

from engine.audio import load_audio
from engine.cmss import SourceEmbedding
from engine.evaluation.baselines import (
    Condition,
    Method,
    Perceived,
    Sound,
    Studio,
)
from engine.evaluation.conditions import render_all, write_sound
from engine.evaluation.mapper import Mapper, load_mapper, save_mapper
from engine.evaluation.material import Stage
from engine.evaluation.paper_items import REAL_HZ, Item, mixture, scenes, singles
from engine.evaluation.paper_listeners import PaperListeners, gather
from engine.evaluation.paper_pairs import embed, taught_mapper, taught_pairs
from engine.evaluation.paper_wish import PaperWish, short
from engine.evaluation.rendering import Renderer, renderer_of
from engine.models.loading import load_pack
from engine.models.pack import find_pack, read_manifest
from engine.perception.frames import load_frame
from engine.perception.mel import MEL
from engine.training.corpus import Clip, Picture, read_clips, read_pictures
from engine.training.loop import Place
from presets.files import remove_parts, write_whole, writing_whole

if TYPE_CHECKING:
    from torch import Tensor

    from engine.models.loading import LoadedPack
    from engine.models.pack import PackManifest

T = TypeVar("T")
CELL = 240  # pixels, of one source in a scene's picture


@dataclass(frozen=True)
class ThroughCodec:
    """The real sound after codec and vocoder: what a perfect generator would give."""

    renderer: Renderer

    def sound(self, condition: Condition, seed: int) -> Sound:
        """Return the reference as the pack's last stages leave it."""
        assert condition.reference is not None
        path = condition.reference.resolve()
        wave = load_audio(path, MEL.sample_rate, [path.parent])
        return Sound(self.renderer.through_codec(wave, seed), MEL.sample_rate)


@dataclass(frozen=True)
class Bench:
    """One evaluation: the wish, and how progress is shown and work stopped."""

    wish: PaperWish
    stage: Stage
    looks: dict[Path, Tensor] = field(default_factory=dict)
    made: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def manifest(self) -> PackManifest:
        """The pack's manifest."""
        return read_manifest(find_pack(self.wish.pack))

    @cached_property
    def key(self) -> dict[str, Any]:
        """What every part depends on."""
        return self.wish.key(self.manifest.digest)

    @cached_property
    def pack(self) -> LoadedPack:
        """The pack, warm."""
        return load_pack(self.wish.pack)

    @cached_property
    def studio(self) -> Studio:
        """The pack as every method uses it; what conditions show is in it once they are made."""
        return Studio(self.pack)

    @cached_property
    def renderer(self) -> Renderer:
        """The pack with codec and vocoder beside it; a ModelError for a pack that has none."""
        return renderer_of(find_pack(self.wish.pack))

    @cached_property
    def folder(self) -> Path:
        """Where sounds of this pack, corpus, seed and scale are kept."""
        folder = self.wish.work / "sounds" / short(self.key)
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "key.json", json.dumps(self.key, indent=1).encode())
        return folder

    @cached_property
    def clips(self) -> list[Clip]:
        """Every sound of the corpus."""
        return read_clips(self.wish.data)

    @cached_property
    def pictures(self) -> list[Picture]:
        """Every picture of the corpus."""
        return read_pictures(self.wish.data)

    @cached_property
    def listeners(self) -> PaperListeners:
        """Who listens, taught and loaded."""
        return gather(self.wish, lambda: self.pack, self.stage)

    @cached_property
    def singles(self) -> list[Item]:
        """Single held-out sounds."""
        return singles(self.clips, self.pictures, self.wish.scale, self.wish.seed)

    @cached_property
    def scenes(self) -> list[Item]:
        """Scenes of several of them."""
        return scenes(self.singles, self.wish.scale.scenes, self.wish.seed)

    def real(self, items: Sequence[Item], section: str) -> Path:
        """Return the folder of the real sounds of items, which are written there."""
        folder = self._clean(section, "real")
        on_step = self.stage(f"{section}: real sounds")
        for step, item in enumerate(items, start=1):
            path = folder / f"{item.name}.wav"
            if not path.exists():
                write_sound(path, Sound(mixture(item), REAL_HZ))
            on_step(step, len(items))
        return folder

    def worded(self, items: Sequence[Item], section: str) -> list[Condition]:
        """Return conditions in words, with the real sounds as references."""
        real = self.real(items, section)
        return [
            Condition(item.name, item.seconds, texts=item.texts, reference=_wav(real, item))
            for item in items
        ]

    def pictured(self, items: Sequence[Item], section: str) -> list[Condition]:
        """Return conditions in pictures, of items that have them; each is one source, seen whole.

        Their frame is the picture itself, or the pictures of all sources side by side.
        """
        real, frames = self.real(items, section), self._clean(section, "frames")
        shown = [item for item in items if item.pictures]
        on_step = self.stage(f"{section}: pictures")
        found = []
        for step, item in enumerate(shown, start=1):
            path = frames / f"{item.name}.png"
            if not path.exists():
                _keep_frame(side_by_side([load_frame(one) for one in item.pictures]), path)
            condition = Condition(item.name, item.seconds, image=path, reference=_wav(real, item))
            self.studio.known.setdefault(condition, self._seen(item, path))
            found.append(condition)
            on_step(step, len(shown))
        return found

    def render(
        self, method: Method, conditions: Sequence[Condition], section: str, name: str
    ) -> tuple[Path, list[str]]:
        """Return the folder of a method's sounds, and sentences on those that there are not."""
        folder = self._clean(section, name)
        seed, on_step = self.wish.seed, self.stage(f"{section}: {name}")
        return folder, render_all(method, conditions, folder, seed, on_step)

    @cached_property
    def mapper(self) -> Mapper:
        """A V2A-Mapper-like network, trained on pairs of the corpus' train split."""
        path, wish = self.folder / "mapper.safetensors", self.wish
        if path.exists():
            return load_mapper(path, self.manifest.digest)
        pairs = taught_pairs(self.clips, self.pictures, wish.scale.pairs, wish.seed)
        embedded = embed(pairs, self.pack, self.stage("mapper's pairs"))
        place = Place(self.folder / "mapper.checkpoint", self.stage("mapper"), wish.seed)
        made = taught_mapper(embedded, wish.scale.mapper_steps, place)
        save_mapper(made, self.manifest.digest, path)
        return made

    def look(self, path: Path) -> Tensor:
        """Return a picture in image space (clip_dim,); each is looked at once."""
        if path not in self.looks:
            self.looks[path] = self.pack.images.encode([load_frame(path)])[0]
        return self.looks[path]

    def shared(self, make: Callable[[Bench], T]) -> T:
        """Return what ``make`` makes of this bench, made once for all parts."""
        name = f"{make.__module__}.{make.__name__}"
        if name not in self.made:
            self.made[name] = make(self)
        return self.made[name]  # type: ignore[no-any-return]

    def _seen(self, item: Item, frame: Path) -> Perceived:
        crops = [self.look(path) for path in item.pictures]
        whole = crops[0] if len(crops) == 1 else self.look(frame)
        return Perceived(tuple(SourceEmbedding("clip", row) for row in crops), whole)

    def _clean(self, section: str, name: str) -> Path:
        folder = self.folder / section / name
        folder.mkdir(parents=True, exist_ok=True)
        remove_parts(folder)
        return folder


def side_by_side(pictures: Sequence[Image.Image]) -> Image.Image:
    """Return pictures beside each other on white, each fitted into one cell."""
    whole = Image.new("RGBA", (CELL * len(pictures), CELL), "white")
    for place, picture in enumerate(pictures):
        fitted = picture.convert("RGBA")
        fitted.thumbnail((CELL, CELL))
        left = place * CELL + (CELL - fitted.width) // 2
        whole.alpha_composite(fitted, (left, (CELL - fitted.height) // 2))
    return whole.convert("RGB")


def _keep_frame(picture: Image.Image, path: Path) -> None:
    with writing_whole(path) as part:
        picture.save(part)


def _wav(folder: Path, item: Item) -> Path:
    return folder / f"{item.name}.wav"


Part = Callable[[Bench], dict[str, Any]]
"""Measures one part and returns it as JSON can hold it."""
