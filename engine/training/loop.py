"""One training loop for every stage: warm-up, flat, decay; EMA; checkpoints that resume.

Batches and noise of step ``s`` are drawn from generators seeded by (seed, s) alone, so a run that
was stopped goes on exactly as if it had not been. The mean-teacher recipe and several processes
(training issue) hang on :func:`fit` too: the EMA copy kept here is the teacher.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from engine.steps import StepCallback
from osc_bridge.errors import BadCheckpoint
from presets.files import writing_whole

Loss = Callable[[int, torch.Generator], Tensor]
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


def generator_for(seed: int, step: int) -> torch.Generator:
    """Return the source of all randomness of one step."""
    return torch.Generator().manual_seed(seed * 1_000_003 + step)


def muon_and_adamw(blocks: nn.Module, model: nn.Module, rate: float) -> list[Optimizer]:
    """Return Muon for the matrices of ``blocks`` and AdamW for everything else of ``model``."""
    matrices = [p for p in blocks.parameters() if p.ndim == 2]
    chosen = {id(p) for p in matrices}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    return [
        torch.optim.Muon(matrices, lr=rate * 10, weight_decay=0.01, momentum=0.95, ns_steps=4),
        torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=0.01),
    ]


def fit(
    model: nn.Module,
    loss: Loss,
    optimizers: Sequence[Optimizer],
    schedule: Schedule,
    checkpoint: Path,
    on_step: StepCallback,
    seed: int = 0,
) -> nn.Module:
    """Train ``model`` in place and return its exponential moving average, in eval mode.

    ``loss(step, generator)`` builds a batch and returns a scalar. An existing ``checkpoint`` of the
    same shapes is resumed; BadCheckpoint if it belongs to another model.
    """
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(schedule.ema))  # type: ignore[no-untyped-call]
    rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    step = _resume(checkpoint, model, average, optimizers)
    saved = time.monotonic()
    model.train()
    while step < schedule.steps:
        factor = schedule.rate(step)
        for optimizer, base in zip(optimizers, rates, strict=True):
            for group, rate in zip(optimizer.param_groups, base, strict=True):
                group["lr"] = rate * factor
        torch.manual_seed(seed * 1_000_003 + step)  # dropout has no generator argument
        _step(model, loss(step, generator_for(seed, step)), optimizers, schedule.clip_norm)
        average.update_parameters(model)
        step += 1
        on_step(step, schedule.steps)
        if step == schedule.steps or time.monotonic() - saved > CHECKPOINT_EVERY_S:
            _save(checkpoint, step, model, average, optimizers)
            saved = time.monotonic()
    module: nn.Module = average.module
    return module.eval()


def _step(
    model: nn.Module, loss: Tensor, optimizers: Sequence[Optimizer], clip_norm: float
) -> None:
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
    for optimizer in optimizers:
        optimizer.step()


def _save(
    path: Path,
    step: int,
    model: nn.Module,
    average: AveragedModel,
    optimizers: Sequence[Optimizer],
) -> None:
    state = {
        "step": step,
        "model": model.state_dict(),
        "average": average.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
    }
    with writing_whole(path) as part:
        torch.save(state, part)


def _resume(
    path: Path, model: nn.Module, average: AveragedModel, optimizers: Sequence[Optimizer]
) -> int:
    if not path.exists():
        return 0
    try:
        state = torch.load(path, weights_only=True)
        model.load_state_dict(state["model"])
        average.load_state_dict(state["average"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
    except (KeyError, ValueError, RuntimeError) as error:
        raise BadCheckpoint(
            f"{path} does not fit this stage's model ({error}); remove it to start the stage anew."
        ) from error
    return int(state["step"])
