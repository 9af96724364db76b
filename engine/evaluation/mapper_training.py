"""How the V2A-Mapper-like baseline learns: from the train split, validated on held-out packages.

As the stages of training: it goes on from where it was stopped, ends early when nothing gets
better, and refuses a work folder that holds another run. The test split only measures it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from engine.evaluation.mapper import Mapper, MapperSettings, build_mapper, save_mapper
from engine.evaluation.prepared_inputs import digest_of
from engine.evaluation.records import begun
from engine.steps import StepCallback, no_steps
from engine.training.audio2clip import measure
from engine.training.data.batches import PairBatches
from engine.training.data.prepared import PreparedData, Selection
from engine.training.held_out import held_rows
from engine.training.loop import At, Lesson, Place, Schedule, Watch, fit
from engine.training.losses import cosine_distance
from engine.training.manifold import blur
from engine.training.mean_teacher import held_pairs
from osc_bridge.errors import BadCorpus
from presets.files import remove_parts, write_whole

RESULT, RECORD, CHECKPOINT = "mapper.safetensors", "mapper.json", "mapper.checkpoint"
HELD_OUT = 0.05


@dataclass(frozen=True)
class MapperPlan:
    """How it learns; ``noise`` is the length of what is added to unit image vectors.

    ``published`` learns only from sounds whose licence lets them shape published weights, as the
    stages do. ``balance`` 0 draws every sound once an epoch, 1 all classes equally often.
    """

    steps: int = 1500
    hidden: int = 512
    seed: int = 1
    published: bool = True
    batch: int = 192
    rate: float = 1e-3
    noise: float = 0.25
    balance: float = 0.6
    validate_every: int = 100
    patience: int = 8


def train(
    data: PreparedData, plan: MapperPlan, work: Path, on_step: StepCallback = no_steps
) -> dict[str, Any]:
    """Leave ``mapper.safetensors`` in the work folder, and return what was measured.

    A finished run is not repeated. BadCorpus if the folder holds another run, or there is too
    little to learn from.
    """
    ours = _record(data, plan)
    learned, held = _parted(data, plan)
    known = begun(work / RECORD, ours, "a mapper")
    remove_parts(work)
    if known.get("measured") and (work / RESULT).is_file():
        return cast("dict[str, Any]", known["measured"])
    mapper = _taught(learned, held, plan, Place(work / CHECKPOINT, on_step, plan.seed))
    save_mapper(mapper, digest_of(data), work / RESULT)
    measured = {"pairs": len(learned.pairs), **_measured(mapper, held, "held_out")}
    tested = _selected(data, "test")
    if tested is not None:
        measured |= _measured(mapper, tested, "test")
    write_whole(work / RECORD, json.dumps({**ours, "measured": measured}, indent=2).encode())
    return measured


def _taught(learned: Selection, held: Selection, plan: MapperPlan, place: Place) -> Mapper:
    data = learned.data
    mapper = build_mapper(MapperSettings(data.clip_dim, data.clap_dim, plan.hidden), plan.seed)
    batches = PairBatches(learned, plan.batch, plan.seed, power=plan.balance)
    pairs = _mirrored(held)

    def loss(at: At) -> Tensor:
        batch = batches[at.step]
        return cosine_distance(mapper(blur(batch.clips, plan.noise, at.generator)), batch.claps)

    def validate(average: nn.Module) -> Mapping[str, float]:
        return measure(average, pairs)

    optimizer = torch.optim.AdamW(mapper.parameters(), plan.rate, weight_decay=0.02)
    lesson = Lesson(mapper, loss, [[optimizer]], validate)
    schedule = Schedule(plan.steps, warmup=min(50, plan.steps), ema=0.99)
    trained = fit(lesson, schedule, place, Watch(plan.validate_every, plan.patience))
    assert isinstance(trained, Mapper)
    return trained


def _mirrored(selection: Selection) -> tuple[Tensor, Tensor]:
    """Return what is aimed at (N, clap_dim) and what it is guessed from (N, clip_dim)."""
    clips, claps = held_pairs(selection)
    return claps, clips


def _measured(mapper: Mapper, selection: Selection, name: str) -> dict[str, float]:
    """Return the cosine to the true sound, R@1, R@5 and the number of sounds, by name."""
    found = measure(mapper, _mirrored(selection))
    return {f"{name}_{key}": value for key, value in found.items() if key != "loss"}


def _parted(data: PreparedData, plan: MapperPlan) -> tuple[Selection, Selection]:
    """Return what is learned from and what validates; they share no sample."""
    chosen = _selected(data, "train", published=plan.published)
    if chosen is None:
        raise BadCorpus(
            f"{data.folder} has no sound of the split 'train' with words or pictures"
            + (" and a licence to publish: prepare some, or learn --any-licence."
               if plan.published else ": prepare some.")
        )  # fmt: skip
    mask = np.isin(chosen.pairs[:, 0], sorted(held_rows(chosen, HELD_OUT)))
    return chosen.keep(~mask), chosen.keep(mask)


def _selected(data: PreparedData, split: str, *, published: bool = False) -> Selection | None:
    """Return all pairs of a split with a sound, or None if there are none."""
    pairs = [
        (row, view)
        for row in range(len(data))
        if (facts := data.facts(row)).split == split
        and data.has(row, "clap")
        and (facts.may_publish or not published)
        for view in range(len(facts.kinds))
    ]
    return Selection(data, np.array(pairs, dtype=np.int64)) if pairs else None


def _record(data: PreparedData, plan: MapperPlan) -> dict[str, Any]:
    keys = ("pack", "digest", "items", "shards")
    about = [{key: manifest.get(key) for key in keys} for manifest in data.manifests]
    return {**asdict(plan), "data": about}
