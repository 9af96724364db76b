"""One training loop for every stage: warm-up, flat, decay; EMA; validation; several processes.

Batches and noise of step ``s`` are drawn from generators seeded by (seed, s) alone, so a run that
was stopped goes on exactly as if it had not been, on one process or on several
(:mod:`engine.training.world`). The exponential moving average kept here is the result, and the
teacher of the mean-teacher stages.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from engine.steps import StepCallback, no_steps
from engine.training.checkpoints import State, best_of, load_best, save_best, save_last
from engine.training.journal import Journal, no_journal
from engine.training.muon import Muon
from engine.training.world import ALONE, World
from osc_bridge.errors import BadCheckpoint, Cancelled

if TYPE_CHECKING:
    from engine.training.shards import Shards

CHECKPOINT_EVERY_S = 60.0


@dataclass(frozen=True)
class Schedule:
    """Steps and learning-rate shape; the last ``decay`` part of the steps falls to zero."""

    steps: int
    warmup: int = 100
    decay: float = 0.3
    ema: float = 0.998
    clip_norm: float = 1.0

    def rate(self, step: int) -> float:
        """Return the factor on the learning rate at ``step`` (0-based)."""
        left = (self.steps - step) / max(1.0, self.decay * self.steps)
        return min(1.0, (step + 1) / self.warmup, max(left, 0.0))


@dataclass(frozen=True)
class At:
    """Where the loop is, all that a loss may depend on besides the weights.

    ``turn`` counts the optimisers' turns on one batch; each turn has the same ``generator`` afresh.
    ``teacher`` gives the moving average of the model, whole in every process: ``average``.
    """

    step: int
    turn: int
    generator: torch.Generator
    teacher: Callable[[], nn.Module]
    world: World

    @property
    def average(self) -> nn.Module:
        """The mean teacher; all processes must ask for it, or none."""
        return self.teacher()


Loss = Callable[[At], Tensor]
Validate = Callable[[nn.Module], Mapping[str, float]]
"""Takes the averaged model, in eval mode; the lower its ``loss``, the better."""


@dataclass(frozen=True)
class Lesson:
    """What is trained: ``loss`` gives this process's mean over its rows; turns go one by one."""

    model: nn.Module
    loss: Loss
    turns: Sequence[Sequence[Optimizer]]
    validate: Validate | None = None


@dataclass(frozen=True)
class Watch:
    """Validate every ``every`` steps; end after ``patience`` validations without a better one.

    ``patience`` 0 goes on to the last step.
    """

    every: int = 100
    patience: int = 0


@dataclass(frozen=True)
class Place:
    """Where and with whom a training runs, and who hears of it."""

    checkpoint: Path
    on_step: StepCallback = no_steps
    seed: int = 0
    world: World = ALONE
    journal: Journal = no_journal


def generator_for(seed: int, step: int) -> torch.Generator:
    """Return the source of all randomness of one step."""
    return torch.Generator().manual_seed(seed * 1_000_003 + step)


def muon_and_adamw(blocks: nn.Module, model: nn.Module, rate: float) -> list[Optimizer]:
    """Return Muon for the matrices of ``blocks`` and AdamW for everything else of ``model``."""
    matrices = [p for p in blocks.parameters() if p.ndim == 2]
    chosen = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    return [
        Muon(matrices, lr=rate * 10, weight_decay=0.01, momentum=0.95, ns_steps=4),
        torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=0.01),
    ]


def fit(lesson: Lesson, schedule: Schedule, place: Place, watch: Watch | None = None) -> nn.Module:
    """Train the lesson's model in place and return its moving average, in eval mode.

    With validation the average that did best is returned. An existing checkpoint of the same
    shapes is resumed; BadCheckpoint if it belongs to another model. Cancelled, when ``on_step``
    raises it, leaves a checkpoint of that very step.
    """
    return _Course(lesson, schedule, place, watch or Watch()).run()


class _Course:
    """One call of :func:`fit`."""

    def __init__(self, lesson: Lesson, schedule: Schedule, place: Place, watch: Watch) -> None:
        self._lesson, self._schedule, self._place, self._watch = lesson, schedule, place, watch
        average = AveragedModel(lesson.model, multi_avg_fn=get_ema_multi_avg_fn(schedule.ema))  # type: ignore[no-untyped-call]
        average.eval()
        optimizers = [optimizer for turn in lesson.turns for optimizer in turn]
        self._state = State(lesson.model, average, optimizers)
        self._rates = [[group["lr"] for group in o.param_groups] for o in optimizers]
        self._progress = self._state.resume(place.checkpoint)
        self._taught = _Taught(lesson, place.world)
        self._step_on: nn.Module = self._taught
        self._shards: Shards | None = None
        if place.world.size > 1 and place.world.parallel == "fsdp":
            from engine.training.shards import Shards  # noqa: PLC0415

            self._shards = Shards(self._taught, average, optimizers, place.world)
        elif place.world.size > 1:
            self._step_on = DistributedDataParallel(self._taught, find_unused_parameters=True)

    def run(self) -> nn.Module:
        saved = time.monotonic()
        self._lesson.model.train()
        if self._progress.stopped and not self._is_hopeless():  # patience has grown since
            self._progress = replace(self._progress, stopped=False)
        while self._progress.step < self._schedule.steps and not self._progress.stopped:
            loss = self._teach(self._progress.step)
            self._progress = replace(self._progress, step=self._progress.step + 1)
            self._tell(loss)
            self._look()
            cancelled = self._cancelled()
            done = self._progress.step == self._schedule.steps or self._progress.stopped
            is_due = done or time.monotonic() - saved > CHECKPOINT_EVERY_S
            urgency = self._place.world.most(2 if cancelled else int(is_due))
            if urgency:
                self._save()
                saved = time.monotonic()
            if urgency > 1:
                raise cancelled or Cancelled("Another process of this training was stopped.")
        return self._result()

    def _cancelled(self) -> Cancelled | None:
        """Tell how far we are; return what stops the training, if it does."""
        try:
            self._place.on_step(self._progress.step, self._schedule.steps)
        except Cancelled as wish:
            return wish
        return None

    def _teach(self, step: int) -> float:
        """Go through the turns of one step; return the first turn's loss over all processes."""
        losses = []
        self._set_rates(self._schedule.rate(step))
        for turn, optimizers in enumerate(self._lesson.turns):
            torch.manual_seed(self._place.seed * 1_000_003 + step)  # dropout takes no generator
            with self._whole_average() as teacher:
                self._taught.at = self._at(step, turn, teacher)
                loss: Tensor = self._step_on()
                losses.append(self._place.world.mean(loss))
                for optimizer in self._state.optimizers:
                    optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
            self._turn(optimizers)
        self._state.average.update_parameters(self._lesson.model)
        return losses[0]

    def _at(self, step: int, turn: int, teacher: Callable[[], nn.Module]) -> At:
        generator = generator_for(self._place.seed, step)
        return At(step, turn, generator, teacher, self._place.world)

    @contextmanager
    def _whole_average(self) -> Iterator[Callable[[], nn.Module]]:
        """Give what returns the average, whole as long as this context lasts."""

        def ask() -> nn.Module:
            if self._shards:
                self._shards.gather_average()
            average: nn.Module = self._state.average.module
            return average

        yield ask
        if self._shards:
            self._shards.part_average()

    def _turn(self, optimizers: Sequence[Optimizer]) -> None:
        parameters = [p for o in optimizers for group in o.param_groups for p in group["params"]]
        if self._shards:
            self._shards.settle(parameters, self._schedule.clip_norm)
        else:
            nn.utils.clip_grad_norm_(parameters, self._schedule.clip_norm)
        for optimizer in optimizers:
            optimizer.step()

    def _set_rates(self, factor: float) -> None:
        for optimizer, base in zip(self._state.optimizers, self._rates, strict=True):
            for group, rate in zip(optimizer.param_groups, base, strict=True):
                group["lr"] = rate * factor

    def _tell(self, loss: float) -> None:
        if not loss - loss == 0:
            raise BadCheckpoint(
                f"The loss is {loss} at step {self._progress.step}: lower learning_rate in the "
                "configuration, or train in float32; the last checkpoint is unharmed."
            )
        if self._place.world.first:
            rate = self._schedule.rate(self._progress.step - 1)
            self._place.journal(self._progress.step, {"loss": loss, "rate": rate})

    def _look(self) -> None:
        """Validate when it is time; remember the best, and stop when nothing gets better."""
        step, every, validate = self._progress.step, self._watch.every, self._lesson.validate
        if validate is None or (step % every and step != self._schedule.steps):
            return
        with self._whole_average() as ask:
            average = ask()
            score = self._place.world.agreed(self._score(validate, average))
            if score < self._progress.best:
                if self._place.world.first:
                    save_best(best_of(self._place.checkpoint), average)
                self._progress = replace(self._progress, best=score, best_step=step)
        self._progress = replace(self._progress, stopped=self._is_hopeless())

    def _is_hopeless(self) -> bool:
        patience = self._watch.patience * self._watch.every
        return bool(patience) and self._progress.step - self._progress.best_step >= patience

    def _score(self, validate: Validate, average: nn.Module) -> float:
        """Validate on the first process; the others wait for its score."""
        if not self._place.world.first:
            return 0.0
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            numbers = validate(average)
        told = {f"held_out/{name}": number for name, number in numbers.items()}
        self._place.journal(self._progress.step, told)
        return numbers["loss"]

    def _save(self) -> None:
        content = self._state.content(self._progress)
        if self._shards:
            content = self._shards.whole(content)
        if self._place.world.first:
            save_last(self._place.checkpoint, content)

    def _result(self) -> nn.Module:
        if self._shards:
            self._shards.restore()
        self._place.world.wait()
        average: nn.Module = self._state.average.module
        if self._progress.best_step:
            load_best(best_of(self._place.checkpoint), average)
        return average.eval()


class _Taught(nn.Module):
    """The model and its loss as one module, which DistributedDataParallel can hold."""

    def __init__(self, lesson: Lesson, world: World) -> None:
        super().__init__()
        self.model = lesson.model
        self.at: At | None = None
        self._loss = lesson.loss
        self._world = world

    def forward(self) -> Tensor:
        """Return this process's loss of the step that ``at`` names."""
        assert self.at is not None
        with self._world.computing():
            return self._loss(self.at)
