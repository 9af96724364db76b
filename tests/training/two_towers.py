"""A toy stage that has what the real ones have: a batch-wide loss, noise, dropout, two turns.

Run as a program it trains on the processes that the environment names, as under torchrun.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.cmss import Gaussian
from engine.training.loop import At, Lesson, Place, Schedule, Watch, fit
from engine.training.losses import contrastive
from engine.training.muon import Muon
from engine.training.shards import own
from engine.training.world import World, joined
from osc_bridge.errors import Cancelled

BATCH = 16
STEPS = 8
STOP_AT = 5


class Towers(nn.Module):
    """Two networks with dropout, a temperature, and a parameter that no loss uses."""

    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Sequential(nn.Linear(6, 12), nn.Dropout(0.3), nn.GELU(), nn.Linear(12, 8))
        self.right = nn.Sequential(nn.Linear(6, 12), nn.Dropout(0.3), nn.GELU(), nn.Linear(12, 8))
        self.back = nn.Linear(4, 6)
        self.temperature = nn.Parameter(torch.tensor(1.6))
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
        rebuilt: Tensor = (model.back(e.detach() if at.turn else e) - x).square().mean()
        if at.turn:
            return rebuilt
        contrast = contrastive(world.gather(e), world.gather(f), model.temperature.exp())
        total: Tensor = contrast + rebuilt + left.kl().mean() + _far(at.average, x, left.mu)
        return total

    def validate(average: nn.Module) -> Mapping[str, float]:
        assert isinstance(average, Towers)
        return {"loss": float((average.left(held) - average.right(held)).square().mean())}

    towers = [*model.left.parameters(), *model.right.parameters(), model.temperature]
    turns = [[torch.optim.AdamW(towers, 0.02)], [torch.optim.AdamW(model.back.parameters(), 0.02)]]
    return Lesson(model, loss, turns, validate)


def _far(teacher: nn.Module, x: Tensor, mu: Tensor) -> Tensor:
    assert isinstance(teacher, Towers)
    with torch.no_grad():
        wanted = teacher.left(x).chunk(2, -1)[0]
    return functional.mse_loss(mu, wanted)


def by_muon() -> Lesson:
    """Return the stage with Muon for the matrices of both towers, two of each shape."""
    one = lesson()
    assert isinstance(one.model, Towers)
    towers = [*one.model.left.parameters(), *one.model.right.parameters()]
    matrices = [p for p in towers if p.ndim == 2]
    rest = [*one.model.back.parameters(), one.model.temperature]
    turn = [Muon(matrices, lr=0.02, ns_steps=4), torch.optim.AdamW(rest, 0.02)]
    return replace(one, turns=[turn])


@dataclass
class Told:
    """What a training was seen to do: its losses, and the most numbers of the model it kept."""

    losses: list[float] = field(default_factory=list)
    kept: int = 0
    is_whole: bool = False


def curve(folder: Path, world: World, stop_at: int = 0, what: Lesson | None = None) -> Told:
    """Train in ``folder``, to the end or until the first process wants to stop."""
    told, taught = Told(), what or lesson()

    def journal(step: int, numbers: Mapping[str, float]) -> None:
        told.losses.extend([numbers["loss"]] if "loss" in numbers else [])

    def on_step(step: int, of: int) -> None:
        held = sum(part.numel() for part in own(list(taught.model.parameters())))
        told.kept = max(told.kept, held)
        if step == stop_at and world.first:
            raise Cancelled("enough")

    place = Place(folder / "toy.checkpoint", on_step, seed=3, world=world, journal=journal)
    schedule = Schedule(STEPS, warmup=2, ema=0.5, clip_norm=0.5)
    with suppress(Cancelled):
        best = fit(taught, schedule, place, Watch(every=2))
        torch.save(best.state_dict(), folder / f"result-{world.rank}.pt")
    told.is_whole = all(type(p) is nn.Parameter and p.numel() for p in taught.model.parameters())
    torch.save(taught.model.state_dict(), folder / f"model-{world.rank}.pt")
    return told


def main(folder: Path) -> dict[str, Told]:
    """Train with replicas and with shards; stop one for others to go on with; go on with one."""
    told = {}
    with joined("cpu", "float32") as here:
        for name in ("ddp", "fsdp", "stopped", "moved", "muon"):
            world = replace(here, parallel="ddp" if name == "ddp" else "fsdp")
            stop_at = STOP_AT if name == "stopped" else 0
            what = by_muon() if name == "muon" else None
            told[name] = curve(folder / name, world, stop_at, what)
    return told if here.first else {}


if __name__ == "__main__":
    if found := main(Path(sys.argv[1])):
        print(json.dumps({name: vars(each) for name, each in found.items()}))
