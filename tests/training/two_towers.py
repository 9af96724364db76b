"""A toy stage that has what the real ones have: a batch-wide loss, noise, dropout, two turns.

Run as a program it trains on the processes that the environment names, as under torchrun.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.cmss import Gaussian
from engine.training.loop import At, Lesson, Place, Schedule, Watch, fit
from engine.training.losses import contrastive
from engine.training.world import World, joined

BATCH = 16


class Towers(nn.Module):
    """Two networks with dropout, and a parameter that no loss uses."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Sequential(nn.Linear(6, 12), nn.Dropout(0.3), nn.GELU(), nn.Linear(12, 8))
        self.right = nn.Sequential(nn.Linear(6, 12), nn.Dropout(0.3), nn.GELU(), nn.Linear(12, 8))
        self.back = nn.Linear(4, 6)
        self.unused = nn.Parameter(torch.zeros(3))


def lesson() -> Lesson:
    """Return the stage, the same in every process."""
    torch.manual_seed(1)
    model = Towers()
    held = torch.randn(32, 6, generator=torch.Generator().manual_seed(9))

    def loss(at: At) -> Tensor:
        world = at.world
        x = world.mine(torch.randn(BATCH, 6, generator=at.generator))
        left, right = (Gaussian(*tower(x).chunk(2, -1)) for tower in (model.left, model.right))
        e, f = world.sample(left, at.generator), world.sample(right, at.generator)
        rebuilt = (model.back(e.detach() if at.turn else e) - x).square().mean()
        if at.turn:
            return rebuilt
        scale = torch.tensor(5.0)
        return contrastive(world.gather(e), world.gather(f), scale) + rebuilt + left.kl().mean()

    def validate(average: nn.Module) -> Mapping[str, float]:
        assert isinstance(average, Towers)
        return {"loss": float((average.left(held) - average.right(held)).square().mean())}

    towers = [*model.left.parameters(), *model.right.parameters()]
    turns = [[torch.optim.AdamW(towers, 0.02)], [torch.optim.AdamW(model.back.parameters(), 0.02)]]
    return Lesson(model, loss, turns, validate)


def curve(folder: Path, world: World, steps: int = 8) -> list[float]:
    """Train in ``folder`` and return the loss of each step."""
    losses: list[float] = []

    def journal(step: int, numbers: Mapping[str, float]) -> None:
        losses.extend([numbers["loss"]] if "loss" in numbers else [])

    place = Place(folder / "toy.checkpoint", seed=3, world=world, journal=journal)
    fit(lesson(), Schedule(steps, warmup=2, ema=0.5), place, Watch(every=2))
    return losses


if __name__ == "__main__":
    with joined("cpu", "float32") as here:
        told = curve(Path(sys.argv[1]), here)
    if here.first:
        print(json.dumps(told))
