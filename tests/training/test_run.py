"""The stages of ``wildtrack train STAGE`` on made-up data: sources are hidden unit vectors.

The image side and the sound of a pair are two noisy views of one vector; some pairs are wrong.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image, ImageChops
from safetensors.numpy import load_file

from engine.cmss import load_ssv2a
from engine.cmss.remixer import Remixer
from engine.models.pack import read_manifest
from engine.models.sizes import tiny_sizes
from engine.perception.audio import embed_picture
from engine.perception.mel import MEL
from engine.steps import StepCallback, no_steps
from engine.training.commands import train
from engine.training.course import Folders
from engine.training.data.again import hear_again
from engine.training.data.listening import NO_PACK, digest_with, read_audio
from engine.training.data.prepared import MANIFEST, PreparedData
from engine.training.data.samples import Facts, Kind, Sample
from engine.training.data.shards import write_shard
from engine.training.data.stage import BAD, RECORD
from engine.training.held_out import held_rows, parted
from engine.training.mean_teacher import elbow
from engine.training.pasted import paste
from engine.training.remix import begin
from engine.training.results import STAGE_NAMES, StageName
from engine.training.run import run_stage
from engine.training.settings import RemixerSettings, Settings, load_settings
from engine.training.stage_autoencoder import read_codec
from engine.training.stage_commands import STAGES
from osc_bridge.errors import BadCorpus, BadPreset, Cancelled, FileMissing

CLIP, CLAP = 384, 32
WITHOUT_WAVES = tuple(stage for stage in STAGE_NAMES if stage != "vocoder")
GROUPS, EACH = 6, 8


def unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def sample(number: int, draw: np.random.Generator, hidden: np.ndarray) -> Sample:
    """Sample 7 of each group is a wrong pair: its picture shows something else."""
    group = number % GROUPS
    source = hidden[group] + 0.2 * draw.normal(size=CLIP)
    wrong = number // GROUPS == EACH - 1
    seen = draw.normal(size=CLIP) if wrong else source
    kinds: tuple[Kind, ...] = ("curated", "words") if number // GROUPS % 2 or wrong else ("clean",)
    clips = [unit(seen + 0.1 * draw.normal(size=CLIP)) for _ in kinds]
    mel = np.full((20 + number, MEL.mels), MEL.log_floor, np.float16)
    mel[:, 8 * group : 8 * group + 8] = draw.normal(-2, 0.3, (20 + number, 8))
    arrays = {
        "clap": unit(source[:CLAP]),
        "clip": np.stack(clips),
        "mel": mel,
        "sources": np.stack(clips),
        "frame": clips[0],
        "frames": np.stack([unit(seen + 0.1 * draw.normal(size=CLIP)) for _ in range(64)]).astype(
            np.float16
        ),
    }
    facts = Facts(
        f"{number}.wav", "train", "words", f"group_{group}", "CC0", f"p{number}", 1.0, True, kinds
    )
    return Sample(facts, arrays)


@pytest.fixture(scope="module")
def data(tiny_pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    draw = np.random.default_rng(1)
    hidden = 3 * draw.normal(size=(GROUPS, CLIP))
    samples = [sample(number, draw, hidden) for number in range(GROUPS * EACH)]
    write_shard(folder / "train-000000.tar", samples, [])
    digest = read_manifest(tiny_pack).digest
    manifest = {"clip_dim": CLIP, "clap_dim": CLAP, "shards": ["train-000000"], "digest": digest}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


@pytest.fixture(scope="module")
def settings(tiny_pack: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Settings]:
    """Small and short ones, the rest as shipped."""
    folder = tmp_path_factory.mktemp("settings")
    own = {
        "encoder": "[encoder]\nwidth = 8\ndim = 32",
        "autoencoder": "[autoencoder]\ndims = 8\nwidth = 16",
        "decoder": "[decoder]\nwidth = 32\nlayers = 2\nheads = 2",
        "manifold": "[model]\nsize = 'tiny'\n[manifold]\nteacher_steps = 100\nconsistency = 0.5",
        "audio2clip": "[audio2clip]\nwidth = 32",
        "remixer": f"[scenes]\npack = '{tiny_pack}'\nmost = 3",
        "aggregator": f"[videos]\npack = '{tiny_pack}'\nmost = 2\nseconds = 2",
    }
    steps = {"manifold": 60, "audio2clip": 60, "remixer": 40, "aggregator": 6}
    steps |= {"encoder": 24, "autoencoder": 30, "decoder": 12}
    found: dict[str, Settings] = {}
    for stage in WITHOUT_WAVES:
        path = folder / f"{stage}.toml"
        path.write_text(
            f"{own[stage]}\n[run]\nprecision = 'float32'\nheld_out = 0.2\n"
            f"[schedule]\nsteps = {steps[stage]}\nbatch = 8\nwarmup = 5\nema = 0.9\n"
            f"validate_every = {steps[stage] // 3}\nlearning_rate = 3e-3\n"
        )
        found[stage] = load_settings(stage, path)
    return found


@pytest.fixture(scope="module")
def trained(
    data: Path, settings: dict[str, Settings], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[StageName, dict[str, Any]]]:
    """All stages that need no waves, one after another, in one work folder."""
    work = tmp_path_factory.mktemp("work")
    return work, {s: run_stage(s, settings[s], Folders((data,), work)) for s in WITHOUT_WAVES}


def test_the_manifold_finds_sounds_of_pictures(
    trained: tuple[Path, dict[StageName, dict[str, Any]]],
) -> None:
    measured = trained[1]["manifold"]
    assert measured["r_at_5"] > 1.4 * 5 / measured["held"]
    assert measured["rebuilt_from_clip"] > 0.3


def test_the_teacher_finds_wrong_pairs_less_alike_than_right_ones(
    data: Path, trained: tuple[Path, dict[StageName, dict[str, Any]]], settings: dict[str, Settings]
) -> None:
    work, measured = trained
    prepared = PreparedData(data)
    kinds: tuple[Kind, ...] = ("curated", "words")
    noisy = parted(prepared, settings["manifold"].run).learned
    noisy = noisy.keep(
        np.array([prepared.facts(row).kinds[view] in kinds for row, view in noisy.pairs.tolist()])
    )
    found = load_file(work / "manifold-kept.safetensors")
    wrong = np.array([row // GROUPS == EACH - 1 for row, _ in noisy.pairs.tolist()])
    assert found["similarities"][wrong].mean() < found["similarities"][~wrong].mean() - 0.2
    assert 0 < measured["manifold"]["kept"] <= measured["manifold"]["noisy"] == len(wrong)


def test_every_stage_leaves_a_model_that_loads(
    trained: tuple[Path, dict[StageName, dict[str, Any]]],
) -> None:
    work, _ = trained
    video = load_ssv2a(work / "video")
    assert video.translator is not None
    assert video.aggregator is not None
    assert video.aggregator.dim == CLAP
    mixed = load_ssv2a(work / "mixed").remixer.state_dict()
    assert all(torch.equal(mixed[key], value) for key, value in video.remixer.state_dict().items())


def test_what_mixes_begins_near_its_means(
    trained: tuple[Path, dict[StageName, dict[str, Any]]],
) -> None:
    """A deviation of 1 in each of many numbers would drown the few that matter."""
    video = load_ssv2a(trained[0] / "video")
    assert video.aggregator is not None
    for head in (video.remixer.styler.out_sigma, video.aggregator.out_sigma):
        assert float(head.bias.detach().exp().mean()) < 0.1


def test_empty_slots_begin_as_nothing() -> None:
    """However many there are, the sources are not drowned."""
    torch.manual_seed(1)
    config = tiny_sizes().ssv2a
    remixer = Remixer(config).eval()
    source = torch.randn(1, 1, config.manifold_dim), torch.randn(1, 1, config.clip_dim)
    tokens = [torch.cat([each, torch.zeros_like(each)], dim=1) for each in source]
    counts = [torch.tensor([1.0, float(empty)]) for empty in (0, 60)]
    before, after = [remixer(*tokens, each).mu for each in counts], begin(remixer.styler)
    alone, crowded = (remixer(*tokens, each).mu for each in counts)
    assert not torch.allclose(before[0], before[1], rtol=1e-2)
    assert torch.allclose(alone, crowded, atol=1e-6)
    assert len(after) == len(list(remixer.parameters())) - 1


def test_the_starters_own_networks_learn(
    trained: tuple[Path, dict[StageName, dict[str, Any]]], data: Path
) -> None:
    """A class has its own eight bands here, so the encoder soon names it."""
    work, measured = trained
    assert measured["encoder"]["class_named"] > 1.5 / GROUPS
    codec = read_codec(work / "codec.safetensors")
    assert (codec.settings.dims, codec.settings.width) == (8, 16)
    assert measured["autoencoder"]["loss"] < 2 * measured["autoencoder"]["linear_error"] + 0.5
    assert 0 < measured["decoder"]["loss"] < 4
    assert read_audio(work / "audio_net.safetensors").settings.dim == CLAP


def test_prepared_data_is_heard_again_by_the_trained_encoder(
    data: Path,
    trained: tuple[Path, dict[StageName, dict[str, Any]]],
    tiny_pack: Path,
    tmp_path: Path,
) -> None:
    source, weights = tmp_path / "source", trained[0] / "audio_net.safetensors"
    shutil.copytree(data, source)
    (source / RECORD).write_text('{"items": "x"}')
    bad = 'file,reason\r\nlist.csv: a.wav,"named, but not there"\r\n'
    (source / BAD).write_bytes(bad.encode())
    options = ["--data", str(source), "--audio-encoder", str(weights), "--pack", str(tiny_pack)]
    options += ["--work", str(tmp_path / "heard"), "--json"]
    for _ in range(2):
        result = CliRunner().invoke(train, ["data", *options])
        assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["bad"] == 1
    assert (tmp_path / "heard" / BAD).read_bytes() == bad.encode()
    before, after = PreparedData(source), PreparedData(tmp_path / "heard")
    assert after.manifest["digest"] == digest_with(read_manifest(tiny_pack).digest, weights)
    for row in (0, len(before) - 1):
        assert (before.array(row, "clip") == after.array(row, "clip")).all()
        assert (before.array(row, "mel") == after.array(row, "mel")).all()
        mel = torch.from_numpy(after.array(row, "mel").T.astype(np.float32))
        with torch.inference_mode():
            wanted = embed_picture(read_audio(weights), mel)
        assert torch.allclose(torch.from_numpy(after.array(row, "clap")), wanted, atol=1e-6)


def test_data_of_another_pack_is_not_heard_again(
    data: Path, trained: tuple[Path, dict[StageName, dict[str, Any]]], tmp_path: Path
) -> None:
    weights = trained[0] / "audio_net.safetensors"
    shutil.copytree(data, tmp_path / "source")
    with pytest.raises(BadCorpus, match="not by the pack 'none' alone"):
        hear_again(tmp_path / "source", weights, NO_PACK, tmp_path / "heard", no_steps)


@pytest.mark.parametrize(
    ("stage", "text", "said"),
    [
        ("encoder", "[encoder]\nwidth = 20", "width is 20; allowed are multiples of 8"),
        ("decoder", "[decoder]\nlayers = 3", "layers is 3; allowed are even numbers"),
        ("decoder", "[decoder]\nheads = 5", "width is 192 with 5 heads; allowed are multiples"),
    ],
)
def test_sizes_that_fit_no_network_are_named(
    data: Path,
    trained: tuple[Path, dict[StageName, dict[str, Any]]],
    tmp_path: Path,
    stage: StageName,
    text: str,
    said: str,
) -> None:
    for name in ("manifold", "codec.safetensors"):
        (tmp_path / name).symlink_to(trained[0] / name)
    config = tmp_path / "odd.toml"
    config.write_text(f"{text}\n[run]\ntensorboard = false\nheld_out = 0.2")
    with pytest.raises(BadPreset, match=said):
        run_stage(stage, load_settings(stage, config), Folders((data,), tmp_path))


def test_the_translation_is_better_than_chance(
    trained: tuple[Path, dict[StageName, dict[str, Any]]],
) -> None:
    assert trained[1]["audio2clip"]["cosine"] > 0.3


def test_what_audio_conditioning_gains_is_measured(
    trained: tuple[Path, dict[StageName, dict[str, Any]]],
) -> None:
    measured = trained[1]["remixer"]
    assert measured["cosine"] > 0.3
    assert {"heard", "heard_as_zeros"} <= measured.keys()
    assert {"cosine", "mean_of_frames"} <= trained[1]["aggregator"].keys()


def test_a_finished_stage_is_not_trained_again(
    data: Path,
    settings: dict[str, Settings],
    trained: tuple[Path, dict[StageName, dict[str, Any]]],
) -> None:
    work, measured = trained
    started: list[str] = []

    def progress(name: str) -> StepCallback:
        started.append(name)
        return lambda step, of: None

    assert (
        run_stage("manifold", settings["manifold"], Folders((data,), work), progress)
        == (measured["manifold"])
    )
    assert started == []


def test_other_settings_in_the_same_folder_are_named(
    data: Path,
    settings: dict[str, Settings],
    trained: tuple[Path, dict[StageName, dict[str, Any]]],
) -> None:
    other = replace(settings["remixer"], run=replace(settings["remixer"].run, seed=2))
    with pytest.raises(BadCorpus, match=r"other run\.seed; give another folder with --work"):
        run_stage("remixer", other, Folders((data,), trained[0]))


@pytest.mark.parametrize("stage", ["manifold", "remixer"])
def test_a_stopped_stage_ends_in_the_same_weights(
    data: Path,
    settings: dict[str, Settings],
    trained: tuple[Path, dict[StageName, dict[str, Any]]],
    tmp_path: Path,
    stage: StageName,
) -> None:
    whole, measured = trained
    if stage == "remixer":
        (tmp_path / "translated").symlink_to(whole / "translated")

    def progress(_: str) -> StepCallback:
        def on_step(step: int, of: int) -> None:
            if step == 17:
                raise Cancelled("enough")

        return on_step

    for _ in range(2 if stage == "manifold" else 1):  # teacher, student
        with pytest.raises(Cancelled):
            run_stage(stage, settings[stage], Folders((data,), tmp_path), progress)
    again = run_stage(stage, settings[stage], Folders((data,), tmp_path))
    assert again == measured[stage]
    name = {"manifold": "manifold", "remixer": "mixed"}[stage]
    path = Path(name) / "ssv2a.safetensors"
    assert (tmp_path / path).read_bytes() == (whole / path).read_bytes()


def test_stages_say_what_they_need_first(
    data: Path, settings: dict[str, Settings], tmp_path: Path
) -> None:
    for stage in ("audio2clip", "remixer", "aggregator", "decoder"):
        with pytest.raises(FileMissing, match=r"wildtrack train (manifold|remixer|autoencoder)"):
            run_stage(stage, settings[stage], Folders((data,), tmp_path / stage))


def test_whole_packages_validate_and_are_not_learned_from(data: Path) -> None:
    run = load_settings("manifold").run
    parts = parted(PreparedData(data), replace(run, held_out=0.25))
    learned, held = (
        {parts.held.data.facts(int(row)).package for row in part.rows}
        for part in (parts.learned, parts.held)
    )
    assert not learned & held
    assert len(held) == 12


def test_names_decide_what_validates_not_their_order(data: Path) -> None:
    selection = PreparedData(data).select("train")
    later = replace(selection, pairs=selection.pairs[30:])
    rows = held_rows(selection, 0.25)
    assert held_rows(selection, 0.25) == rows
    assert len(held_rows(later, 0.25) & rows) >= len(held_rows(later, 0.25)) // 2


def test_the_elbow_parts_a_few_unlike_pairs_from_many_alike() -> None:
    draw = np.random.default_rng(2)
    unlike, alike = draw.uniform(-0.2, 0.4, 20), draw.uniform(0.8, 0.95, 180)
    limit = elbow(np.concatenate([unlike, alike]).astype(np.float32))
    assert 0.4 < limit < 0.85
    assert elbow(np.full(50, 0.5, np.float32)) == 0.5


def test_another_ear_than_the_datas_is_refused(
    data: Path,
    settings: dict[str, Settings],
    trained: tuple[Path, dict[StageName, dict[str, Any]]],
    tmp_path: Path,
) -> None:
    (tmp_path / "manifold").symlink_to(trained[0] / "manifold")
    usual = settings["remixer"]
    assert isinstance(usual, RemixerSettings)
    other = replace(usual, scenes=replace(usual.scenes, pack="starter"))
    with pytest.raises(BadCorpus, match=r"not by pack = 'starter'.*what prepared the data"):
        run_stage("remixer", other, Folders((data,), tmp_path))


@pytest.mark.parametrize("text", ["nonsense", "[]", '{"stage": "manifold"}'])
def test_a_damaged_record_is_named(
    data: Path, settings: dict[str, Settings], tmp_path: Path, text: str
) -> None:
    (tmp_path / "manifold.json").write_text(text)
    with pytest.raises(BadCorpus, match=r"manifold\.json .*remove it to train anew"):
        run_stage("manifold", settings["manifold"], Folders((data,), tmp_path))


def test_pasted_scenes_have_exact_boxes_and_repeat(corpus: Path) -> None:
    cutouts = [Image.open(corpus / name) for name in ("red.png", "blue.png")]
    ground = Image.new("RGB", (160, 120), "green")
    picture, boxes = paste(ground, cutouts, torch.Generator().manual_seed(4))
    again, _ = paste(ground, cutouts, torch.Generator().manual_seed(4))
    assert picture.tobytes() == again.tobytes()
    for place, box in enumerate(boxes):
        alone, found = paste(ground, cutouts[place : place + 1], torch.Generator().manual_seed(9))
        changed = ImageChops.difference(alone, ground).getbbox()
        assert changed == found[0]
        assert 0 <= box[0] < box[2] <= 160
        assert 0 <= box[1] < box[3] <= 120


class Eye:
    """Sees the mean colour of a picture."""

    dim = CLIP

    def encode(self, images: Sequence[Image.Image]) -> torch.Tensor:
        rows = [np.resize(np.asarray(i.convert("RGB").resize((1, 1))), CLIP) for i in images]
        return torch.nn.functional.normalize(torch.from_numpy(np.stack(rows)).float() + 1, dim=-1)


@pytest.fixture
def pasting(corpus: Path, tmp_path: Path) -> Path:
    """A corpus whose cut-out is of a class that the prepared data has."""
    folder = shutil.copytree(corpus, tmp_path / "corpus")
    table = folder / "images.csv"
    table.write_text(table.read_text().replace("a red ball,rain", "a red ball,group_1"))
    return folder


def test_the_remixer_learns_from_pasted_scenes_made_once(
    data: Path,
    settings: dict[str, Settings],
    trained: tuple[Path, dict[StageName, dict[str, Any]]],
    pasting: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[str] = []
    monkeypatch.setattr("engine.training.pasted.load_text_encoder", lambda device: None)
    monkeypatch.setattr(
        "engine.training.pasted.load_image_encoder",
        lambda texts, device: looked.append(device) or Eye(),  # type: ignore[func-returns-value]
    )
    (tmp_path / "manifold").symlink_to(trained[0] / "manifold")
    usual = settings["remixer"]
    assert isinstance(usual, RemixerSettings)
    short = replace(
        usual,
        scenes=replace(usual.scenes, pasted_scenes=5),
        schedule=replace(usual.schedule, steps=2),
    )
    run_stage("remixer", short, Folders((data,), tmp_path, pasting))
    (tmp_path / "remixer.json").unlink()
    run_stage("remixer", short, Folders((data,), tmp_path, pasting))
    assert looked == ["cpu"]
    made = load_file(tmp_path / "pasted-000000.safetensors")
    assert made["frames"].shape == (5, CLIP)
    assert ((made["clips"].any(-1)) == (made["claps"].any(-1))).all()
    assert (made["clips"].any(-1).sum(1) >= 1).all()


def test_cut_outs_of_no_known_class_are_named(
    data: Path,
    settings: dict[str, Settings],
    trained: tuple[Path, dict[StageName, dict[str, Any]]],
    corpus: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "manifold").symlink_to(trained[0] / "manifold")
    with pytest.raises(BadCorpus, match="no cut-out with a fit licence of a class"):
        run_stage("remixer", settings["remixer"], Folders((data,), tmp_path, corpus))


def test_every_stage_is_a_command(
    data: Path, trained: tuple[Path, dict[StageName, dict[str, Any]]], tmp_path: Path
) -> None:
    assert tuple(STAGES) == STAGE_NAMES
    config = tmp_path / "quick.toml"
    config.write_text(
        "[model]\nsize = 'tiny'\n[schedule]\nsteps = 2\nbatch = 4\n[manifold]\nteacher_steps = 0"
    )
    options = ["--data", str(data), "--work", str(tmp_path / "work"), "--config", str(config)]
    for more in (["--json"], []):
        result = CliRunner().invoke(train, ["manifold", *options, *more])
        assert result.exit_code == 0, result.output
        if more:
            told = json.loads(result.stdout)
    assert load_ssv2a(Path(told["model"])).config.clap_dim == CLAP
    assert f"{told['r_at_5']:.4f}" in result.stdout
