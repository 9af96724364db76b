"""The loop that all stages share: the same result in one go, in pieces, and on two processes."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from engine.training.checkpoints import best_of
from engine.training.journal import tensorboard
from engine.training.loop import Place, Schedule, Watch, fit
from engine.training.world import World, joined
from osc_bridge.errors import BadCheckpoint, Cancelled, DeviceUnavailable, OutOfRange

ROOT = Path(__file__).parents[2]
TOY = Path(__file__).with_name("two_towers.py")
QUICK = Schedule(8, warmup=2, ema=0.5)


@pytest.fixture(scope="module")
def toy() -> ModuleType:
    spec = importlib.util.spec_from_file_location("two_towers", TOY)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def weights(module: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def test_two_processes_have_the_loss_curve_of_one(toy: ModuleType, tmp_path: Path) -> None:
    """At equal batch; the ranks run as torchrun starts them, and meet at a port it would find."""
    (tmp_path / "alone").mkdir()
    (tmp_path / "both").mkdir()
    alone = toy.curve(tmp_path / "alone", World())
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [sys.executable, *command, str(TOY), str(tmp_path / "both")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    together = json.loads(done.stdout)
    assert len(alone) == len(together) == 8
    assert together == pytest.approx(alone, rel=1e-4)
    first, second = (
        torch.load(tmp_path / name / "toy.checkpoint", weights_only=True)["average"]
        for name in ("alone", "both")
    )
    assert all(torch.allclose(first[key], second[key], atol=1e-4) for key in first)


def test_a_stopped_training_goes_on_to_the_same_weights(toy: ModuleType, tmp_path: Path) -> None:
    whole = fit(toy.lesson(), QUICK, Place(tmp_path / "whole.checkpoint", seed=3))
    seen: list[int] = []

    def stop(step: int, of: int) -> None:
        if step == 5:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        fit(toy.lesson(), QUICK, Place(tmp_path / "parts.checkpoint", stop, seed=3))
    place = Place(tmp_path / "parts.checkpoint", lambda step, of: seen.append(step), seed=3)
    parts = fit(toy.lesson(), QUICK, place)
    assert seen == [6, 7, 8]
    assert torch.equal(weights(parts), weights(whole))


def test_another_seed_gives_other_weights(toy: ModuleType, tmp_path: Path) -> None:
    one, other = (
        weights(fit(toy.lesson(), QUICK, Place(tmp_path / f"{seed}.checkpoint", seed=seed)))
        for seed in (3, 4)
    )
    assert not torch.allclose(one, other)


def scripted(toy: ModuleType, place: Place, watch: Watch, scores: list[float]) -> nn.Module:
    """Train with validations that give these scores one after another."""
    left = iter(scores)

    def validate(average: nn.Module) -> Mapping[str, float]:
        return {"loss": next(left)}

    return fit(replace(toy.lesson(), validate=validate), QUICK, place, watch)


def test_the_best_average_is_returned_and_kept(toy: ModuleType, tmp_path: Path) -> None:
    place = Place(tmp_path / "x.checkpoint", seed=3)
    result = scripted(toy, place, Watch(every=2), [3.0, 1.0, 2.0, 4.0])
    after_four = tmp_path / "four.checkpoint"

    def stop(step: int, of: int) -> None:
        if step == 4:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        fit(replace(toy.lesson(), validate=None), QUICK, Place(after_four, stop, seed=3))
    average = torch.load(after_four, weights_only=True)["average"]
    assert all(torch.equal(average[f"module.{k}"], v) for k, v in result.state_dict().items())
    best = torch.load(best_of(place.checkpoint), weights_only=True)
    assert all(torch.equal(best[key], value) for key, value in result.state_dict().items())


def test_patience_ends_a_training_that_gets_no_better(toy: ModuleType, tmp_path: Path) -> None:
    steps: list[int] = []
    place = Place(tmp_path / "x.checkpoint", lambda step, of: steps.append(step), seed=3)
    scripted(toy, place, Watch(every=1, patience=2), [2.0, 1.0, 1.0, 1.5])
    assert steps == [1, 2, 3, 4]
    scripted(toy, place, Watch(every=1, patience=2), [])
    assert steps == [1, 2, 3, 4]


def test_a_checkpoint_of_another_model_is_named(toy: ModuleType, tmp_path: Path) -> None:
    place = Place(tmp_path / "x.checkpoint", seed=3)
    fit(toy.lesson(), replace(QUICK, steps=1), place)
    other = toy.lesson()
    other.model.left[0] = nn.Linear(6, 13)
    with pytest.raises(BadCheckpoint, match=r"x\.checkpoint does not fit"):
        fit(other, QUICK, place)
    place.checkpoint.write_bytes(b"nothing")
    with pytest.raises(BadCheckpoint, match="start the stage anew"):
        fit(toy.lesson(), QUICK, place)


def test_a_loss_without_end_says_what_to_change(toy: ModuleType, tmp_path: Path) -> None:
    lesson = toy.lesson()
    broken = replace(lesson, loss=lambda at: lesson.loss(at) * float("nan"))
    with pytest.raises(BadCheckpoint, match=r"nan at step 1.*learning_rate"):
        fit(broken, QUICK, Place(tmp_path / "x.checkpoint"))


def test_bf16_is_chosen_by_name_on_a_processor(toy: ModuleType, tmp_path: Path) -> None:
    with joined("cpu", "bf16") as world:
        narrow = toy.curve(tmp_path, world)
    (tmp_path / "wide").mkdir()
    with joined("cpu") as world:
        wide = toy.curve(tmp_path / "wide", world)
    assert narrow != wide
    assert narrow == pytest.approx(wide, rel=0.1)


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(DeviceUnavailable, match="'tpu' cannot train here"), joined("tpu"):
        pass


def test_a_batch_must_be_shared_evenly() -> None:
    assert World(rank=1, size=2).rows(6) == slice(3, 6)
    with pytest.raises(OutOfRange, match="multiples of 2"):
        World(size=2).rows(5)


def test_tensorboard_gets_every_number(tmp_path: Path) -> None:
    with tensorboard(tmp_path) as journals:
        journals("part")(1, {"loss": 2.0})
        journals("part")(2, {"loss": 1.0, "held_out/loss": 3.0})
    with tensorboard(tmp_path) as journals:
        journals("part")(2, {"loss": 0.5})
    events = EventAccumulator(str(tmp_path / "part")).Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(1, 2.0), (2, 0.5)]
    assert events.Scalars("held_out/loss") == []
