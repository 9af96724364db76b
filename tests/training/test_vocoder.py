"""The stage ``vocoder``: waves of the prepared folder, losses, adversary, weights for a pack."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

import presets
from engine.perception.mel import MEL, log_mel
from engine.steps import StepCallback
from engine.training import stage_vocoder, waves
from engine.training.course import Course, Folders
from engine.training.critic import Critic, fooling_loss, judging_loss
from engine.training.data.prepared import MANIFEST, PreparedData
from engine.training.data.samples import Facts, Sample
from engine.training.data.shards import write_shard
from engine.training.loop import Place, fit
from engine.training.results import RESULTS
from engine.training.settings import RunTable, ScheduleTable, VocoderSettings
from engine.training.spectra import compressed, log_mels, mel_distance, spectral_distance
from engine.training.stage_vocoder import read_vocoder, train
from engine.training.vocoder import Players, Segments, lesson
from engine.training.vocoder_table import VocoderTable
from osc_bridge.errors import BadCheckpoint, BadCorpus, Cancelled, FileMissing

RESULT = RESULTS["vocoder"]
SOUNDS = 8
TABLE = VocoderTable(
    width=16,
    hidden=32,
    layers=1,
    frames=16,
    mel=15.0,
    spectra=2.0,
    adversary_from=0,
    channels=2,
)
PLAN = ScheduleTable(
    steps=25,
    batch=2,
    learning_rate=5e-3,
    weight_decay=0.01,
    warmup=3,
    decay=0.3,
    ema=0.8,
    clip_norm=5.0,
    validate_every=10,
    patience=0,
)
SETTINGS = VocoderSettings(
    run=RunTable(
        seed=1,
        device="cpu",
        precision="float32",
        parallel="ddp",
        tensorboard=False,
        published=True,
        held_out=0.25,
        balance=0.6,
    ),
    schedule=PLAN,
    vocoder=TABLE,
)


@pytest.fixture(scope="module", autouse=True)
def few_held() -> Iterator[None]:
    """Validate on four segments."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage_vocoder, "HELD_SEGMENTS", 4)
        yield


def tone(number: int) -> np.ndarray:
    """Sounds of 0.15 to 0.5 s: some shorter than a segment, some longer."""
    time = np.arange(int((0.15 + 0.05 * number) * MEL.sample_rate)) / MEL.sample_rate
    hiss = np.random.default_rng(number).normal(0, 0.05, len(time))
    return np.asarray(0.5 * np.sin(2 * np.pi * 200 * (number + 1) * time) + hiss, np.float32)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sounds")
    for number in range(SOUNDS):
        soundfile.write(folder / f"{number}.wav", tone(number), MEL.sample_rate)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is left of the corpus when it is prepared; one more sound than is there now."""
    folder = tmp_path_factory.mktemp("prepared")
    vector = np.array([1, 0, 0, 0], np.float32)
    samples = [
        Sample(
            Facts(f"{n}.wav", "train", "a hum", "", "CC0", f"p{n}", 0.3, True, ("words",)),
            {"clap": vector, "clip": vector[None]},
        )
        for n in range(SOUNDS + 1)
    ]
    write_shard(folder / "train-000000.tar", samples, [])
    manifest = {"clip_dim": 4, "clap_dim": 4, "shards": ["train-000000"], "digest": "x"}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="module")
def sounds(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> waves.Waves:
    work = tmp_path_factory.mktemp("waves")
    names = [f"{number}.wav" for number in range(SOUNDS)]
    waves.gather(corpus, names, work)
    return waves.opened(names, work)


@pytest.fixture
def segments(sounds: waves.Waves) -> Segments:
    weights = torch.ones(SOUNDS, dtype=torch.float64)
    return Segments(sounds, range(SOUNDS), weights, TABLE.frames * MEL.hop)


def course(data: Path, work: Path, corpus: Path | None) -> Course:
    return Course(PreparedData(data), Folders((data,), work, corpus), seed=1)


def dice(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(rows: int, samples: int = 16 * MEL.hop) -> Tensor:
    return 0.1 * torch.randn(rows, samples, generator=dice(3))


def test_waves_are_the_sounds_of_the_folder(sounds: waves.Waves) -> None:
    for number in range(SOUNDS):
        there = tone(number)
        clip = sounds.clip(number)
        assert abs(len(clip) - len(there)) < 0.02 * MEL.sample_rate  # silence at the ends goes
        assert np.abs(clip).max() == pytest.approx(0.9, abs=1e-3)
        np.testing.assert_array_equal(sounds.part(number, 100, 50), clip[100:150])
        assert len(sounds.part(number, len(clip) - 10, 50)) == 10


def test_pieces_that_are_there_are_not_made_again(
    corpus: Path, sounds: waves.Waves, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waves, "AT_ONCE", 3)
    names = [f"{number}.wav" for number in range(SOUNDS)]
    told: list[int] = []

    def stop(done: int, of: int) -> None:
        told.append(done)
        if len(told) == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        waves.gather(corpus, names, tmp_path, stop)
    before = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    assert len(before) == 2
    waves.gather(corpus, names, tmp_path)
    after = {path.name: path.stat().st_ino for path in tmp_path.iterdir()}
    assert before.items() <= after.items()
    assert len(after) == 3
    again = waves.opened(names, tmp_path)
    for number in range(SOUNDS):
        np.testing.assert_array_equal(again.clip(number), sounds.clip(number))
    waves.gather(corpus, names[::-1], tmp_path)
    turned = waves.opened(names[::-1], tmp_path)
    np.testing.assert_array_equal(turned.clip(0), sounds.clip(SOUNDS - 1))


def test_what_is_no_sound_or_not_there_has_no_samples(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds" / "0.wav").write_bytes((corpus / "0.wav").read_bytes())
    (tmp_path / "sounds" / "1.wav").write_bytes(b"RIFF nonsense")
    names = ["0.wav", "1.wav", "2.wav", "../sounds/0.wav"]
    waves.gather(tmp_path / "sounds", names, tmp_path)
    found = waves.opened(names, tmp_path)
    assert (found.lengths > 0).tolist() == [True, False, False, False]
    assert len(found.clip(3)) == 0


def test_segments_hold_short_sounds_whole_and_repeat(segments: Segments) -> None:
    drawn = segments.drawn(16, dice())
    assert drawn.shape == (16, segments.samples)
    assert torch.equal(drawn, segments.drawn(16, dice()))
    assert not torch.equal(drawn, segments.drawn(16, dice(2)))
    peaks = drawn.abs().amax(1)
    assert float(peaks.max()) <= 0.9 + 1e-3
    assert float(peaks.min()) > 0.9 * 10**-0.9 * 0.5
    shortest = replace(segments, indices=[0], weights=torch.ones(1, dtype=torch.float64))
    lengths = {int((row != 0).sum()) for row in shortest.drawn(4, dice())}
    assert min(lengths) > 0.98 * segments.waves.lengths[0]


def test_mel_pictures_of_a_batch_are_those_of_the_front_end() -> None:
    rows = noise(3)
    pictures = log_mels(rows)
    assert pictures.shape == (3, MEL.mels, 16)
    for row, picture in zip(rows, pictures, strict=True):
        torch.testing.assert_close(picture, log_mel(row))


def test_distances_are_zero_for_the_same_and_grow_with_the_difference() -> None:
    real = noise(2)
    for distance in (mel_distance, spectral_distance):
        assert float(distance(real, real)) == 0.0
        near, far = (float(distance(real + level * noise(2).flip(1), real)) for level in (0.1, 1))
        assert 0 < near < far


def test_an_adversary_learns_what_is_made_and_teaches_to_fool_it() -> None:
    torch.manual_seed(1)
    critic, real = Critic(2), noise(2)
    made = (0.3 * real.flip(0)).requires_grad_()
    optimizer = torch.optim.AdamW(critic.parameters(), 0.01)
    first = judging_loss(critic, made.detach(), real).item()
    for _ in range(10):
        optimizer.zero_grad()
        judging_loss(critic, made.detach(), real).backward()
        optimizer.step()
    assert judging_loss(critic, made.detach(), real).item() < first
    before = fooling_loss(critic, made, real)
    (slope,) = torch.autograd.grad(before, made)
    after = fooling_loss(critic, made - 0.02 * slope / slope.norm(), real)
    assert after.item() < before.item()


def test_an_adversary_looks_at_a_small_part_of_the_numbers() -> None:
    """It strides along the frequencies from the first layer on."""
    real = noise(1)
    for (verdict, features), window in zip(Critic(2)(real), (256, 512, 1024), strict=True):
        seen = compressed(real, window)
        assert seen.shape[1] == 2
        assert features[0].shape[-1] <= seen.shape[-1] // 4 + 1
        assert verdict.numel() < seen.numel() / 20


@pytest.mark.parametrize(("steps", "moves"), [(2, False), (3, True)])
def test_the_adversary_begins_when_it_is_told(
    segments: Segments, tmp_path: Path, steps: int, moves: bool
) -> None:
    table = replace(TABLE, adversary_from=2)
    torch.manual_seed(1)
    players = Players(table)
    assert players.critic is not None
    before = [p.clone() for p in players.critic.parameters()]
    plan = replace(PLAN, steps=steps, warmup=1)
    taught = lesson(players, segments, plan, table, noise(2))
    fit(taught, plan.schedule, Place(tmp_path / "vocoder.checkpoint"), plan.watch)
    after = list(players.critic.parameters())
    assert all(map(torch.equal, before, after)) is not moves


def test_without_an_adversary_there_is_one_turn(segments: Segments) -> None:
    players = Players(TABLE)
    assert players.critic is None
    assert len(lesson(players, segments, PLAN, TABLE, noise(2)).turns) == 1


@pytest.fixture(scope="module")
def trained(
    data: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, float]]:
    work = tmp_path_factory.mktemp("work")
    return work, train(course(data, work, corpus), SETTINGS)


def test_it_learns_and_says_how_it_would_sound(
    trained: tuple[Path, dict[str, float]], data: Path, corpus: Path, tmp_path: Path
) -> None:
    measured = trained[1]
    short = replace(SETTINGS, schedule=replace(PLAN, steps=1, learning_rate=1e-7))
    untrained = train(course(data, tmp_path, corpus), short)
    assert measured["loss"] < 0.95 * untrained["loss"]
    assert measured["sounding_griffin_lim"] == untrained["sounding_griffin_lim"]
    assert measured["missing"] == 1
    assert measured["sounds"] == SOUNDS + 1 - 2


def test_the_weights_come_back_with_their_sizes(trained: tuple[Path, dict[str, float]]) -> None:
    vocoder = read_vocoder(trained[0] / RESULT)
    assert vocoder.settings == TABLE.network
    assert vocoder(log_mels(noise(1))).shape == noise(1).shape


def test_weights_of_something_else_are_refused(tmp_path: Path, corpus: Path) -> None:
    with pytest.raises(FileMissing, match="train vocoder"):
        read_vocoder(tmp_path / RESULT)
    with pytest.raises(BadCheckpoint, match="no safetensors file"):
        read_vocoder(corpus / "0.wav")
    waves.gather(corpus, ["0.wav"], tmp_path)
    with pytest.raises(BadCheckpoint, match="holds no vocoder"):
        read_vocoder(tmp_path / "waves-000000.safetensors")


def test_a_stopped_stage_ends_in_the_same_weights(
    trained: tuple[Path, dict[str, float]], data: Path, corpus: Path, tmp_path: Path
) -> None:
    def progress(name: str) -> StepCallback:
        def on_step(step: int, of: int) -> None:
            if name == "vocoder" and step == 7:
                raise Cancelled("enough")

        return on_step

    with pytest.raises(Cancelled):
        train(replace(course(data, tmp_path, corpus), progress=progress), SETTINGS)
    assert train(course(data, tmp_path, corpus), SETTINGS) == trained[1]
    assert (tmp_path / RESULT).read_bytes() == (trained[0] / RESULT).read_bytes()


def test_it_says_which_folder_it_needs(data: Path, tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match="--corpus"):
        train(course(data, tmp_path, None), SETTINGS)
    (tmp_path / "other").mkdir()
    soundfile.write(tmp_path / "other" / "else.wav", tone(1), MEL.sample_rate)
    with pytest.raises(BadCorpus, match=r"none of the sounds.*0\.wav.*--corpus"):
        train(course(data, tmp_path, tmp_path / "other"), SETTINGS)


def test_the_shipped_settings_are_those_of_the_shipped_sizes() -> None:
    path = Path(presets.__file__).parent / "training" / "vocoder.toml"
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    table = VocoderTable(**tables["vocoder"])
    assert table.network == type(table.network)()
    ScheduleTable(**tables["schedule"])
    RunTable(**tables["run"])
