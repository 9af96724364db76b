"""The training of a starter pack: the same stages as ``wildtrack train STAGE``, in one folder.

``data`` (into ``sounds``) -> ``encoder`` -> the sounds heard by it (``heard``) -> ``manifold`` ->
``audio2clip`` -> ``remixer`` -> ``autoencoder`` -> ``decoder`` -> the pack. A stage whose result is
there is finished; a stopped one goes on.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from engine.cmss import load_ssv2a
from engine.models.saving import StarterParts, save_starter
from engine.models.weights import load_network
from engine.perception.audio import AudioNet
from engine.steps import StepCallback
from engine.synthesis.codec import MelCodec
from engine.synthesis.dit import DiT
from engine.training import pictures
from engine.training.batches import balance
from engine.training.corpus import Clip, Picture, read_clips, read_pictures
from engine.training.course import Folders
from engine.training.data.again import hear_again
from engine.training.data.layouts import read_library
from engine.training.data.listening import (
    NO_PACK,
    NO_PACK_DIGEST,
    digest_with,
    packless_encoders,
)
from engine.training.data.prepared import MANIFEST, PreparedData, read_manifest
from engine.training.data.stage import DataSettings, prepare
from engine.training.held_out import audible
from engine.training.plan import STAGES, Plan, record
from engine.training.results import RESULTS, StageName
from engine.training.run import run_stage
from engine.training.seen import pictures_of, ways_of
from engine.training.settings import RemixerSettings, Settings
from engine.training.sound_views import PreparedMels
from engine.training.stage_vocoder import read_vocoder
from osc_bridge.errors import BadCorpus

VERSION = "1"
StageProgress = Callable[[str], StepCallback]


@dataclass(frozen=True)
class Run:
    """One training run: the data, the folder of its results, the plan."""

    data: Path
    work: Path
    plan: Plan

    @property
    def sounds(self) -> Path:
        """Where the data is prepared: mels, words and pictures."""
        return self.work / "sounds"

    @property
    def heard(self) -> Path:
        """The same with what the run's own encoder hears."""
        return self.work / "heard"

    @cached_property
    def prepared(self) -> PreparedData:
        """The data as prepared so far; FileMissing before that."""
        return PreparedData(self.heard if (self.heard / MANIFEST).is_file() else self.sounds)

    @cached_property
    def clips(self) -> list[Clip]:
        """Every sound of the corpus that could be prepared, in the order of its table."""
        return [clip for clip in read_clips(self.data) if self.name(clip) in self._places]

    @cached_property
    def rows(self) -> list[int]:
        """The place of each of ``clips`` in the prepared data."""
        return [self._places[self.name(clip)] for clip in self.clips]

    @cached_property
    def _places(self) -> dict[str, int]:
        data = self.prepared
        return {data.facts(row).name: row for row in range(len(data)) if data.has(row, "mel")}

    def name(self, clip: Clip) -> str:
        """Return what prepared data calls a sound."""
        return clip.path.relative_to(self.data).as_posix()

    @cached_property
    def chosen(self) -> list[int]:
        """Places of the sounds that may shape the weights."""
        return [index for index, clip in enumerate(self.clips) if clip.trainable]

    @cached_property
    def cutouts(self) -> list[Picture]:
        """The cut-outs that may shape the weights and that a sound is seen as."""
        allowed = pictures.trainable(read_pictures(self.data), self.clips)
        return [picture for picture in allowed if picture.path in self._seen]

    @cached_property
    def grounds(self) -> list[Picture]:
        """The backgrounds that cut-outs are seen on."""
        return pictures.backgrounds(read_pictures(self.data))

    @cached_property
    def shaping(self) -> list[Picture]:
        """Every picture that some stage may learn from: paired with sounds, or pasted in scenes."""
        heard = {self.clips[index].foley_class for index in self.chosen}
        listed = read_pictures(self.data)
        pasted = pictures.pastable(listed, read_clips(self.data), heard)
        names = {picture.name for picture in (*self.cutouts, *pasted, *self.grounds)}
        return [picture for picture in listed if picture.name in names]

    @cached_property
    def _seen(self) -> dict[Path, Tensor]:
        return pictures_of(self.prepared, self._places, read_library(self.data, "corpus"))

    @cached_property
    def store(self) -> PreparedMels:
        """The log-mel pictures of all ``clips``."""
        return PreparedMels(self.prepared, self.rows)

    @cached_property
    def weights(self) -> Tensor:
        """Drawing weights of the chosen sounds."""
        return balance([self.clips[index] for index in self.chosen])

    def tensor(self, name: str) -> Tensor:
        """Return embeddings of all ``clips``, or of all ``cutouts``.

        ``heard`` (N, clap_dim); ``words`` and ``translated`` (ways, N, clip_dim); ``pictures``
        (views, M, clip_dim).
        """
        if name == "heard":
            data = self.prepared
            return torch.stack([torch.from_numpy(data.array(row, "clap")) for row in self.rows])
        if name == "words":
            return ways_of(self.prepared, self.rows, "words")
        if name == "translated":
            return ways_of(self.prepared, self.rows, "translated")
        if name == "pictures":
            return torch.stack([self._seen[picture.path] for picture in self.cutouts], dim=1)
        raise KeyError(name)


def run_all(run: Run, pack: Path, progress: StageProgress) -> None:
    """Go through every stage whose result is not there yet, and write the pack."""
    run.work.mkdir(parents=True, exist_ok=True)
    if not any(clip.trainable for clip in read_clips(run.data)):
        raise BadCorpus(
            f"{run.data / 'sounds.csv'} lists no sound of the train split with a fit licence; "
            "docs/training-data.md names the licences."
        )
    record(run.plan, run.data, run.work)
    if not (run.sounds / MANIFEST).is_file():
        _prepare(run, progress("data"))
    train(run, "encoder", run.sounds, progress)
    _hear(run, progress)
    for stage in STAGES:
        train(run, stage, run.heard, progress)
    _publish(run, pack)


def _hear(run: Run, progress: StageProgress) -> None:
    """Embed the sounds by the run's own encoder; BadCorpus where another did it before."""
    weights = run.work / RESULTS["encoder"]
    if not (run.heard / MANIFEST).is_file():
        hear_again(run.sounds, weights, NO_PACK, run.heard, progress("heard"))
    elif read_manifest(run.heard).get("digest") != digest_with(NO_PACK_DIGEST, weights):
        raise BadCorpus(
            f"{run.heard} holds the sounds as another encoder heard them than {weights.name}; "
            "remove that folder and the results after encoder to train them anew."
        )


def train(run: Run, stage: StageName, data: Path, progress: StageProgress) -> None:
    """Train one stage unless its result is there."""
    if not (run.work / RESULTS[stage]).exists():
        settings = run.plan.settings[stage]
        corpus = run.data if _can_paste(run, settings, data) else None
        run_stage(stage, settings, Folders((data,), run.work, corpus), progress)


def _can_paste(run: Run, settings: Settings, data: Path) -> bool:
    """Whether the stage pastes scenes and learns from a sound of a class that has a cut-out."""
    if not isinstance(settings, RemixerSettings):
        return False
    parts = audible(PreparedData(data), settings.run)
    rows = parts.learned.rows.tolist() if parts else []
    heard = {parts.learned.data.facts(row).foley_class for row in rows} if parts else set()
    return bool(pictures.pastable(read_pictures(run.data), read_clips(run.data), heard))


def _prepare(run: Run, on_step: StepCallback) -> None:
    """Prepare the corpus on all cores, each thread by itself."""
    library, settings = read_library(run.data, "corpus"), DataSettings(("mel", "words", "pictures"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        prepare(
            library, packless_encoders("cpu"), settings, run.sounds, on_step, os.cpu_count() or 1
        )
    finally:
        torch.set_num_threads(threads)


def _publish(run: Run, pack: Path) -> None:
    """Write the pack beside its place, then exchange the folders: never a half-new pack."""
    pack.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=pack.parent, prefix=".pack-") as folder:
        new, old = Path(folder) / "new", Path(folder) / "old"
        save_starter(new, parts(run), name=pack.name, version=VERSION)
        if pack.exists():
            pack.rename(old)
        new.rename(pack)


def parts(run: Run) -> StarterParts:
    """Return the trained networks from the work folder; a vocoder where one was trained there."""
    sizes, work = run.plan.sizes, run.work
    vocoder = work / RESULTS["vocoder"]
    return StarterParts(
        audio=load_network(lambda: AudioNet(sizes.audio), work / RESULTS["encoder"]),
        ssv2a=load_ssv2a(work / RESULTS["remixer"]),
        codec=load_network(lambda: MelCodec(sizes.codec), work / RESULTS["autoencoder"]),
        generator=load_network(lambda: DiT(sizes.generator), work / RESULTS["decoder"]),
        vocoder=read_vocoder(vocoder) if vocoder.is_file() else None,
    )
