"""The ablations of Tables 4 and 5 at this scale: every variant trained alike, measured alike.

Table 4 suppresses one half of the Remixer's tokens, CLIP's or the manifold's; Table 5 bends the
contrastive mask. For each seed one manifold is trained for each alpha, and on each of them a
Remixer; on that of the paper's alpha also the two that see half of the tokens, and two that some
sources come to as sound, without and with a translator (A.7.2).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from engine.cmss import SSV2A
from engine.evaluation.ablation_measures import (
    Asked,
    Marks,
    alone,
    asked,
    chances,
    fold_marks,
    held_scenes,
    least_distance,
    mix_marks,
    prototypes,
    spread,
)
from engine.evaluation.material import Stage
from engine.steps import StepCallback
from engine.training.ablations import (
    CONDITIONS,
    HEARD,
    AblationData,
    Budget,
    Condition,
    train_fold,
    train_remixer,
    train_translator,
)
from engine.training.checkpoints import best_of
from engine.training.loop import Place
from engine.training.scenes import Scenes
from presets.files import write_whole

ALPHAS = (0.0, 0.35, 0.65, 1.0)
PAPER_ALPHA = 0.35
TRANSLATOR = "translator"
Row = dict[str, Any]


def ablate(data: AblationData, budget: Budget, work: Path, stage: Stage) -> dict[str, Any]:
    """Return both tables, mean and spread over the seeds, as plain numbers.

    ``audio`` compares the Remixers that learned without and with a translator, on scenes in which
    half or all of the sources come as sound.
    What is finished lies in a folder of its own in ``work``, by data and budget: a stopped run
    goes on. Cancelled passes through. BadCorpus where the data has fewer than two classes.
    """
    folder = work / f"ablations-{_digest(data, budget)}"
    folder.mkdir(parents=True, exist_ok=True)
    exam = _exam(data)
    of = len(budget.seeds) * sum(_steps_of(alpha, budget) for alpha in ALPHAS)
    steps = _Steps(of, stage("ablations"))
    found: dict[float, list[Row]] = {
        alpha: [
            _kept(
                folder / f"alpha-{alpha:g}-seed-{seed}.json",
                _Variant(data, alpha, seed, budget, folder, exam),
                steps,
            )
            for seed in budget.seeds
        ]
        for alpha in ALPHAS
    }
    return {
        "table_4": {
            name: merged([row["remixers"][name] for row in found[PAPER_ALPHA]])
            for name in CONDITIONS
        },
        "table_5": {
            f"{alpha:g}": merged(
                [{"manifold": row["manifold"], **row["remixers"]["both"]} for row in rows]
            )
            for alpha, rows in found.items()
        },
        "audio": {
            name: merged([row["remixers"][name] for row in found[PAPER_ALPHA]]) for name in HEARD
        },
        "chance": exam.chance,
        "floor": exam.floor,
        "learned": {"sounds": len(data.learned.claps), "scenes": len(data.learned_scenes.rows)},
        "budget": asdict(budget),
    }


@dataclass(frozen=True)
class _Exam:
    """What every variant is asked, and what guessing would reach."""

    pairs: Mapping[str, Asked]
    scenes: Scenes
    heard: Mapping[str, Scenes]
    classes: Tensor
    chance: dict[str, Any]
    floor: dict[str, float]


def _exam(data: AblationData) -> _Exam:
    pairs, scenes = asked(data.held), held_scenes(data)
    truths = {**{name: each.claps for name, each in pairs.items()}, "multi": scenes.targets}
    return _Exam(
        pairs,
        scenes,
        {"half": held_scenes(data, 0.5), "all": held_scenes(data, 1.0)},
        prototypes(data.learned),
        {name: chances(len(rows)) for name, rows in truths.items()},
        {name: least_distance(rows, seed=1) for name, rows in truths.items()},
    )


@dataclass(frozen=True)
class _Variant:
    """One manifold with its Remixers, trained by one seed."""

    data: AblationData
    alpha: float
    seed: int
    budget: Budget
    folder: Path
    exam: _Exam

    def row(self, steps: _Steps) -> Row:
        """Train and measure; the checkpoints are removed by whoever keeps the row."""
        model = train_fold(
            self.data, self.alpha, self.budget, self._place("manifold", steps.part())
        ).eval()
        steps.done(self.budget.fold_steps)
        pairs, classes = self.exam.pairs, self.exam.classes
        marks = {name: fold_marks(model, each, classes) for name, each in pairs.items()}
        if self.alpha == PAPER_ALPHA:
            place = self._place(TRANSLATOR, steps.part())
            model.translator = train_translator(self.data, self.budget, place)
            steps.done(self.budget.remix_steps)
        remixed = {name: self._remixed(model, name, steps) for name in _conditions(self.alpha)}
        return {"manifold": marks, "remixers": remixed}

    def _remixed(self, model: SSV2A, condition: Condition, steps: _Steps) -> Row:
        place = self._place(condition, steps.part())
        remixer = train_remixer(model, self.data, condition, self.budget, place)
        steps.done(self.budget.remix_steps)

        def marks(scenes: Scenes) -> Marks:
            return mix_marks(model, remixer, scenes, condition, self.exam.classes)

        if condition in HEARD:
            return {share: marks(scenes) for share, scenes in self.exam.heard.items()}
        single = {name: marks(alone(each)) for name, each in self.exam.pairs.items()}
        return {"single": single, "multi": marks(self.exam.scenes)}

    def clear(self) -> None:
        """Remove the checkpoints: the row is kept."""
        for what in ("manifold", TRANSLATOR, *_conditions(self.alpha)):
            path = self._checkpoint(what)
            for each in (path, best_of(path)):
                each.unlink(missing_ok=True)

    def steps(self) -> int:
        """Return how many steps the row takes."""
        return _steps_of(self.alpha, self.budget)

    def _place(self, what: str, on_step: StepCallback) -> Place:
        return Place(self._checkpoint(what), on_step, self.seed)

    def _checkpoint(self, what: str) -> Path:
        name = f"alpha-{self.alpha:g}-seed-{self.seed}-{what.replace(' ', '-')}"
        return self.folder / f"{name.replace('.', '_')}.checkpoint"


class _Steps:
    """Progress of many trainings as one."""

    def __init__(self, of: int, on_step: StepCallback) -> None:
        self._done, self._of, self._on_step = 0, of, on_step

    def part(self) -> StepCallback:
        """Return the callback of the training that comes next."""
        return lambda step, _of: self._on_step(self._done + step, self._of)

    def done(self, steps: int) -> None:
        """Count a training that has ended, and has told its steps."""
        self._done += steps

    def skip(self, steps: int) -> None:
        """Count trainings whose row was there, and tell of them at once."""
        self.done(steps)
        self._on_step(self._done, self._of)


def _conditions(alpha: float) -> Sequence[Condition]:
    return (*CONDITIONS, *HEARD) if alpha == PAPER_ALPHA else ("both",)


def _steps_of(alpha: float, budget: Budget) -> int:
    """Return how many steps a manifold and what is trained on it take."""
    others = len(_conditions(alpha)) + (alpha == PAPER_ALPHA)
    return budget.fold_steps + others * budget.remix_steps


def _kept(path: Path, variant: _Variant, steps: _Steps) -> Row:
    """Return the row that is there, or train for it and write it down."""
    if path.is_file():
        steps.skip(variant.steps())
        kept: Row = json.loads(path.read_text(encoding="utf-8"))
        return kept
    row = variant.row(steps)
    write_whole(path, json.dumps(row, indent=1).encode())
    variant.clear()
    return row


def merged(rows: Sequence[Mapping[str, Any]]) -> Row:
    """Return rows of equal shape as one: every number becomes its mean, spread and seeds."""
    found: Row = {}
    for name, first in rows[0].items():
        values = [row[name] for row in rows]
        if isinstance(first, Mapping):
            found[name] = merged(values)
        else:
            found[name] = first if name == "pairs" else spread(values)
    return found


def _digest(data: AblationData, budget: Budget) -> str:
    """Return a name of data and budget: rows of other ones are not taken for these."""
    digest = hashlib.sha256(repr(budget).encode() + data.sizes.to_json().encode())
    for tensor in _tensors(data):
        digest.update(tensor.contiguous().numpy().tobytes())
    for sounds in (data.learned, data.held):
        digest.update(repr((sounds.read, sounds.seen, sounds.kinds)).encode())
    return digest.hexdigest()[:12]


def _tensors(data: AblationData) -> Iterator[Tensor]:
    for sounds in (data.learned, data.held):
        yield from (sounds.claps, sounds.clips, sounds.weights)
    for scenes in (data.learned_scenes, data.held_scenes):
        yield from (scenes.rows, scenes.targets)
