"""Every sound that the model card speaks of, made once and kept: a stopped report goes on.

Kept as FLAC of 24 bits in the work folder of the training run, in a folder named after the pack and
the code that renders, so that anyone can listen to what the figures come from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

import engine
from engine.evaluation.rendering import Renderer, Wave
from engine.evaluation.starter_draw import SEED, Item
from engine.evaluation.workers import in_parallel
from engine.perception.frames import load_frame
from engine.perception.mel import MEL
from engine.steps import StepCallback
from engine.synthesis.latent_flow import EFFORTS
from engine.training.corpus import Picture
from engine.training.features import read_wave
from engine.training.stages import Run
from presets.files import remove_parts, writing_whole

LOUDEST = 0.99
_RENDERING = ("synthesis", "perception", "cmss")
"""The packages whose code decides what a pack sounds like."""


@dataclass(frozen=True)
class Row:
    """Sounds of one origin: a file for each item."""

    items: tuple[Item, ...]
    paths: tuple[Path, ...]

    @property
    def kinds(self) -> list[str]:
        """The class of each sound."""
        return [item.kind for item in self.items]


@dataclass(frozen=True)
class Order:
    """A sound to be made. ``what`` says all that decides it beside pack and code."""

    item: Item
    what: str
    make: Callable[[], Wave]


@dataclass(frozen=True)
class Shelf:
    """Where the sounds of one pack are kept."""

    folder: Path

    def row(self, name: str, orders: Sequence[Order], on_step: StepCallback) -> Row:
        """Make what is not there yet; return all of it."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        remove_parts(folder)
        paths = [folder / _file_name(order) for order in orders]
        jobs = [job for job in zip(orders, paths, strict=True) if not job[1].exists()]
        done = len(orders) - len(jobs)
        in_parallel(_keep, jobs, lambda step, _: on_step(done + step, len(orders)))
        return Row(tuple(order.item for order in orders), tuple(paths))


def shelf_of(run: Run, renderer: Renderer) -> Shelf:
    """Return the shelf of this pack, of the code and the corpus as they are now."""
    told = hashlib.sha256(renderer.pack.manifest.digest.encode())
    for path in _code():
        told.update(path.read_bytes())
    for table in ("sounds.csv", "images.csv"):
        told.update((run.data / table).read_bytes())
    return Shelf(run.work / "report" / told.hexdigest()[:16])


def held_out(items: Sequence[Item]) -> Row:
    """Return the held-out sounds themselves."""
    return Row(tuple(items), tuple(item.clip.path for item in items))


def taught(items: Sequence[Item]) -> Row:
    """Return a training sound for each item whose class has one left."""
    chosen = [(item, item.taught.path) for item in items if item.taught]
    return Row(tuple(item for item, _ in chosen), tuple(path for _, path in chosen))


def through_codec(renderer: Renderer, items: Sequence[Item]) -> list[Order]:
    """Return orders for the held-out sounds after codec and vocoder."""
    return [Order(item, item.clip.path.name, partial(_coded, renderer, item)) for item in items]


def from_words(renderer: Renderer, items: Sequence[Item]) -> list[Order]:
    """Return orders for what the pack makes of each held-out sound's words, at its length."""

    def order(item: Item) -> Order:
        text, seconds = item.clip.text, item.clip.duration_s
        make = partial(renderer.from_text, text, seconds, item.seed)
        return Order(item, f"{text}|{seconds}", make)

    return [order(item) for item in items]


def from_pictures(
    renderer: Renderer, items: Sequence[Item], seen: Mapping[str, Tensor]
) -> list[Order]:
    """Return orders for what the pack makes of an unseen picture of the item's class.

    ``seen`` holds the picture's vector in image space by its name. Items without one are left out.
    """

    def order(item: Item, picture: Picture) -> Order:
        seconds = item.clip.duration_s

        def make() -> Wave:
            return renderer.from_seen(seen[picture.name], seconds, item.seed)

        return Order(item, f"{picture.name}|{seconds}", make)

    return [order(item, item.picture) for item in items if item.picture]


def class_means(run: Run, renderer: Renderer, items: Sequence[Item]) -> list[Order]:
    """Return orders for the mean log-mel picture of each class, made audible."""
    firsts = [item for item in items if item.place == 0]
    return [
        Order(item, item.kind, partial(_class_mean, run, renderer, item.kind)) for item in firsts
    ]


def look(
    renderer: Renderer, pictures: Sequence[Picture], on_step: StepCallback
) -> dict[str, Tensor]:
    """Return the vector (clip_dim,) of each picture, as the engine sees it, by its name."""
    once = list({picture.name: picture for picture in pictures}.values())

    def seen(picture: Picture) -> Tensor:
        return renderer.pack.images.encode([load_frame(picture.path)])[0]

    rows = in_parallel(seen, once, on_step)
    return {picture.name: row for picture, row in zip(once, rows, strict=True)}


@contextmanager
def guided_by(guidance: float) -> Iterator[None]:
    """Let every decoder of this process take another guidance for its final quality."""
    usual = EFFORTS["final"]
    EFFORTS["final"] = replace(usual, guidance=guidance)
    try:
        yield
    finally:
        EFFORTS["final"] = usual


def _coded(renderer: Renderer, item: Item) -> Wave:
    return renderer.through_codec(read_wave(item.clip.path), item.seed)


def _class_mean(run: Run, renderer: Renderer, kind: str) -> Wave:
    rows = [row for row in run.chosen if run.clips[row].foley_class == kind]
    window = int(np.median([len(run.store.clip(row)) for row in rows]))
    total = torch.zeros(window, MEL.mels)
    for row in rows:
        picture = torch.from_numpy(run.store.clip(row)[:window].astype(np.float32))
        padded = torch.full_like(total, MEL.log_floor)
        padded[: len(picture)] = picture
        total += padded
    return renderer.audible((total / len(rows)).T, SEED)


def _file_name(order: Order) -> str:
    told = hashlib.sha256(order.what.encode()).hexdigest()
    return f"{order.item.number:06d}-{told[:8]}.flac"


def _keep(job: tuple[Order, Path]) -> None:
    order, path = job
    wave = order.make()
    peak = float(np.abs(wave).max(initial=0.0))
    with writing_whole(path) as part:
        kept = wave * min(1.0, LOUDEST / max(peak, 1e-9))
        soundfile.write(part, kept, MEL.sample_rate, format="FLAC", subtype="PCM_24")


def _code() -> list[Path]:
    root = Path(engine.__file__).parent
    return sorted(path for name in _RENDERING for path in (root / name).rglob("*.py"))
