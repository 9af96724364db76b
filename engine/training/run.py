"""``wildtrack train STAGE``: one stage on prepared data; run it again to go on after a stop."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, cast

import torch

from engine.steps import StepCallback
from engine.training import (
    aggregator,
    audio2clip,
    mean_teacher,
    remix,
    stage_autoencoder,
    stage_decoder,
    stage_encoder,
    stage_vocoder,
)
from engine.training.course import Course, Folders, silent
from engine.training.data.prepared import PreparedData
from engine.training.journal import Journals, no_journals, tensorboard
from engine.training.results import StageName
from engine.training.settings import Settings
from engine.training.world import World, joined
from osc_bridge.errors import BadCorpus
from presets.files import remove_parts, write_whole

FREE = (
    *("device", "precision", "parallel", "tensorboard"),
    *("steps", "learning_rate", "validate_every", "patience"),
)
"""What may differ when a stopped stage goes on; a lower rate cures a loss that became infinite."""

_STAGES: Final[dict[StageName, Callable[..., dict[str, float]]]] = {
    "encoder": stage_encoder.train,
    "manifold": mean_teacher.train,
    "audio2clip": audio2clip.train,
    "remixer": remix.train,
    "aggregator": aggregator.train,
    "autoencoder": stage_autoencoder.train,
    "decoder": stage_decoder.train,
    "vocoder": stage_vocoder.train,
}


def run_stage(
    stage: StageName,
    settings: Settings,
    folders: Folders,
    progress: Callable[[str], StepCallback] = silent,
) -> dict[str, Any]:
    """Train a stage in its folders; return what was measured.

    A finished stage is not trained again: its record is returned. BadCorpus if the work folder
    holds the stage with other settings or data.
    """
    work = folders.work
    record = work / f"{stage}.json"
    data = PreparedData(*folders.data)
    ours = _plan(stage, settings, data, folders)
    run = settings.run
    with joined(run.device, run.precision, run.parallel) as world:
        if world.first:
            work.mkdir(parents=True, exist_ok=True)
            remove_parts(work)
            _begin(record, ours)
        world.wait()
        known = _read(record)
        if known.get("measured"):
            return cast("dict[str, Any]", known["measured"])
        with _journals(settings, work / "logs" / stage, world) as journals:
            here = progress if world.first else silent
            seed = settings.run.seed
            course = Course(data, folders, seed, world, journals, here)
            measured = _deterministic(lambda: _STAGES[stage](course, settings))
        if world.first:
            write_whole(record, json.dumps({**ours, "measured": measured}, indent=2).encode())
        world.wait()
    return measured


def _deterministic(work: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Do the work with algorithms that give the same each time, and leave the global dice alone."""
    cudnn = torch.backends.cudnn
    before = cudnn.benchmark, cudnn.deterministic
    cudnn.benchmark, cudnn.deterministic = False, True
    try:
        with torch.random.fork_rng():
            return work()
    finally:
        cudnn.benchmark, cudnn.deterministic = before


def _journals(settings: Settings, folder: Path, world: World) -> AbstractContextManager[Journals]:
    if settings.run.tensorboard and world.first:
        return tensorboard(folder)
    return nullcontext(no_journals)


def _plan(
    stage: StageName, settings: Settings, data: PreparedData, folders: Folders
) -> dict[str, Any]:
    keys = ("pack", "digest", "items", "shards")
    plan = {
        "stage": stage,
        "settings": asdict(settings),
        "data": [{key: manifest.get(key) for key in keys} for manifest in data.manifests],
        "corpus": folders.corpus is not None,
    }
    return cast("dict[str, Any]", json.loads(json.dumps(plan)))


def _begin(record: Path, ours: dict[str, Any]) -> None:
    """Write down what this run is, or BadCorpus if the folder holds another."""
    if record.exists():
        theirs = _read(record)
        changed = sorted(_fixed(theirs).items() ^ _fixed(ours).items())
        names = sorted({name for name, _ in changed})
        if names:
            raise BadCorpus(
                f"{record.parent} holds this stage with other {', '.join(names)}; give another "
                f"folder with --work, or remove {record.name}, the stage's checkpoints and its "
                "result to train it anew."
            )
        ours = {**ours, "measured": theirs.get("measured")}
    write_whole(record, json.dumps(ours, indent=2).encode())


def _fixed(plan: dict[str, Any]) -> dict[str, str]:
    """Return what must not change between two runs, as comparable text by name."""
    fixed = {name: json.dumps(plan.get(name)) for name in ("stage", "data", "corpus")}
    for table, values in plan["settings"].items():
        for key, value in values.items():
            if key not in FREE:
                fixed[f"{table}.{key}"] = json.dumps(value)
    return fixed


def _read(record: Path) -> dict[str, Any]:
    try:
        known = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadCorpus(f"{record} cannot be read ({error}); remove it to train anew.") from error
    if not isinstance(known, dict) or not isinstance(known.get("settings"), dict):
        raise BadCorpus(f"{record} is no record of a stage; remove it to train anew.")
    return known
