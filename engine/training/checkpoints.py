"""The state of a training between interruptions, and the best weights so far, as files.

``NAME.checkpoint`` is the last state, whole: the run goes on from it as if it had not stopped.
``NAME.best`` holds the averaged weights that did best on held-out data.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from osc_bridge.errors import BadCheckpoint
from presets.files import writing_whole


@dataclass(frozen=True)
class Progress:
    """``step`` steps are done; ``best`` was reached at ``best_step``, infinite before any."""

    step: int = 0
    best: float = float("inf")
    best_step: int = 0
    stopped: bool = False


@dataclass(frozen=True)
class State:
    """Everything that a step changes."""

    model: nn.Module
    average: AveragedModel
    optimizers: Sequence[Optimizer]

    def content(self, progress: Progress) -> dict[str, Any]:
        """Return what a checkpoint holds; not how many processes there are, nor how they share."""
        return {
            "step": progress.step,
            "best": progress.best,
            "best_step": progress.best_step,
            "stopped": progress.stopped,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }

    def resume(self, path: Path) -> Progress:
        """Take over a checkpoint if there is one; BadCheckpoint if it is of another model."""
        if not path.exists():
            return Progress()

        def take(content: Mapping[str, Any]) -> Progress:
            self.model.load_state_dict(content["model"])
            self.average.load_state_dict(content["average"])
            for optimizer, saved in zip(self.optimizers, content["optimizers"], strict=True):
                optimizer.load_state_dict(saved)
            return Progress(
                int(content["step"]),
                float(content.get("best", float("inf"))),
                int(content.get("best_step", 0)),
                bool(content.get("stopped", False)),
            )

        return _reading(path, take)


def save_last(path: Path, content: Mapping[str, Any]) -> None:
    """Write the last checkpoint, whole."""
    with writing_whole(path) as part:
        torch.save(content, part)


def save_best(path: Path, average: nn.Module) -> None:
    """Write the averaged weights, whole."""
    with writing_whole(path) as part:
        torch.save(average.state_dict(), part)


def load_best(path: Path, average: nn.Module) -> None:
    """Put the best weights back into the average."""

    def take(content: Mapping[str, Tensor]) -> Progress:
        average.load_state_dict(content)
        return Progress()

    _reading(path, take)


def _reading(path: Path, take: Callable[[Mapping[str, Any]], Progress]) -> Progress:
    try:
        return take(torch.load(path, map_location="cpu", weights_only=True))
    except (
        OSError,
        EOFError,
        KeyError,
        TypeError,
        ValueError,
        RuntimeError,
        pickle.UnpicklingError,
    ) as error:
        raise BadCheckpoint(
            f"{path} does not fit this stage's model ({error}); remove it to start the stage anew."
        ) from error


def best_of(checkpoint: Path) -> Path:
    """Return where the best weights lie, beside the last checkpoint."""
    return checkpoint.with_suffix(".best")
