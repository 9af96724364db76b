"""The whole pipeline on a tiny corpus with tiny networks: what `make starter` does at full size."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from engine.models.loading import load_pack
from engine.models.pack import read_manifest
from engine.steps import StepCallback, no_steps
from engine.training.commands import train
from engine.training.plan import STAGES as PLAN
from engine.training.plan import Plan, record, tiny_plan
from engine.training.results import RESULTS, StageName
from engine.training.stages import Run, run_all
from engine.training.stages import train as train_stage
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


@pytest.mark.parametrize("stage", ["encoder", "autoencoder", "decoder"])
def test_a_stopped_stage_goes_on_to_the_same_weights(
    trained: tuple[Run, Path], tmp_path: Path, stage: StageName
) -> None:
    """Stop the stage after two of three steps, resume, and compare with one go."""
    whole, _ = trained
    result = RESULTS[stage]
    ours = shutil.ignore_patterns(result, f"{stage}.*")
    run = Run(whole.data, shutil.copytree(whole.work, tmp_path / "work", ignore=ours), whole.plan)

    def stop(step: int, of: int) -> None:
        if step == 2:
            raise Cancelled("enough")

    data = run.sounds if stage == "encoder" else run.heard
    with pytest.raises(Cancelled):
        train_stage(run, stage, data, lambda _: stop)
    steps: list[int] = []
    train_stage(run, stage, data, lambda _: lambda step, of: steps.append(step))
    assert steps == [3]
    assert (run.work / result).read_bytes() == (whole.work / result).read_bytes()


def test_evaluation_sees_the_run_in_the_order_of_the_table(trained: tuple[Run, Path]) -> None:
    run, _ = trained
    count = len(run.clips)
    assert [clip.path.name for clip in run.clips] == [f"{name}.wav" for name in "abcdefghi"]
    assert run.chosen == [0, 1, 2, 6, 7, 8]
    assert len(run.weights) == len(run.chosen)
    longest = max(range(count), key=lambda row: len(run.store.clip(row)))
    assert run.clips[longest].path.name == "i.wav"
    assert run.tensor("heard").shape == (count, 32)
    assert run.tensor("words").shape == (4, count, 384)
    assert run.tensor("translated").shape == (2, count, 384)
    assert not run.tensor("words")[0, 0].equal(run.tensor("words")[0, 1])


def test_each_cut_out_has_the_vectors_that_its_sound_was_paired_with(
    trained: tuple[Run, Path],
) -> None:
    run, _ = trained
    assert [picture.name for picture in run.cutouts] == ["red.png"]
    seen = run.tensor("pictures")
    assert seen.shape == (2, 1, 384)
    assert float(seen[0, 0] @ seen[1, 0]) < 0.999  # on white, and on a meadow
    own, alike = (
        next(i for i, c in enumerate(run.clips) if c.path.name == name)
        for name in ("c.wav", "g.wav")
    )
    for row in (own, alike):
        vectors = torch.from_numpy(run.prepared.array(run.rows[row], "clip"))
        assert torch.allclose(vectors[:2], seen[:, 0], atol=1e-5)


def test_pictures_that_are_only_pasted_count_among_those_that_shape_the_weights(
    trained: tuple[Run, Path], tmp_path: Path
) -> None:
    """Sounds are paired with a few pictures of their class; scenes are pasted from all."""
    whole, _ = trained
    data = shutil.copytree(whole.data, tmp_path / "data")
    for number, kind in enumerate(("rain", "rain", "bell")):
        shutil.copy(data / "red.png", data / f"more{number}.png")
        with (data / "images.csv").open("a") as table:
            table.write(f"more{number}.png,another ball,{kind},one,cutouts,CC0\n")
    run = Run(data, whole.work, whole.plan)
    names = {picture.name for picture in run.shaping}
    assert names == {"red.png", "ground.png", "more0.png", "more1.png"}
    assert {picture.name for picture in (*run.cutouts, *run.grounds)} < names


@pytest.mark.parametrize(("kind", "is_pasting"), [("rain", True), ("bell", False)])
def test_scenes_are_pasted_where_a_sound_to_learn_from_has_a_cut_out(
    trained: tuple[Run, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    is_pasting: bool,
) -> None:
    whole, _ = trained
    data = shutil.copytree(whole.data, tmp_path / "data")
    table = data / "images.csv"
    table.write_text(table.read_text().replace("a red ball,rain", f"a red ball,{kind}"))
    given: list[Path | None] = []
    monkeypatch.setattr(
        "engine.training.stages.run_stage",
        lambda stage, settings, folders, progress: given.append(folders.corpus),
    )
    run = Run(data, tmp_path / "work", whole.plan)
    for stage in ("remixer", "decoder"):
        train_stage(run, stage, whole.heard, quiet)
    assert given == [data if is_pasting else None, None]


def test_results_that_are_there_count_as_finished(
    trained: tuple[Run, Path], tmp_path: Path
) -> None:
    """Networks trained elsewhere may be put into the folder: no record is asked for."""
    whole, pack = trained
    work = tmp_path / "work"
    for stage in PLAN:
        source, target = whole.work / RESULTS[stage], work / RESULTS[stage]
        work.mkdir(exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    for folder in ("sounds", "heard"):
        shutil.copytree(whole.work / folder, work / folder)
    started: list[str] = []
    run_all(
        Run(whole.data, work, whole.plan),
        tmp_path / "pack",
        lambda name: started.append(name) or no_steps,  # type: ignore[func-returns-value]
    )
    assert started == []
    assert read_manifest(tmp_path / "pack").files == read_manifest(pack).files


def test_other_settings_of_a_finished_stage_are_refused(trained: tuple[Run, Path]) -> None:
    run, _ = trained
    usual = run.plan.settings["encoder"]
    other = replace(usual, run=replace(usual.run, seed=2))
    with pytest.raises(BadCorpus, match=r"other encoder; .*--work"):
        record(Plan({**run.plan.settings, "encoder": other}), run.data, run.work)
    record(run.plan.with_generator_steps(9), run.data, run.work)
    record(run.plan, run.data, run.work)


def test_sounds_that_another_encoder_heard_are_refused(
    trained: tuple[Run, Path], tmp_path: Path
) -> None:
    run, pack = trained
    work = shutil.copytree(run.work, tmp_path / "work")
    weights = work / "audio_net.safetensors"
    other = {name: tensor + 1 for name, tensor in load_file(weights).items()}
    save_file(other, weights)
    with pytest.raises(BadCorpus, match="another encoder"):
        run_all(Run(run.data, work, run.plan), pack, quiet)


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
