"""Who listens for the model card: two judges that share nothing with a pack, each sound once.

``judge`` is :mod:`engine.evaluation.judge`; ``aisfx`` a linear probe on the embeddings of another
network, which is there only where its package is installed. What they make of a row of sounds is
kept beside the sounds.
"""

from __future__ import annotations

import hashlib
import inspect
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from engine.evaluation import aisfx, judge
from engine.evaluation.hearing import Probe
from engine.evaluation.judge import Features, Judge
from engine.evaluation.starter_draw import SEED
from engine.evaluation.workers import in_parallel
from engine.perception import mel
from engine.perception.mel import MEL
from engine.steps import StepCallback
from engine.training.corpus import Clip, judged_classes
from engine.training.features import read_wave
from osc_bridge.errors import PackageMissing
from presets.files import write_whole

Heard = NDArray[np.float32]
Teach = Callable[[Sequence[Features], Sequence[str], int], Judge]
AISFX_MISSING = "the package aisfx is not installed"


@dataclass(frozen=True)
class Ear:
    """Describes a sound file by numbers (D,), and learns classes from such descriptions.

    ``made_of`` identifies the code behind the numbers.
    """

    name: str
    hear: Callable[[Path], Features]
    teach: Teach
    made_of: str


@dataclass(frozen=True)
class Taught:
    """A judge and the descriptions (N, D) of the sounds that it learned from."""

    judge: Judge
    heard: Heard


def ears() -> tuple[list[Ear], dict[str, str]]:
    """Return who can listen here, and for everyone else the reason why not."""
    ours = Ear("judge", _describe, judge.train_judge, _made_of(judge, mel))
    try:
        probe = aisfx.aisfx_probe()
    except PackageMissing:
        return [ours], {"aisfx": AISFX_MISSING}
    hear = partial(_embed, probe)
    return [ours, Ear("aisfx", hear, judge.train_probe, _made_of(aisfx, mel))], {}


def hear_row(ear: Ear, paths: Sequence[Path], folder: Path, on_step: StepCallback) -> Heard:
    """Return the descriptions (N, D) of sound files, from ``folder`` if they are there."""
    kept = folder / f"{ear.name}-{_identity(ear, paths)}.npy"
    if kept.exists():
        on_step(len(paths), len(paths))
        return np.asarray(np.load(kept, allow_pickle=False), dtype=np.float32)
    rows = np.stack(in_parallel(ear.hear, paths, on_step)).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    data = io.BytesIO()
    np.save(data, rows, allow_pickle=False)
    write_whole(kept, data.getvalue())
    return rows


def teachers(clips: Sequence[Clip]) -> list[Clip]:
    """Return every sound that a judge may learn from.

    These are its own split, and packages of the train split whose licence kept them from training.
    """
    names = set(judged_classes(clips))
    seen = {clip.package for clip in clips if clip.trainable}
    return [
        clip
        for clip in clips
        if clip.foley_class in names and clip.split != "test" and clip.package not in seen
    ]


def taught(ear: Ear, clips: Sequence[Clip], folder: Path, on_step: StepCallback) -> Taught:
    """Return the judge that these sounds teach."""
    heard = hear_row(ear, [clip.path for clip in clips], folder, on_step)
    return Taught(ear.teach(list(heard), [clip.foley_class for clip in clips], SEED), heard)


def _describe(path: Path) -> Features:
    return judge.describe(read_wave(path))


def _embed(probe: Probe, path: Path) -> Features:
    wave = soxr.resample(read_wave(path), MEL.sample_rate, probe.sample_rate)
    return np.asarray(probe.hear(wave.astype(np.float32)).mean(axis=0), dtype=np.float32)


def _made_of(*modules: object) -> str:
    told = hashlib.sha256()
    for module in modules:
        told.update(inspect.getsource(module).encode())  # type: ignore[arg-type]
    return told.hexdigest()


def _identity(ear: Ear, paths: Sequence[Path]) -> str:
    """Return a digest of the listener and of the names and sizes of the files."""
    told = hashlib.sha256(ear.made_of.encode())
    for path in paths:
        told.update(f"{path.parent.name}/{path.name} {path.stat().st_size}\n".encode())
    return told.hexdigest()[:16]
