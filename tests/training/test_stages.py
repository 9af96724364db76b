"""The whole pipeline on a tiny corpus with tiny networks: what `make starter` does at full size."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from engine.models.loading import load_pack
from engine.models.pack import read_manifest
from engine.steps import StepCallback, no_steps
from engine.training.commands import train
from engine.training.plan import Plan, record, tiny_plan
from engine.training.stages import STAGES, Run, run_all
from osc_bridge.errors import BadCorpus, Cancelled

ANY = torch.nn.functional.normalize(torch.ones(32), dim=0)


def quiet(_: str) -> StepCallback:
    return no_steps


@pytest.fixture(scope="module")
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    folder = tmp_path_factory.mktemp("training")
    run = Run(corpus, folder / "work", tiny_plan())
    run_all(run, folder / "pack", quiet)
    return run, folder / "pack"


def test_the_pack_loads_and_renders(trained: tuple[Run, Path]) -> None:
    pack = load_pack(trained[1])
    vector = pack.audio.encode([pack.decoder.decode(ANY, 0.3, 1, "preview", no_steps)])
    assert vector.shape == (1, 32)
    assert abs(float(vector.norm()) - 1) < 1e-5


def test_training_again_does_nothing_and_gives_the_same_pack(trained: tuple[Run, Path]) -> None:
    run, folder = trained
    before = read_manifest(folder).digest
    started: list[str] = []
    run_all(run, folder, lambda name: started.append(name) or no_steps)  # type: ignore[func-returns-value]
    assert started == []
    assert read_manifest(folder).digest == before


def test_a_stopped_stage_goes_on_to_the_same_weights(
    corpus: Path, trained: tuple[Run, Path], tmp_path: Path
) -> None:
    """Stop the generator's stage after two of three steps, resume, and compare with one go."""
    whole, _ = trained
    run = Run(corpus, tmp_path / "work", whole.plan)
    run.work.mkdir()
    for name in ("mels.npz", "words", "translated", "pictures", "heard", "codec"):
        file = name if "." in name else f"{name}.safetensors"
        (run.work / file).write_bytes((whole.work / file).read_bytes())
    (run.work / "manifold").symlink_to(whole.work / "manifold")

    def stop(step: int, of: int) -> None:
        if step == 2:
            raise Cancelled("enough")

    stage = STAGES["generator"]
    with pytest.raises(Cancelled):
        stage(run, stop)
    steps: list[int] = []
    stage(run, lambda step, of: steps.append(step))
    assert steps == [3]
    file = "generator.safetensors"
    assert (run.work / file).read_bytes() == (whole.work / file).read_bytes()


def test_another_seed_in_the_same_folder_is_refused(trained: tuple[Run, Path]) -> None:
    run, _ = trained
    with pytest.raises(BadCorpus, match=r"other seed, encoder.*--work"):
        record(Plan(run.plan.sizes, seed=2), run.data, run.work)


def test_other_data_in_the_same_folder_is_refused(
    corpus: Path, trained: tuple[Run, Path], tmp_path: Path
) -> None:
    run, pack = trained
    other = shutil.copytree(corpus, tmp_path / "other")
    with (other / "sounds.csv").open("a") as table:
        table.write("z.wav,train,another,engine,CC0,nine,,1.0\n")
    with pytest.raises(BadCorpus, match="other data"):
        run_all(Run(other, run.work, run.plan), pack, quiet)


def test_nothing_to_train_on_is_said_first(corpus: Path, tmp_path: Path) -> None:
    data = shutil.copytree(corpus, tmp_path / "data")
    table = data / "sounds.csv"
    table.write_text(table.read_text().replace(",train,", ",test,"))
    with pytest.raises(BadCorpus, match="no sound of the train split"):
        run_all(Run(data, tmp_path / "work", tiny_plan()), tmp_path / "pack", quiet)


def test_a_toy_does_not_replace_the_pack_in_the_install(corpus: Path, tmp_path: Path) -> None:
    options = ["--data", str(corpus), "--work", str(tmp_path / "work")]
    result = CliRunner().invoke(train, ["starter", "--tiny", *options])
    assert result.exit_code == 2
    assert "--out" in result.output


def test_the_command_trains_a_pack(corpus: Path, trained: tuple[Run, Path], tmp_path: Path) -> None:
    run, _ = trained
    options = ["--data", str(corpus), "--work", str(run.work), "--out", str(tmp_path / "p")]
    result = CliRunner().invoke(train, ["starter", "--tiny", "--json", *options])
    assert result.exit_code == 0, result.output
    assert "no model card" in result.stderr
    assert read_manifest(tmp_path / "p").kind == "starter"
