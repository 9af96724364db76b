"""The stage: any folder becomes shards, curated as the paper says; stopped, it goes on."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image, ImageDraw
from safetensors.torch import save_file

from engine.perception.audio import AudioNet, AudioNetSettings, MelAudioEncoder
from engine.perception.base import Region
from engine.perception.mel import MEL
from engine.steps import no_steps
from engine.training.commands import train
from engine.training.data.batches import PairBatches
from engine.training.data.commands import LAYOUTS as OFFERED
from engine.training.data.embedding import DEFAULT_PARTS, Encoders
from engine.training.data.items import Item, Library, library
from engine.training.data.layouts import LAYOUTS, read_library
from engine.training.data.listening import with_audio
from engine.training.data.prepared import PreparedData
from engine.training.data.stage import DataSettings, prepare
from osc_bridge.errors import BadCheckpoint, BadCorpus, Cancelled, FileMissing

Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, tone: Write, picture: Write) -> Path:
    """Seven sounds, one of them broken, one with a picture, one with a broken picture."""
    root = tmp_path / "in"
    for number in range(5):
        tone(root / f"{'abcde'[number]}.wav", 0.4 + 0.1 * number, 200.0 * (number + 1))
    (root / "broken.wav").write_bytes(b"RIFF????")
    picture(root / "a.png")
    (root / "b.png").write_bytes(b"\x89PNG")
    rows = ["file,split,class,licence,text", *(f"{n}.wav,train,c{n},CC0,the {n}" for n in "abc")]
    rows += ["d.wav,train,cd,CC0,", "e.wav,test,ca,unknown,the e", "broken.wav,train,,,"]
    (root / "list.csv").write_text("\n".join(rows))
    return root


def test_a_folder_becomes_data(folder: Path, encoders: Encoders, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    encoders.detector.regions = [Region((0, 0, 20, 30), "thing", 0.9)]  # type: ignore[attr-defined]
    made = prepare(
        read_library(folder), encoders, DataSettings(shard_size=3), tmp_path / "out",
        lambda step, of: seen.append((step, of)),
    )  # fmt: skip
    assert seen == [(n, 6) for n in range(1, 7)]
    data = PreparedData(tmp_path / "out")
    assert made.samples == len(data) == 5
    assert made.bad == 2
    facts = {data.facts(row).name: row for row in range(5)}
    row = facts["a.wav"]
    assert data.facts(row).kinds == ("curated", *("translated",) * 2, *("words",) * 4)
    assert data.facts(facts["d.wav"]).kinds == ("translated", "words", "words")
    assert data.facts(row).may_publish
    assert not data.facts(facts["e.wav"]).may_publish
    assert data.array(row, "clap").shape == (5,)
    assert data.array(row, "sources").shape == (1, 12)
    mel = data.array(row, "mel")
    assert mel.shape[1] == MEL.mels
    assert abs(len(mel) - 0.4 * MEL.sample_rate / MEL.hop) < 2
    assert not data.has(facts["b.wav"], "frame")


def test_bad_files_are_listed_with_the_reason(
    folder: Path, encoders: Encoders, tmp_path: Path
) -> None:
    prepare(read_library(folder), encoders, DataSettings(), tmp_path / "out", no_steps)
    with (tmp_path / "out" / "bad.csv").open(newline="", encoding="utf-8") as file:
        bad = {row["file"]: row["reason"] for row in csv.DictReader(file)}
    assert set(bad) == {"broken.wav", "b.wav: b.png"}
    assert "cut short" in bad["broken.wav"] or "cannot be read" in bad["broken.wav"]
    manifest = json.loads((tmp_path / "out" / "data.json").read_text())
    assert manifest["licences"] == {"CC0": 4, "unknown": 1}
    assert manifest["samples"] == {"test": 1, "train": 4}
    assert manifest["pack"] == "stand-in 1"


@pytest.mark.parametrize(
    ("scores", "kinds"),
    [((), 0), ((0.9,), 1), ((0.9, 0.4), 1), ((0.9, 0.5), 0), ((0.49,), 0)],
)
def test_only_pictures_of_one_thing_become_pairs(
    encoders: Encoders, tmp_path: Path, tone: Write, picture: Write,
    scores: tuple[float, ...], kinds: int,
) -> None:  # fmt: skip
    """The paper's curation: one region at the threshold of 0.5; the rest teaches the Remixer."""
    item = Item("a.wav", tone(tmp_path / "a.wav"), picture(tmp_path / "a.png"), split="train")
    encoders.detector.regions = [Region((0, 0, 9, 9), "x", score) for score in scores]  # type: ignore[attr-defined]
    prepare(library([item]), encoders, DataSettings(), tmp_path / "out", no_steps)
    data = PreparedData(tmp_path / "out")
    assert data.facts(0).kinds.count("curated") == kinds
    assert len(data.array(0, "sources")) == sum(score >= 0.5 for score in scores)
    assert data.has(0, "frame")


def test_the_pair_is_cropped_to_the_region(encoders: Encoders, tmp_path: Path, tone: Write) -> None:
    image = Image.new("RGB", (40, 40), "blue")
    ImageDraw.Draw(image).rectangle((0, 0, 19, 19), fill="red")
    image.save(tmp_path / "a.png")
    encoders.detector.regions = [Region((0, 0, 20, 20), "x", 0.9)]  # type: ignore[attr-defined]
    sound = tone(tmp_path / "a.wav")
    drawn = Item("b.wav", sound, tmp_path / "a.png", split="train", boxes=((0.5, 0.5, 1.0, 1.0),))
    found = Item("a.wav", sound, tmp_path / "a.png", split="train")
    prepare(library([found, drawn]), encoders, DataSettings(), tmp_path / "out", no_steps)
    data = PreparedData(tmp_path / "out")
    red, blue = (
        encoders.images.encode([Image.new("RGB", (9, 9), colour)])[0].numpy()
        for colour in ("red", "blue")
    )
    assert data.facts(0).kinds[0] == "curated"
    np.testing.assert_allclose(data.array(0, "clip")[0], red, atol=0.02)
    assert data.facts(1).kinds[0] == "clean"
    np.testing.assert_allclose(data.array(1, "clip")[0], blue, atol=0.02)


def test_cut_outs_are_clean_and_seen_on_backgrounds(
    corpus: Path, encoders: Encoders, tmp_path: Path
) -> None:
    prepare(read_library(corpus), encoders, DataSettings(), tmp_path / "out", no_steps)
    data = PreparedData(tmp_path / "out")
    kinds = {data.facts(row).name: data.facts(row).kinds for row in range(len(data))}
    assert kinds["c.wav"].count("clean") == 2
    assert kinds["d.wav"].count("curated") == 2
    assert "clean" not in kinds["a.wav"]
    published = data.select("train", published=True)
    names = {data.facts(int(row)).name for row in published.rows}
    assert names == {f"{name}.wav" for name in "abcghi"}


def test_videos_give_a_central_picture_and_64_frames(
    encoders: Encoders, tmp_path: Path, film: Write, tone: Write
) -> None:
    item = Item("a", tone(tmp_path / "a.wav"), None, film(tmp_path / "a.avi"), split="train")
    encoders.detector.regions = [Region((0, 0, 9, 9), "x", 0.8)]  # type: ignore[attr-defined]
    settings = DataSettings((*DEFAULT_PARTS, "frames"))
    prepare(library([item]), encoders, settings, tmp_path / "out", no_steps)
    data = PreparedData(tmp_path / "out")
    assert data.array(0, "frames").shape == (64, 12)
    assert data.facts(0).kinds[0] == "curated"


def test_a_video_whose_sound_is_missing_is_listed_and_still_seen(
    encoders: Encoders, tmp_path: Path, film: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    item = Item("a.avi", None, None, film(tmp_path / "a.avi"), split="train")
    made = prepare(library([item]), encoders, DataSettings(), tmp_path / "out", no_steps)
    assert "ffmpeg" in (tmp_path / "out" / "bad.csv").read_text()
    assert made.samples == made.bad == 1
    assert not PreparedData(tmp_path / "out").has(0, "clap")


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_threads_change_no_byte(folder: Path, encoders: Encoders, tmp_path: Path) -> None:
    for workers in (1, 3):
        prepare(
            read_library(folder), encoders, DataSettings(shard_size=2), tmp_path / str(workers),
            no_steps, workers,
        )  # fmt: skip
    assert _bytes(tmp_path / "1") == _bytes(tmp_path / "3")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stopped_run_goes_on_after_the_last_shard(
    folder: Path, encoders: Encoders, tmp_path: Path, workers: int
) -> None:
    def stop(step: int, of: int) -> None:
        if step == 4:
            raise Cancelled("Stopped.")

    settings, out = DataSettings(shard_size=2), tmp_path / "out"
    with pytest.raises(Cancelled):
        prepare(read_library(folder), encoders, settings, out, stop, workers)
    done = {path.name: path.stat().st_mtime_ns for path in out.glob("*.tar")}
    assert list(done) == ["test-000000.tar"] or len(done) == 2
    prepare(read_library(folder), encoders, settings, out, no_steps, workers)
    assert all((out / name).stat().st_mtime_ns == made for name, made in done.items())
    prepare(read_library(folder), encoders, settings, tmp_path / "whole", no_steps)
    assert _bytes(out) == _bytes(tmp_path / "whole")


def test_a_folder_holds_one_run_only(
    folder: Path, encoders: Encoders, tmp_path: Path, tone: Write
) -> None:
    out = tmp_path / "out"
    prepare(read_library(folder), encoders, DataSettings(), out, no_steps)
    with pytest.raises(BadCorpus, match="threshold"):
        prepare(read_library(folder), encoders, DataSettings(threshold=0.7), out, no_steps)
    tone(folder / "new.wav")
    with pytest.raises(BadCorpus, match="items"):
        prepare(read_library(folder), encoders, DataSettings(), out, no_steps)
    (out / "plan.json").unlink()
    with pytest.raises(BadCorpus, match="something else"):
        prepare(read_library(folder), encoders, DataSettings(), out, no_steps)


def test_shared_pictures_are_looked_at_once(
    encoders: Encoders, tmp_path: Path, tone: Write, picture: Write
) -> None:
    shown = picture(tmp_path / "a.png")
    items = [
        Item(f"{n}.wav", tone(tmp_path / f"{n}.wav"), split="train", alike=(shown,))
        for n in range(6)
    ]
    prepare(Library(items), encoders, DataSettings(), tmp_path / "out", no_steps)
    assert encoders.images.asked == 1  # type: ignore[attr-defined]


def test_the_command_offers_every_layout() -> None:
    assert set(OFFERED) == {"auto", *LAYOUTS}


def test_the_command_prepares_a_corpus_that_pairs_are_drawn_from(
    corpus: Path, tiny_pack: Path, tmp_path: Path
) -> None:
    threads = torch.get_num_threads()
    words = ["data", "--data", str(corpus), "--work", str(tmp_path / "out"), "--json"]
    try:
        done = CliRunner().invoke(train, [*words, "--pack", str(tiny_pack), "--workers", "2"])
    finally:
        torch.set_num_threads(threads)
    assert done.exit_code == 0, done.output
    result = json.loads(done.output)
    assert (result["samples"], result["bad"]) == (9, 0)
    data = PreparedData(tmp_path / "out")
    assert data.clip_dim == 384
    batch = PairBatches(data.select("train"), size=2, seed=1)[0]
    assert torch.allclose(batch.clips.norm(dim=1), torch.ones(2), atol=1e-4)
    assert torch.allclose(batch.claps.norm(dim=1), torch.ones(2), atol=1e-4)


def test_the_command_keeps_shards_out_of_the_data(corpus: Path) -> None:
    done = CliRunner().invoke(train, ["data", "--data", str(corpus), "--work", str(corpus / "out")])
    assert done.exit_code == 2
    assert "beside it" in done.output


def test_an_audio_encoder_may_come_before_its_pack(encoders: Encoders, tmp_path: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        net = AudioNet(AudioNetSettings((8, 16, 24), 40))
    save_file(net.state_dict(), tmp_path / "audio_net.safetensors")
    changed = with_audio(encoders, tmp_path / "audio_net.safetensors", "cpu")
    assert changed.audio
    assert changed.audio.dim == 40
    assert changed.digest != encoders.digest
    assert changed.name == "stand-in 1 with audio_net.safetensors"
    wave = np.sin(np.arange(8000) / 20).astype(np.float32)
    wanted = MelAudioEncoder(net, torch.device("cpu")).encode([wave])
    assert torch.equal(changed.audio.encode([wave]), wanted)


def test_without_an_ear_all_but_the_sounds_is_embedded(
    folder: Path, encoders: Encoders, tmp_path: Path
) -> None:
    """What the stage encoder learns from: mels and words."""
    deaf = replace(encoders, audio=None)
    prepare(read_library(folder), deaf, DataSettings(), tmp_path / "out", no_steps)
    data = PreparedData(tmp_path / "out")
    assert data.clap_dim == 0
    assert len(data.select("train", ["words"], needs=("mel",)).rows) == 4
    with pytest.raises(BadCorpus, match="the arrays clap"):
        data.select("train")


def test_prepared_data_is_not_prepared_again(
    folder: Path, encoders: Encoders, tmp_path: Path
) -> None:
    prepare(read_library(folder), encoders, DataSettings(), tmp_path / "out", no_steps)
    words = ["data", "--data", str(tmp_path / "out"), "--work", str(tmp_path / "more")]
    done = CliRunner().invoke(train, words)
    assert done.exit_code == 2
    assert "--audio-encoder" in done.output


def test_other_weights_are_no_audio_encoder(encoders: Encoders, tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        with_audio(encoders, tmp_path / "none.safetensors", "cpu")
    save_file({"blocks.0.weight": torch.zeros(3, 1)}, tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("no")
    for name in ("other", "text"):
        with pytest.raises(BadCheckpoint):
            with_audio(encoders, tmp_path / f"{name}.safetensors", "cpu")
