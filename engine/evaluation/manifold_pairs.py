"""Pairs of a picture (or words) and a sound, with their class, for the manifold analysis.

They come from a table, from a folder laid out as docs/training-data.md says, or, ready embedded,
from a NumPy archive. Files that cannot be read are listed with the reason and left out.
"""

from __future__ import annotations

import csv
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.steps import StepCallback
from osc_bridge.errors import BadCorpus, FileMissing, WildtrackError

if TYPE_CHECKING:
    from engine.models.loading import LoadedPack

COLUMNS = {"audio", "class"}
MOST_BYTES = 2 * 1024**3
LEAST = 3  # of a class: fewer have no variance to speak of


@dataclass(frozen=True)
class Pair:
    """One pair: a sound, its class, and a picture, or words where there is none."""

    audio: Path
    label: str
    image: Path | None
    text: str


@dataclass(frozen=True, eq=False)
class Embedded:
    """N pairs: ``clips`` (N, clip_dim), ``claps`` (N, clap_dim), float64, and their classes.

    ``pictured`` counts those whose image side is a picture, ``distinct`` the different image
    sides: a picture that stands for many sounds makes modalities easy to tell apart. ``bad`` lists
    files left out.
    """

    clips: NDArray[np.float64]
    claps: NDArray[np.float64]
    labels: tuple[str, ...]
    pictured: int
    distinct: int
    bad: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice:
    """Which pairs are looked at: of the most frequent ``classes``, ``each`` of every one."""

    classes: int = 16
    each: int = 20
    seed: int = 1

    def rows(self, labels: Sequence[str]) -> list[int]:
        """Return the chosen places, class by class, the most frequent first; BadCorpus if few."""
        counts = Counter(label for label in labels if label)
        frequent = sorted(counts, key=lambda label: (-counts[label], label))[: self.classes]
        named = [label for label in frequent if counts[label] >= LEAST]
        if len(named) < 2:
            raise BadCorpus(
                f"There are {len(named)} classes with at least {LEAST} pairs; the analysis "
                "compares 2 or more: add pairs, or check the column of classes."
            )
        places = defaultdict(list)
        for place, label in enumerate(labels):
            places[label].append(place)
        drawn = random.Random(self.seed)  # noqa: S311 - a fair draw, not a secret
        return [
            place
            for label in named
            for place in sorted(drawn.sample(places[label], min(self.each, counts[label])))
        ]


def gather(
    source: Path, choice: Choice, pack: Callable[[], LoadedPack], on_step: StepCallback
) -> Embedded:
    """Return the chosen pairs of ``source``: a folder (corpus), a .csv of pairs or an .npz.

    ``pack`` loads the encoders; an archive needs none.
    """
    if source.suffix.lower() == ".npz":
        return _chosen(read_archive(source), choice)
    pairs = corpus_pairs(source) if source.is_dir() else read_table(source)
    rows = choice.rows([pair.label for pair in pairs])
    return embed([pairs[row] for row in rows], pack(), on_step)


def every_pair(source: Path, pack: Callable[[], LoadedPack], on_step: StepCallback) -> Embedded:
    """Return all pairs of ``source``, as :func:`gather`; of a folder those for training."""
    if source.suffix.lower() == ".npz":
        return read_archive(source)
    pairs = corpus_pairs(source, "train") if source.is_dir() else read_table(source)
    return embed(pairs, pack(), on_step)


def read_table(path: Path) -> list[Pair]:
    """Return the pairs of a table with columns audio, class, and image or text.

    Paths are relative to the table.
    """
    if not path.is_file():
        raise FileMissing(
            f"There is no table of pairs at {path}; give a folder, a .csv or an .npz."
        )
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    missing = COLUMNS - set(rows[0] if rows else ())
    if missing or not ({"image", "text"} & set(rows[0])):
        raise BadCorpus(
            f"{path} needs the columns audio, class, and image or text; it has "
            f"{', '.join(rows[0]) if rows else 'no rows'}."
        )
    return [_pair(path.parent, row) for row in rows]


def _pair(folder: Path, row: dict[str, str]) -> Pair:
    image, words = row.get("image") or "", row.get("text") or ""
    return Pair(folder / row["audio"], row["class"], folder / image if image else None, words)


def corpus_pairs(data: Path, split: str = "test") -> list[Pair]:
    """Return the sounds of a split with a class; each with its picture, one of its class, or words.

    No picture stands for two sounds of which it is not the own one. Of the train split only
    sounds with a fit licence.
    """
    from engine.training.corpus import read_clips, read_pictures  # noqa: PLC0415

    pictures = [p for p in read_pictures(data) if p.role == "cutouts"]
    own = {picture.name: picture.path for picture in pictures}
    of_class = defaultdict(list)
    for picture in pictures:
        of_class[picture.foley_class].append(picture.path)
    pairs = []
    for clip in read_clips(data):
        if clip.split != split or not clip.foley_class or (split == "train" and not clip.trainable):
            continue
        image = own.get(clip.image)
        if image is None and of_class[clip.foley_class]:
            image = of_class[clip.foley_class].pop(0)
        pairs.append(Pair(clip.path, clip.foley_class, image, clip.text))
    return pairs


def embed(pairs: Sequence[Pair], pack: LoadedPack, on_step: StepCallback) -> Embedded:
    """Return the pairs as the pack sees and hears them."""
    rows: list[tuple[NDArray[np.float64], NDArray[np.float64], Pair]] = []
    bad = []
    for number, pair in enumerate(pairs, start=1):
        try:
            rows.append((_seen(pair, pack), _heard(pair, pack), pair))
        except WildtrackError as error:
            bad.append(f"{pair.audio.name}: {error}")
        on_step(number, len(pairs))
    if not rows:
        raise BadCorpus(f"None of {len(pairs)} pairs can be read; the first: {bad[0]}")
    return Embedded(
        clips=np.stack([row[0] for row in rows]),
        claps=np.stack([row[1] for row in rows]),
        labels=tuple(pair.label for _, _, pair in rows),
        pictured=sum(pair.image is not None for _, _, pair in rows),
        distinct=len({pair.image or pair.text for _, _, pair in rows}),
        bad=tuple(bad),
    )


def _seen(pair: Pair, pack: LoadedPack) -> NDArray[np.float64]:
    from engine.perception.frames import load_frame  # noqa: PLC0415

    if pair.image is None:
        vector = pack.texts.encode([pair.text])[0]
    else:
        vector = pack.images.encode([load_frame(pair.image)])[0]
    return np.asarray(vector.cpu().numpy(), dtype=np.float64)


def _heard(pair: Pair, pack: LoadedPack) -> NDArray[np.float64]:
    from engine.audio import load_audio  # noqa: PLC0415

    wave = load_audio(pair.audio.resolve(), pack.audio.sample_rate, [pair.audio.resolve().parent])
    return np.asarray(pack.audio.encode([wave])[0].cpu().numpy(), dtype=np.float64)


def read_archive(path: Path) -> Embedded:
    """Return pairs from arrays ``clips`` (N, C), ``claps`` (N, A) and ``classes`` (N,) of text."""
    if not path.is_file():
        raise FileMissing(f"There is no archive of embeddings at {path}.")
    if path.stat().st_size > MOST_BYTES:
        raise BadCorpus(f"{path} has {path.stat().st_size} bytes; at most {MOST_BYTES} are read.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            clips, claps = (archive[name].astype(np.float64) for name in ("clips", "claps"))
            labels = tuple(str(label) for label in archive["classes"])
    except (KeyError, ValueError, OSError) as error:
        raise BadCorpus(
            f"{path} is no archive with arrays clips, claps and classes ({error}); "
            "numpy.savez(path, clips=..., claps=..., classes=...) writes one."
        ) from error
    _require_fit(path, clips, claps, labels)
    return Embedded(clips, claps, labels, len(labels), _different(clips))


def _require_fit(
    path: Path, clips: NDArray[np.float64], claps: NDArray[np.float64], labels: Sequence[str]
) -> None:
    is_fit = clips.ndim == claps.ndim == 2 and len(clips) == len(claps) == len(labels) > 0
    if not is_fit or not (np.isfinite(clips).all() and np.isfinite(claps).all()):
        raise BadCorpus(
            f"{path} has clips of shape {clips.shape}, claps of shape {claps.shape} and "
            f"{len(labels)} classes; one finite row each for the same pairs is wanted."
        )


def _chosen(pairs: Embedded, choice: Choice) -> Embedded:
    rows = choice.rows(pairs.labels)
    labels = tuple(pairs.labels[row] for row in rows)
    clips = pairs.clips[rows]
    return Embedded(clips, pairs.claps[rows], labels, len(rows), _different(clips))


def _different(rows: NDArray[np.float64]) -> int:
    return len(np.unique(rows, axis=0))
