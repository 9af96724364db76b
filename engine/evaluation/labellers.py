"""Who names what is heard: a judge taught offline, or BEATs from a user's own checkpoint."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.folders import CORPUS_TABLE, Sound, named, sounds_of
from engine.evaluation.hearing import Bad, Probe, Rows, Wave, hear_all
from engine.steps import StepCallback
from osc_bridge.errors import BadCheckpoint, BadCorpus, FileMissing, PackageMissing

BEATS_RATE = 16_000
LEAST_EACH = 2
LEAST_CLASSES = 2


@dataclass(frozen=True)
class Labeller:
    """Scores labels: what its probe heard of N sounds -> (N, C), ``labels`` in that order."""

    labels: tuple[str, ...]
    probe: Probe
    score: Callable[[Sequence[Rows]], Rows]


@dataclass(frozen=True)
class Taught:
    """A labeller, how many sounds it learned from, and those that could not be read."""

    labeller: Labeller
    sounds: int
    bad: tuple[Bad, ...]


def taught_judge(folder: Path, embedder: Probe, seed: int, on_step: StepCallback) -> Taught:
    """Return a judge that learned the classes of a folder of sounds by an embedder's rows.

    Of a corpus (docs/training-data.md) it learns what a pack's training may not see: its ``judge``
    split and packages without a sound to train on. Of any other folder everything; the sub-folders
    are the classes.
    """
    from engine.evaluation.judge import train_judge  # noqa: PLC0415 - torch is slow to import

    heard = hear_all(teachers(folder), [embedder], on_step)
    kinds = [sound.kind for sound in heard.sounds]
    _require_classes(folder, kinds)
    features = [_described(rows) for rows in heard.rows[embedder.name]]
    judge = train_judge(features, kinds, seed)

    def score(heard: Sequence[Rows]) -> Rows:
        described = np.stack([_described(rows) for rows in heard])
        return np.asarray(judge.trees.predict_proba(described), dtype=np.float64)

    return Taught(Labeller(judge.classes, embedder, score), len(kinds), heard.bad)


def _described(rows: Rows) -> NDArray[np.float32]:
    """Return the mean (D,) of the rows of one sound."""
    return np.asarray(rows.mean(axis=0), dtype=np.float32)


def teachers(folder: Path) -> list[Sound]:
    """Return the sounds with a class that may teach a judge."""
    if not (folder / CORPUS_TABLE).is_file():
        return [sound for sound in sounds_of(folder, "") if sound.kind]
    from engine.training.corpus import judged_classes, read_clips  # noqa: PLC0415

    clips = read_clips(folder)
    names = set(judged_classes(clips))
    seen = {clip.package for clip in clips if clip.trainable}
    return [
        Sound(clip.path.relative_to(folder).as_posix(), clip.path, clip.foley_class)
        for clip in clips
        if clip.foley_class in names and clip.split != "test" and clip.package not in seen
    ]


def beats_labeller(checkpoint: Path) -> Labeller:
    """Return BEATs (Chen et al., 2023) with a fine-tuned checkpoint: AudioSet's 527 labels.

    Its network is the ``BEATs`` module of microsoft/unilm, which the user puts on the Python path;
    the checkpoint is read as plain tensors, never as code.
    """
    import torch  # noqa: PLC0415 - slow to import

    beats = _beats_module()
    stored = _checkpoint(checkpoint)
    try:
        model = beats.BEATs(beats.BEATsConfig(stored["cfg"]))
        model.load_state_dict(stored["model"])
        names = {int(number): str(label) for number, label in stored["label_dict"].items()}
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise BadCheckpoint(
            f"{checkpoint.name} is no fine-tuned BEATs checkpoint with labels ({error}); give one "
            "whose name ends in finetuned_on_AS2M_cpt1.pt or the like."
        ) from error
    model.eval()

    def hear(wave: Wave) -> Rows:
        with torch.inference_mode():
            mask = torch.zeros(1, len(wave), dtype=torch.bool)
            scores = model.extract_features(torch.from_numpy(wave)[None], padding_mask=mask)[0]
        return np.asarray(scores.numpy(), dtype=np.float64)

    labels = tuple(names[number] for number in range(len(names)))
    return Labeller(labels, Probe("beats", BEATS_RATE, hear), np.concatenate)


def _beats_module() -> Any:
    try:
        return importlib.import_module("BEATs")
    except ImportError as error:
        raise PackageMissing(
            f"BEATs' network is not on the Python path ({error}); get github.com/microsoft/unilm "
            "and set PYTHONPATH to its folder beats."
        ) from error


def _checkpoint(path: Path) -> Mapping[str, Any]:
    import pickle  # noqa: PLC0415 - only for the name of its error

    import torch  # noqa: PLC0415

    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise FileMissing(f"{path} is not there; give BEATs' checkpoint.") from error
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise BadCheckpoint(
            f"{path.name} is no PyTorch checkpoint of plain tensors ({type(error).__name__}); "
            "download it again."
        ) from error
    if not isinstance(stored, dict):
        raise BadCheckpoint(f"{path.name} holds no dictionary; give BEATs' checkpoint.")
    return stored


def _require_classes(folder: Path, kinds: Sequence[str]) -> None:
    few = [name for name in sorted(set(kinds)) if kinds.count(name) < LEAST_EACH]
    if len(set(kinds)) < LEAST_CLASSES or few:
        raise BadCorpus(
            f"{folder} teaches {len(set(kinds))} classes"
            + (f", of {named(few)} fewer than {LEAST_EACH} sounds" if few else "")
            + f"; a judge needs at least {LEAST_CLASSES} classes (sub-folders, or classes in "
            f"{CORPUS_TABLE}) with {LEAST_EACH} sounds each."
        )
