"""The loop that all stages share: the same result in one go, in pieces, and on two processes."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

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
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


def weights(module: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])


@dataclass(frozen=True)
class Runs:
    """What one process and two were told, by name, and where their files lie."""

    folder: Path
    told: Mapping[str, Mapping[str, Any]]

    def average(self, name: str) -> Mapping[str, torch.Tensor]:
        """Return the averaged weights of the last checkpoint of a run."""
        content = torch.load(self.folder / name / "toy.checkpoint", weights_only=True)
        average: Mapping[str, torch.Tensor] = content["average"]
        return average

    def end(self, name: str, what: str, rank: int = 0) -> Mapping[str, torch.Tensor]:
        """Return what a process had in its hands in the end: the ``model``, or the ``result``."""
        path = self.folder / name / f"{what}-{rank}.pt"
        found: Mapping[str, torch.Tensor] = torch.load(path, weights_only=True)
        return found


@pytest.fixture(scope="module")
def runs(toy: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Train alone, and on two processes as torchrun starts them, at a port that it finds.

    ``moved`` was stopped alone and goes on with two; ``stopped`` is the other way round.
    """
    folder = tmp_path_factory.mktemp("runs")
    for name in ("alone", "alone-muon", "ddp", "fsdp", "stopped", "moved", "muon"):
        (folder / name).mkdir()
    told = {
        "alone": toy.curve(folder / "alone", World()),
        "alone-muon": toy.curve(folder / "alone-muon", World(), 0, toy.by_muon()),
    }
    toy.curve(folder / "moved", World(), toy.STOP_AT)
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [sys.executable, *command, str(TOY), str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    shutil.copytree(folder / "stopped", folder / "left")
    told["back"] = toy.curve(folder / "left", World())
    return Runs(folder, {name: vars(each) for name, each in told.items()} | json.loads(done.stdout))


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_two_processes_have_the_loss_curve_of_one(runs: Runs, parallel: str) -> None:
    alone, together = runs.told["alone"], runs.told[parallel]
    assert len(alone["losses"]) == len(together["losses"]) == 8
    assert together["losses"] == pytest.approx(alone["losses"], rel=1e-4)
    assert close(runs.average("alone"), runs.average(parallel))
    for rank, what in itertools.product((0, 1), ("model", "result")):
        assert close(runs.end("alone", what), runs.end(parallel, what, rank))


def test_shards_hold_half_of_the_network_each(runs: Runs) -> None:
    """Between steps; the larger half where a number cannot be halved; afterwards all is whole."""
    whole = runs.told["ddp"]["kept"]
    assert whole / 2 < runs.told["fsdp"]["kept"] < 0.6 * whole
    assert runs.told["fsdp"]["is_whole"]


def test_a_training_moves_between_one_process_and_two(runs: Runs) -> None:
    whole = runs.told["alone"]["losses"]
    assert runs.told["stopped"]["losses"] == pytest.approx(whole[:5], rel=1e-4)
    for rest, place in (("back", "left"), ("moved", "moved")):
        assert runs.told[rest]["losses"] == pytest.approx(whole[5:], rel=1e-4)
        assert close(runs.average("alone"), runs.average(place))
        assert close(runs.end("alone", "result"), runs.end(place, "result"))


def test_muon_works_on_shards(runs: Runs) -> None:
    alone, together = runs.told["alone-muon"]["losses"], runs.told["muon"]["losses"]
    assert together == pytest.approx(alone, rel=1e-4)


def close(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    """Return whether two models have the same parameters."""
    assert one.keys() == other.keys()
    return all(torch.allclose(one[key], other[key], atol=1e-4) for key in one)


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
    scripted(toy, place, Watch(every=4, patience=0), [0.5])
    assert steps == [1, 2, 3, 4, 5, 6, 7, 8]


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
        narrow = toy.curve(tmp_path, world).losses
    (tmp_path / "wide").mkdir()
    with joined("cpu") as world:
        wide = toy.curve(tmp_path / "wide", world).losses
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
